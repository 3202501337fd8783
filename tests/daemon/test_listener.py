import errno
import os
import socket

import pytest

from llr.daemon import listener
from llr.daemon.listener import BindError
from llr.daemon.ports import Address


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def test_bind_listens() -> None:
    sockets = listener.bind(Address("127.0.0.1", 0))
    host, port = listener.address_of(sockets[0])
    assert (host, len(sockets)) == ("127.0.0.1", 1)
    with socket.create_connection((host, port), 5):
        pass
    close(sockets)


def test_both_loopbacks_share_the_port() -> None:
    sockets = listener.bind(Address("127.0.0.1", 0, both_loopbacks=True))
    ports = {listener.address_of(sock)[1] for sock in sockets}
    assert len(ports) == 1
    if socket.has_ipv6 and len(sockets) == 2:
        with socket.create_connection(("::1", ports.pop()), 5):
            pass
    close(sockets)


def test_a_taken_port_is_told_apart() -> None:
    taken = listener.bind(Address("127.0.0.1", 0))
    with pytest.raises(BindError) as caught:
        listener.bind(Address("127.0.0.1", taken[0].getsockname()[1]))
    assert caught.value.in_use
    close(taken)


def test_a_foreign_host_is_another_failure() -> None:
    with pytest.raises(BindError) as caught:
        listener.bind(Address("192.0.2.1", 0))
    assert not caught.value.in_use


INHERITED = [
    ({}, []),
    ({"LLM_ROUTER_LISTEN_FD": "7"}, [7]),
    ({"LLM_ROUTER_LISTEN_FD": "7,9"}, [7, 9]),
    ({"LISTEN_PID": "42", "LISTEN_FDS": "2"}, [3, 4]),
    ({"LISTEN_PID": "41", "LISTEN_FDS": "2"}, []),
    ({"LISTEN_FDS": "2"}, []),
    ({"LISTEN_PID": "42", "LISTEN_FDS": "x"}, []),
    ({"LLM_ROUTER_LISTEN_FD": "7", "LISTEN_PID": "42", "LISTEN_FDS": "1"}, [7]),
]


@pytest.mark.parametrize(("env", "fds"), INHERITED)
def test_inherited_descriptors(env: dict[str, str], fds: list[int]) -> None:
    assert listener.inherited_fds(env, 42) == fds


def test_inherited_socket_becomes_private_and_its_variables_go() -> None:
    bound = listener.bind(Address("127.0.0.1", 0))[0]
    fd = os.dup(bound.fileno())
    os.set_inheritable(fd, True)
    env = {"LLM_ROUTER_LISTEN_FD": str(fd), "LISTEN_FDS": "1", "OTHER": "x"}
    adopted = listener.inherited(env)
    assert listener.address_of(adopted[0]) == listener.address_of(bound)
    assert not os.get_inheritable(fd)
    assert env == {"OTHER": "x"}
    close([bound, *adopted])


@pytest.mark.parametrize("value", ["x", "987654"])
def test_what_is_no_socket_is_refused(value: str) -> None:
    with pytest.raises(BindError, match="inherited listening socket"):
        listener.inherited({"LLM_ROUTER_LISTEN_FD": value})


def test_peer_31_why_a_port_cannot_be_had() -> None:
    kept = OSError(errno.EACCES, "An attempt was made to access a socket in a way forbidden")
    kept.winerror = 10013  # type: ignore[attr-defined]
    assert "netsh interface ipv4 show excludedportrange" in listener.explained(kept, 8376).message
    assert "below 1024" in listener.explained(OSError(errno.EACCES, "Permission denied"), 80).message
    taken = listener.explained(OSError(errno.EADDRINUSE, "Address already in use"), 8376)
    assert taken.in_use
    assert taken.message == "Address already in use"
