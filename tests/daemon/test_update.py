"""Updates without a disk or a network: manifests, versions, addresses, installations."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.daemon.update import kind, place, release
from llr.daemon.update.fetch import MAX_REDIRECTS, download
from llr.daemon.update.release import UpdateError
from llr.wire.http import Headers, OutboundRequest, Timeouts

HASH = "a" * 64
URL = "https://releases.example/llr/latest.json"


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("2.10.0", "2.9.0"),
        ("2.9.1", "2.9"),
        ("1.0", "0.99.99"),
        ("3.0.0", "3.0.0rc1"),
        ("3.0.0rc2", "3.0.0rc1"),
        ("v2", "1.9"),
        ("10", "9"),
    ],
)
def test_versions_are_ordered_by_their_numbers(newer: str, older: str) -> None:
    assert release.newer(newer, older)
    assert not release.newer(older, newer)
    assert not release.newer(newer, newer)


def test_equal_versions_are_equal() -> None:
    assert release.version_key("1.2.0") == release.version_key("v1.2")


@pytest.mark.parametrize(
    ("need", "fine"), [(None, True), ("3.11", True), ("3.12", False), ("3.9.1", True), ("4", False)]
)
def test_python_requirement(need: str | None, fine: bool) -> None:
    assert release.runs_on(need, (3, 11)) is fine


def read(raw: Any, wanted: str | None = None) -> release.Release:
    return release.read_manifest(json.dumps(raw).encode(), URL, wanted)


def test_a_manifest() -> None:
    one = {"version": "1.2", "url": "files/llr.pyz", "sha256": HASH.upper(), "size": 5, "minPython": "3.11"}
    found = read({**one, "signature": "files/llr.minisig"})
    assert found == release.Release(
        "https://releases.example/llr/files/llr.pyz",
        HASH,
        "1.2",
        5,
        "3.11",
        "https://releases.example/llr/files/llr.minisig",
    )
    text = "untrusted comment: x\nRUQ\n"
    assert read({**one, "signature": text}).signature == text
    rows = [{**one, "version": name} for name in ("1.9", "1.10", "1.2")]
    assert read({"releases": rows}).version == "1.10"
    assert read({"releases": rows}, "v1.9.0").version == "1.9"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "no JSON object"),
        ({}, "does not have a release"),
        ({"version": "1"}, "needs version, url and sha256"),
        ({"version": "1", "url": "x", "sha256": "abc"}, "64 hexadecimal"),
        ({"version": "1", "url": "http://evil.example/x", "sha256": HASH}, "over https only"),
        ({"version": "1", "url": "file:///etc/passwd", "sha256": HASH}, "over https only"),
    ],
)
def test_a_manifest_that_is_none(raw: Any, words: str) -> None:
    with pytest.raises(UpdateError, match=words):
        read(raw)


def test_broken_json() -> None:
    with pytest.raises(UpdateError, match="not JSON"):
        release.read_manifest(b"{", URL, None)


@pytest.mark.parametrize(
    ("source", "is_url"),
    [("https://x/y", True), ("C:\\x", False), ("/a b", False), ("llr.pyz", False), ("c:/x", False)],
)
def test_paths_and_addresses(source: str, is_url: bool) -> None:
    assert release.is_url(source) is is_url


@pytest.mark.parametrize(
    ("folder", "archive", "name", "command"),
    [
        ("/x/llr.pyz/llr", "/x/llr.pyz", "archive", ""),
        ("/u/.local/pipx/venvs/llr/lib/python3.11/site-packages/llr", None, "site-packages", "pipx upgrade llr"),
        ("/u/.local/uv/tools/llr/lib/python3.11/site-packages/llr", None, "site-packages", "uv tool upgrade llr"),
        ("/v v/lib/python3.11/site-packages/llr", None, "site-packages", "'/v v/py' -m pip install --upgrade llr"),
        ("/usr/lib/python3/dist-packages/llr", None, "site-packages", "'/v v/py' -m pip install --upgrade llr"),
        ("C:\\Python\\Lib\\site-packages\\llr", None, "site-packages", "'/v v/py' -m pip install --upgrade llr"),
        ("/home/u/src/llr/llr", None, "checkout", ""),
    ],
)  # fmt: skip
def test_installations(folder: str, archive: str | None, name: str, command: str) -> None:
    found = kind.find(folder, archive, "/v v/py")
    assert (found.name, found.command) == (name, command)


class Web:
    """A transport that answers each address from a table."""

    def __init__(self, **pages: tuple[int, str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def send(self, request: OutboundRequest, *, timeouts: Timeouts) -> "Page":
        assert timeouts.first_byte_s == 10.0
        self.asked.append(f"{request.origin.scheme}://{request.origin.host}:{request.origin.port}{request.target}")
        if request.target == "/down":
            raise GatewayError(Fault(ErrorKind.UPSTREAM_UNREACHABLE, "the connection was refused"))
        return Page(*self.pages[request.target.strip("/").partition("?")[0]])


class Page:
    def __init__(self, status: int, location: str, body: bytes) -> None:
        self.status = status
        self.headers = Headers([(b"location", location.encode())] if location else [])
        self.body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), 3):
            yield self.body[at : at + 3]

    async def aclose(self) -> None:
        return


async def test_redirects_are_followed_on_https_only() -> None:
    web = Web(a=(302, "/b?x=1", b""), b=(307, "https://other.example:8443/c", b""), c=(200, "", b"0123456789"))
    assert await download(web, "https://first.example/a", 10) == b"0123456789"
    assert web.asked == [
        "https://first.example:443/a",
        "https://first.example:443/b?x=1",
        "https://other.example:8443/c",
    ]
    with pytest.raises(UpdateError, match="over https only"):
        await download(Web(a=(302, "http://other.example/b", b"")), "https://first.example/a", 10)
    endless = Web(a=(302, "/a", b""))
    with pytest.raises(UpdateError, match="without an end"):
        await download(endless, "https://first.example/a", 10)
    assert len(endless.asked) == MAX_REDIRECTS + 1


async def test_too_much_and_nothing() -> None:
    with pytest.raises(UpdateError, match="larger than 9 bytes"):
        await download(Web(c=(200, "", b"0123456789")), "https://first.example/c", 9)
    with pytest.raises(UpdateError, match="answered 404"):
        await download(Web(c=(404, "", b"")), "https://first.example/c", 9)
    with pytest.raises(UpdateError, match="refused") as caught:
        await download(Web(), "https://first.example/down", 9)
    assert "--from FILE" in caught.value.fix


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(UpdateError, match="/opt/my tools cannot be written") as caught:
        place.check_writable("/opt/my tools/llr.pyz")
    assert "sudo" in caught.value.fix
