"""A certificate made for the run: valid for loopback, trusted by nobody."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificate:
    """Files of one self-made certificate, which is its own root."""

    cert: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        """Returns a context for a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def make(folder: Path, names: str) -> Certificate:
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=llr test", "-addext", f"subjectAltName={names}"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return Certificate(cert, key)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Returns a certificate for `localhost` and 127.0.0.1."""
    return make(tmp_path_factory.mktemp("tls"), "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Returns a certificate that has nothing to do with the first."""
    return make(tmp_path_factory.mktemp("other-tls"), "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="session")
def foreign_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Returns a certificate for another host than loopback."""
    return make(tmp_path_factory.mktemp("foreign-tls"), "DNS:elsewhere.example")
