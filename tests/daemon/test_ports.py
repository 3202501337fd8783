import socket

import pytest

from llr.config.parse import parse_config
from llr.config.schema import LocalServer
from llr.daemon import ports
from llr.daemon.ports import Address, AddressError, shown_command

ORDER = [
    # flag host, flag port, LLM_ROUTER_PORT, config host, config port -> host, port
    ((None, None, None, None, None), ("127.0.0.1", 8376)),
    ((None, None, None, None, 9001), ("127.0.0.1", 9001)),
    ((None, None, "9002", None, 9001), ("127.0.0.1", 9002)),
    ((None, "9003", "9002", None, 9001), ("127.0.0.1", 9003)),
    ((None, "0", "9002", None, 9001), ("127.0.0.1", 0)),
    ((None, None, " ", None, 9001), ("127.0.0.1", 9001)),
    ((None, None, None, "10.0.0.1", None), ("10.0.0.1", 8376)),
    (("::1", None, None, "10.0.0.1", None), ("::1", 8376)),
    (("[::1]", None, None, None, None), ("::1", 8376)),
    (("localhost", None, None, None, None), ("localhost", 8376)),
]


@pytest.mark.parametrize(("given", "expected"), ORDER)
def test_order(given: tuple[str | None, ...], expected: tuple[str, int]) -> None:
    host, port, variable, config_host, config_port = given
    env = {"PORT": "1234"} | ({} if variable is None else {"LLM_ROUTER_PORT": variable})
    local = LocalServer(host=config_host, port=config_port)  # type: ignore[arg-type]
    address = ports.choose(host, port, env, local)
    assert (address.host, address.port) == expected


@pytest.mark.parametrize(
    ("host", "config", "both"),
    [(None, None, True), ("localhost", None, True), ("127.0.0.1", None, False), (None, "127.0.0.1", False)],
)
def test_both_loopbacks_only_where_nobody_chose(host: str | None, config: str | None, both: bool) -> None:
    assert ports.choose(host, None, {}, LocalServer(host=config)).both_loopbacks is both


WRONG = [
    ("x", {}, "--port must be a port number from 0 to 65535, not 'x'."),
    ("65536", {}, "--port must be a port number from 0 to 65535, not '65536'."),
    ("-1", {}, "--port must be a port number from 0 to 65535, not '-1'."),
    (None, {"LLM_ROUTER_PORT": "80x"}, "LLM_ROUTER_PORT must be a port number from 0 to 65535, not '80x'."),
]


@pytest.mark.parametrize(("port", "env", "message"), WRONG)
def test_wrong_ports_name_their_source(port: str | None, env: dict[str, str], message: str) -> None:
    with pytest.raises(AddressError) as caught:
        ports.choose(None, port, env, LocalServer())
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("env", "port"), [({}, 1), ({"LLM_ROUTER_PORT": "2", "PORT": "9"}, 2), ({"LLM_ROUTER_PORT": "70000"}, 1)]
)
def test_where_a_gateway_would_listen_is_known_whatever_the_variable_says(env: dict[str, str], port: int) -> None:
    local = parse_config({"metadata": {"localServer": {"host": "0.0.0.0", "port": 1}}}, {}).config
    assert ports.expected(local, env) == Address("0.0.0.0", port)
    assert ports.expected(None, {}) == Address("127.0.0.1", 8376, both_loopbacks=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    assert ports.is_loopback(host) is loopback


def test_owner_of_a_port() -> None:
    import os

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert ports.owners(port) == ()
        sock.listen()
        assert [owner.pid for owner in ports.owners(port)] == [os.getpid()]


def test_address_is_a_value() -> None:
    assert Address("h", 1) == Address("h", 1, both_loopbacks=False)


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("123\n456\n123\n", {123, 456}),
        ("8376/tcp: 123 456", {123, 456}),
        ("8376/tcp:             77\n", {77}),
        ("", set()),
        ("lsof: no such file\n0\n-5", set()),
    ],
)
def test_pids_in_what_tools_say(text: str, pids: set[int]) -> None:
    assert ports.plain_pids(text, 8376) == pids


NETSTAT = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    127.0.0.1:8376         0.0.0.0:0              ABHÖREN         4242
  TCP    [::1]:8376             [::]:0                 ABHÖREN         4242
  TCP    0.0.0.0:18376          0.0.0.0:0              ABHÖREN         7
  TCP    127.0.0.1:8376         127.0.0.1:50000        HERGESTELLT      4242
  TCP    127.0.0.1:50000        127.0.0.1:8376         HERGESTELLT      9
"""


def test_netstat_in_another_language() -> None:
    assert ports.netstat_pids(NETSTAT, 8376) == {4242}
    assert ports.netstat_pids(NETSTAT, 50000) == set()


def test_a_free_and_a_taken_port() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        assert ports.busy(port)
    assert not ports.busy(port)
    assert str(port) in ports.how_to_look(port)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("node  server.js\n --port 1", "node server.js --port 1"),
        ("app --api-key abc --x 1", "app --api-key [redacted] --x 1"),
        ("app --auth-token=abc -password p", "app --auth-token=[redacted] -password [redacted]"),
        ("app http://u:p@h sk-abcdefgh12345", "app http://[redacted]@h [redacted]"),
        ("a" * 300, "a" * 117 + "..."),
        ("", ""),
    ],
)
def test_a_strangers_command_line_is_short_and_tells_no_secret(text: str, shown: str) -> None:
    assert shown_command(text) == shown
