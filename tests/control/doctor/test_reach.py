"""The way to a provider over real sockets: intercepted TLS, proxies, keys, clocks, lists."""

import asyncio
import contextlib
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from llr.base.clock import SystemClock
from llr.control.doctor import Finding, Grade, Patient, examine
from llr.control.doctor.certificate import read_certificate
from tests.net.rig import Proxy, Script, read_request, upstream

KEY = "sk-doctor-0123456789"
MODELS = {"object": "list", "data": [{"id": "m-1"}, {"id": "m-2"}]}


@dataclass(frozen=True)
class Authority:
    """A CA that intercepts, and a server certificate it made for loopback."""

    ca: str
    cert: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Returns a corporate CA with one certificate."""
    folder = tmp_path_factory.mktemp("corp")
    ca, ca_key, cert, key, request = (str(folder / name) for name in ("ca", "ca.key", "cert", "key", "csr"))
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(
        ["req", "-x509", *new, "-days", "30", "-subj", "/O=Corp/CN=Corp Interception CA", "-keyout", ca_key, "-out", ca]
    )
    run(["req", *new, "-subj", "/CN=api.vendor.example", "-keyout", key, "-out", request])
    sign = ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30"]
    run([*sign, "-extfile", str(names), "-out", cert])
    return Authority(ca, cert, key)


def run(command: list[str]) -> None:
    subprocess.run(["openssl", *command], check=True, capture_output=True)


def vendor(answer: Any = None, status: int = 200, *, key: str = KEY, date: float | None = None) -> Script:
    """Returns a provider that lists models to whoever has the key."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        allowed = f"authorization: Bearer {key}".encode() in head
        body = json.dumps(answer or MODELS) if allowed else json.dumps({"error": {"message": f"wrong key {KEY}"}})
        lines = [f"HTTP/1.1 {status if allowed else 401} X", f"Content-Length: {len(body)}"]
        if date is not None:
            lines.append(f"Date: {formatdate(date, usegmt=True)}")
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        await writer.drain()

    return script


class Patients:
    """Config files in a folder of their own, and their examinations."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "router.json"
        self.env = {"LLM_ROUTER_RUNTIME_STATE_PATH": str(folder / "state.json"), "LLM_ROUTER_PORT": "0"}

    def write(self, base: str, *models: str, **more: Any) -> None:
        entry: dict[str, Any] = {
            "id": "corp",
            "name": "Corp",
            "baseUrl": base,
            "format": "openai",
            "apiKeyEnv": "CORP_KEY",
        }
        entry |= {"models": list(models or ("m-1",)), **more}
        self.file.write_text(json.dumps({"version": 2, "providers": [entry]}))
        self.file.chmod(0o600)

    async def examine(self, env: dict[str, str] | None = None, **more: Any) -> dict[str, Finding]:
        every = {"CORP_KEY": KEY, **self.env, **(env or {})}
        found = await examine(Patient(str(self.file), every, timeout_s=5.0, **more))
        assert all(KEY not in f"{one}" for one in found)
        assert all(one.fix for one in found if one.grade in (Grade.WARNING, Grade.ERROR))
        return {one.code: one for one in found}


@pytest.fixture
def patients(tmp_path: Path) -> Patients:
    return Patients(tmp_path)


async def test_a_healthy_provider(patients: Patients) -> None:
    async with upstream(vendor(date=SystemClock().now())) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
        found = await patients.examine()
    assert {"config-ok", "auth-ok", "connected", "answers"} <= set(found)
    assert not [one for one in found.values() if one.grade in (Grade.ERROR, Grade.WARNING)]
    assert found["answers"].facts["status"] == 200
    assert "2 model(s)" in found["answers"].message


@contextlib.asynccontextmanager
async def intercepting(authority: Authority) -> AsyncIterator[int]:
    """Yields the port of a CONNECT proxy that opens every TLS connection with a certificate of its own."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(authority.server_context())
        await vendor()(reader, writer)

    async with upstream(script) as port:
        yield port


@pytest.mark.needs("openssl")
async def test_peer_32_an_intercepting_proxy_is_named_and_its_ca_mends_it(
    patients: Patients, authority: Authority
) -> None:
    async with intercepting(authority) as port:
        patients.write("https://localhost/v1", metadata={"llr": {"proxy": f"http://127.0.0.1:{port}"}})
        found = await patients.examine()
        failing = found["tls-untrusted"]
        assert failing.grade is Grade.ERROR
        assert "issued by CN=Corp Interception CA, O=Corp" in failing.message
        assert "CN=api.vendor.example" in failing.message
        assert "NODE_EXTRA_CA_CERTS" in failing.fix
        assert failing.facts["certificate"]["issuer"] == "CN=Corp Interception CA, O=Corp"  # type: ignore[index, call-overload]
        assert "answers" not in found
        trusting = await patients.examine({"NODE_EXTRA_CA_CERTS": authority.ca})
    assert "answers" in trusting
    assert trusting["connected"].facts["proxy"] == f"127.0.0.1:{port}"
    assert f"through the proxy 127.0.0.1:{port}" in trusting["connected"].message


@pytest.mark.needs("openssl")
async def test_a_certificate_about_to_expire(patients: Patients, authority: Authority, tmp_path: Path) -> None:
    class Later(SystemClock):
        def now(self) -> float:
            return super().now() + 25 * 86_400

    async with upstream(vendor(), ssl=authority.server_context()) as port:
        patients.write(f"https://localhost:{port}/v1", metadata={"llr": {"caFile": authority.ca}})
        assert "tls-expiring" not in await patients.examine()
        found = await patients.examine(clock=Later())
    assert "day(s)" in found["tls-expiring"].message


async def test_a_proxy_that_wants_a_password(patients: Patients) -> None:
    async with upstream(Proxy(b"user:secret-word")) as port:
        patients.write("https://localhost:9/v1", metadata={"llr": {"proxy": f"http://127.0.0.1:{port}"}})
        found = await patients.examine()
    assert "407" in found["proxy-auth"].message
    assert "user:password@" in found["proxy-auth"].fix


async def test_a_refused_key(patients: Patients) -> None:
    async with upstream(vendor(key="another")) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
        found = await patients.examine()
    assert found["key-refused"].grade is Grade.ERROR
    assert "CORP_KEY" in found["key-refused"].fix


async def test_a_model_that_is_not_listed(patients: Patients) -> None:
    async with upstream(vendor()) as port:
        patients.write(f"http://127.0.0.1:{port}/v1", "m-1", "m-gone")
        found = await patients.examine()
    assert found["model-not-listed"].facts == {"models": ["m-gone"]}
    assert found["model-not-listed"].grade is Grade.WARNING


@pytest.mark.parametrize(("seconds", "word"), [(-3600, "ahead of"), (3600, "behind")])
async def test_a_clock_that_is_off(patients: Patients, seconds: int, word: str) -> None:
    async with upstream(vendor(date=SystemClock().now() + seconds)) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
        found = await patients.examine()
    assert word in found["clock-skew"].message


@pytest.mark.parametrize(("status", "code"), [(429, "rate-limited"), (503, "provider-error"), (404, "no-model-list")])
async def test_answers_that_are_no_list(patients: Patients, status: int, code: str) -> None:
    async with upstream(vendor({"error": {"message": "sorry"}}, status)) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
        assert code in await patients.examine()


async def test_nobody_listens(patients: Patients) -> None:
    async with upstream(vendor()) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
    assert (await patients.examine())["unreachable"].grade is Grade.ERROR


async def test_a_port_that_does_not_speak_tls(patients: Patients) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with upstream(plain) as port:
        patients.write(f"https://127.0.0.1:{port}/v1")
        assert "speak TLS" in (await patients.examine())["tls"].fix


async def test_a_name_that_does_not_resolve(patients: Patients, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*_args: object, **_more: object) -> list[object]:
        raise OSError(-2, "Name or service not known")

    patients.write("https://api.vendor.example/v1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    found = (await patients.examine())["dns"]
    assert "api.vendor.example, does not resolve: Name or service not known" in found.message


async def test_offline_contacts_nobody(patients: Patients) -> None:
    asked = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))

    async with upstream(script) as port:
        patients.write(f"http://127.0.0.1:{port}/v1")
        found = await patients.examine(offline=True)
    assert asked == []
    assert "connected" not in found


async def test_an_unset_variable_is_an_error_with_its_name(patients: Patients) -> None:
    patients.write("https://api.vendor.example/v1", apiKeyEnv="DOCTOR_UNSET_KEY")
    found = (await patients.examine(offline=True))["env-unset"]
    assert found.grade is Grade.ERROR
    assert "DOCTOR_UNSET_KEY" in found.message + found.fix


async def test_a_key_over_plain_http_is_not_sent_by_the_doctor(
    patients: Patients, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    resolve, heard = loop.getaddrinfo, list[bytes]()

    async def here(_host: object, port: int, **more: Any) -> Any:
        return await resolve("127.0.0.1", port, **more)

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    monkeypatch.setattr(loop, "getaddrinfo", here)
    async with upstream(script) as port:
        patients.write(f"http://api.vendor.example:{port}/v1")
        found = await patients.examine()
    assert found["plain-http"].grade is Grade.WARNING
    assert "connected" in found
    assert b"".join(heard) == b""


@pytest.mark.needs("openssl")
def test_a_certificate_is_read(authority: Authority) -> None:
    der = ssl.PEM_cert_to_DER_cert(Path(authority.cert).read_text())
    found = read_certificate(der)
    assert found is not None
    assert (found.subject, found.issuer) == ("CN=api.vendor.example", "CN=Corp Interception CA, O=Corp")
    assert 29 * 86_400 < found.not_after_at - found.not_before_at <= 31 * 86_400
    root = read_certificate(ssl.PEM_cert_to_DER_cert(Path(authority.ca).read_text()))
    assert root is not None
    assert root.subject == root.issuer == "CN=Corp Interception CA, O=Corp"


@pytest.mark.needs("openssl")
def test_a_broken_certificate_is_none(authority: Authority) -> None:
    der = ssl.PEM_cert_to_DER_cert(Path(authority.cert).read_text())
    assert read_certificate(b"") is None
    assert read_certificate(b"hello, this is no certificate") is None
    for cut in range(0, 120, 7):
        assert read_certificate(der[:cut]) is None
