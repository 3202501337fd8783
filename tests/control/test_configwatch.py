"""Watching the config file: what is taken over, what is refused, and when."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llr.config.document import DocumentError
from llr.config.parse import parse_config
from llr.control.configfile import ConfigSyntaxError, Loaded, etag, load
from llr.control.configwatch import (
    Accepted,
    ConfigWatch,
    Refused,
    Reload,
    Signature,
    Unchanged,
    cleared_providers,
    file_signature,
    judge,
    refusal,
)
from llr.testing import FakeClock

ACME: dict[str, Any] = {
    "id": "acme",
    "baseUrl": "https://x.example",
    "apiKey": "k",
    "format": "openai",
    "models": ["m"],
}


def loaded(doc: Any, *, exists: bool = True) -> Loaded:
    raw = doc if isinstance(doc, dict) else {}
    return Loaded("/c.json", raw, parse_config(doc, {}), etag(json.dumps(doc).encode()), exists)


def good(**changes: Any) -> Loaded:
    return loaded({"version": 2, "providers": [{**ACME, **changes}]})


class Ticking(FakeClock):
    """A clock on which every sleep is over at once, each one noted; it stops the watch after the last."""

    def __init__(self, sleeps: int, on_sleep: Callable[[int], None]) -> None:
        super().__init__()
        self.slept: list[float] = []
        self._sleeps, self._on_sleep = sleeps, on_sleep

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) >= self._sleeps:
            raise asyncio.CancelledError
        self.slept.append(seconds)
        self._on_sleep(len(self.slept))


class File:
    """A config file that is a value: what it holds, and how often it was read."""

    def __init__(self, content: Loaded | Exception) -> None:
        self.content, self.version, self.reads = content, 0, 0

    def write(self, content: Loaded | Exception) -> None:
        self.content, self.version = content, self.version + 1

    def load(self) -> Loaded:
        self.reads += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def signature(self, path: str) -> Signature:
        return (self.version, 0, 0)


def watch(file: File, clock: Any, seen: list[Reload], **options: Any) -> ConfigWatch:
    async def note(outcome: Reload) -> None:
        seen.append(outcome)

    current = file.load()
    file.reads = 0
    return ConfigWatch(
        current,
        load=file.load,
        on_reload=note,
        clock=clock,
        debounce_s=0.3,
        signature=file.signature,
        **options,
    )


async def run(file: File, sleeps: int, on_sleep: Callable[[int], None]) -> tuple[list[Reload], Ticking, ConfigWatch]:
    seen: list[Reload] = []
    clock = Ticking(sleeps, on_sleep)
    watching = watch(file, clock, seen)
    with pytest.raises(asyncio.CancelledError):
        await watching.run()
    return seen, clock, watching


async def test_a_quiet_file_is_never_read() -> None:
    file = File(good())
    seen, clock, _ = await run(file, 5, lambda n: None)
    assert (seen, file.reads, clock.slept) == ([], 0, [0.5] * 5)


async def test_a_change_is_taken_over_after_the_debounce() -> None:
    file = File(good())
    fresh = good(apiKey="rotated")
    seen, clock, watching = await run(file, 4, lambda n: file.write(fresh) if n == 2 else None)
    assert clock.slept == [0.5, 0.5, 0.3, 0.5]
    assert file.reads == 1
    assert len(seen) == 1
    assert isinstance(seen[0], Accepted)
    assert seen[0].cleared == {"acme"}
    assert watching.current is fresh


async def test_every_further_change_restarts_the_debounce() -> None:
    file = File(good())
    seen, clock, _ = await run(file, 6, lambda n: file.write(good(apiKey=f"k{n}")) if n <= 3 else None)
    assert clock.slept == [0.5, 0.3, 0.3, 0.3, 0.5, 0.5]
    assert (file.reads, len(seen)) == (1, 1)


async def test_the_same_text_again_is_nothing() -> None:
    file = File(good())
    seen, _, watching = await run(file, 4, lambda n: file.write(good()) if n == 1 else None)
    assert (seen, file.reads) == ([], 1)
    assert isinstance(await watching.reload(), Unchanged)


REFUSED: list[tuple[Loaded | Exception, str]] = [
    (ConfigSyntaxError("/c.json", DocumentError("Expecting value", 3, 7)), "/c.json:3:7: Expecting value"),
    (PermissionError(13, "Permission denied"), "/c.json: Permission denied"),
    (loaded([]), "config root must be a JSON object"),
    (loaded({"providers": []}), "at least one enabled provider is required"),
    (loaded({"providers": [{**ACME, "enabled": False}]}), "at least one enabled provider is required"),
    (loaded({"providers": [{**ACME, "baseUrl": "x"}]}), "missing baseUrl"),
    (loaded({"providers": [ACME], "metadata": {"localServer": {"requireAuth": True}}}), "masterKey required"),
    (loaded({}, exists=False), "config file is missing"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED)
async def test_what_cannot_serve_is_refused_and_the_old_config_stays(content: Loaded | Exception, reason: str) -> None:
    file = File(good())
    before = file.content
    seen, _, watching = await run(file, 5, lambda n: file.write(content) if n == 1 else None)
    assert len(seen) == 1, "a refusal is reported once, not at every look"
    assert isinstance(seen[0], Refused)
    assert reason in seen[0].reason
    assert watching.current is before


async def test_a_mended_file_is_taken_over_after_a_refusal() -> None:
    file = File(good())

    def change(n: int) -> None:
        if n == 1:
            file.write(loaded([]))
        if n == 3:
            file.write(good(apiKey="new"))

    seen, _, _ = await run(file, 6, change)
    assert [type(outcome) for outcome in seen] == [Refused, Accepted]


async def test_a_file_that_is_as_it_was_before_a_refusal_is_told_of_once() -> None:
    file = File(good())

    def change(n: int) -> None:
        if n in (1, 3, 5):
            file.write(loaded([]) if n == 1 else good())

    seen, _, _ = await run(file, 9, change)
    assert [type(outcome) for outcome in seen] == [Refused, Unchanged]


async def test_an_error_that_leaves_something_to_serve_is_reported_with_its_path() -> None:
    file = File(good())
    fresh = loaded({"providers": [ACME], "modelAliases": {"a": {"targets": ["acme/nope", "acme/m"]}}})
    seen, _, _ = await run(file, 3, lambda n: file.write(fresh) if n == 1 else None)
    assert isinstance(seen[0], Accepted)
    assert [issue.path for issue in seen[0].loaded.parsed.errors] == ["$.modelAliases.a.targets[0]"]


def test_a_link_that_is_made_to_point_elsewhere_is_a_change(tmp_path: Path) -> None:
    """Kubernetes swaps a folder link, many deployments a file link; the old target may stay untouched for ever."""
    for name, key in (("v1", "old"), ("v2", "new")):
        (tmp_path / name).mkdir()
        doc = {"version": 2, "providers": [{**ACME, "apiKey": key}]}
        (tmp_path / name / "c.json").write_text(json.dumps(doc))
    folder, link = tmp_path / "data", tmp_path / "config.json"
    folder.symlink_to("v1")
    link.symlink_to("data/c.json")

    def swap(n: int) -> None:
        if n == 1:
            (tmp_path / "fresh").symlink_to("v2")
            os.replace(tmp_path / "fresh", folder)

    async def watched() -> list[Reload]:
        seen: list[Reload] = []

        async def note(outcome: Reload) -> None:
            seen.append(outcome)

        def read() -> Loaded:
            return load(str(link), env={})

        watching = ConfigWatch(
            read(), path=str(link), load=read, on_reload=note, clock=Ticking(4, swap), debounce_s=0.3
        )
        with pytest.raises(asyncio.CancelledError):
            await watching.run()
        return seen

    (outcome,) = asyncio.run(watched())
    assert isinstance(outcome, Accepted)
    assert outcome.cleared == {"acme"}
    assert outcome.loaded.path == str(tmp_path / "v2" / "c.json")


async def test_a_change_between_reading_and_watching_is_seen() -> None:
    file = File(good())
    current, seen = file.load(), list[Reload]()
    before = file.signature("")
    file.write(good(apiKey="new"))

    async def note(outcome: Reload) -> None:
        seen.append(outcome)

    clock = Ticking(3, lambda n: None)
    watching = ConfigWatch(
        current, seen=before, load=file.load, on_reload=note, clock=clock, debounce_s=0, signature=file.signature
    )
    with pytest.raises(asyncio.CancelledError):
        await watching.run()
    assert [type(outcome) for outcome in seen] == [Accepted]


async def test_one_reload_at_a_time_and_the_last_one_sees_the_newest_file() -> None:
    file, seen = File(good()), list[Reload]()
    started, release, inside = asyncio.Event(), asyncio.Event(), [0, 0]

    async def note(outcome: Reload) -> None:
        inside[0] += 1
        inside[1] = max(inside)
        seen.append(outcome)
        started.set()
        await release.wait()
        inside[0] -= 1

    watching = ConfigWatch(
        file.load(),
        load=file.load,
        on_reload=note,
        clock=FakeClock(),
        debounce_s=0,
        signature=file.signature,
    )
    file.write(good(apiKey="1"))
    first = asyncio.create_task(watching.reload())
    await started.wait()
    second = asyncio.create_task(watching.reload())
    file.write(good(apiKey="2"))
    release.set()
    assert isinstance(await first, Accepted)
    assert isinstance(await second, Accepted)
    assert watching.current is file.content
    assert inside == [0, 1]


def test_auth_may_be_required_from_outside() -> None:
    assert refusal(good().parsed, require_auth=False) is None
    refused = refusal(good().parsed, require_auth=True)
    assert refused is not None
    assert "masterKey" in refused.reason
    assert refusal(loaded({"providers": [ACME], "masterKey": "k"}).parsed, require_auth=True) is None


@pytest.mark.parametrize(
    ("changes", "cleared"),
    [
        ({}, set()),
        ({"name": "other"}, set()),
        ({"models": ["m", "n"]}, set()),
        ({"apiKey": "new"}, {"acme"}),
        ({"apiKey": None, "apiKeyEnv": "K"}, {"acme"}),
        ({"baseUrl": "https://y.example"}, {"acme"}),
        ({"baseUrlByFormat": {"openai": "https://y.example"}}, {"acme"}),
        ({"headers": {"x-team": "a"}}, {"acme"}),
        ({"auth": {"type": "x-api-key"}}, {"acme"}),
        ({"proxy": "direct"}, {"acme"}),
        ({"id": "beta"}, set()),
    ],
)
def test_which_health_records_are_cleared(changes: dict[str, Any], cleared: set[str]) -> None:
    old, new = good().parsed.config, good(**changes).parsed.config
    assert old is not None
    assert new is not None
    assert cleared_providers(old, new) == cleared


def test_a_changed_listener_is_noted() -> None:
    other = loaded({"providers": [ACME], "metadata": {"localServer": {"port": 9}}})
    outcome = judge(good(), other, require_auth=False)
    assert isinstance(outcome, Accepted)
    assert outcome.server_changed
    again = judge(other, replace(other, etag="x"), require_auth=False)
    assert isinstance(again, Accepted)
    assert not again.server_changed


def test_a_first_config_after_none_is_accepted() -> None:
    outcome = judge(loaded([]), good(), require_auth=False)
    assert isinstance(outcome, Accepted)
    assert outcome.cleared == frozenset()


def test_the_signature_of_a_file(tmp_path: Any) -> None:
    path = tmp_path / "c.json"
    assert file_signature(str(path)) is None
    path.write_text("{}")
    first = file_signature(str(path))
    assert first is not None
    path.write_text("{ }")
    assert file_signature(str(path)) != first
