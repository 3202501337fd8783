"""Content codings: unpacked under a cap, the same for any chunking, broken data named."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.wire.coding import PIECE_BYTES, Unpacker, codings, unpack
from llr.wire.http import Headers

PLAIN = b"hello \xf0\x9f\x91\x8b " * 50_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
}


def answer(encoding: str, chunks: list[bytes]) -> bytes:
    unpacker = Unpacker(Headers([(b"content-encoding", encoding.encode())]))
    out = [piece for chunk in chunks for piece in unpacker.feed(chunk)]
    return b"".join([*out, *unpacker.finish()])


@pytest.mark.parametrize("name", PACKED)
def test_requests_are_unpacked(name: str) -> None:
    assert unpack(PACKED[name](PLAIN), name, len(PLAIN)) == PLAIN


def test_codings_are_undone_last_first() -> None:
    assert unpack(gzip.compress(zlib.compress(PLAIN)), "deflate, gzip, identity", len(PLAIN)) == PLAIN
    assert codings("identity") == []


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_bomb_is_refused_at_the_cap(name: str) -> None:
    bomb = PACKED[name](b"\0" * 20_000_000)
    with pytest.raises(GatewayError) as caught:
        unpack(bomb, name, 1_000_000)
    assert caught.value.fault.kind is ErrorKind.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"nonsense", "gzip"), (gzip.compress(PLAIN, mtime=0)[:-20], "gzip"), (b"\x01", "deflate")],
)
def test_broken_request_data_is_the_clients_fault(data: bytes, name: str) -> None:
    with pytest.raises(GatewayError) as caught:
        unpack(data, name, 10_000_000)
    assert caught.value.fault.kind is ErrorKind.INVALID_REQUEST


def test_an_unknown_request_coding_names_itself() -> None:
    with pytest.raises(GatewayError, match="br is not supported") as caught:
        unpack(b"x", "br", 100)
    assert caught.value.fault.http_status == 415


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("size", [1000, 7777, 1 << 20])
def test_answers_are_unpacked_for_any_chunking(name: str, size: int) -> None:
    packed = PACKED[name](PLAIN)
    assert answer(name, [packed[at : at + size] for at in range(0, len(packed), size)]) == PLAIN


def test_a_piece_is_never_larger_than_its_bound() -> None:
    unpacker = Unpacker(Headers([(b"content-encoding", b"gzip")]))
    pieces = list(unpacker.feed(gzip.compress(b"\0" * 5_000_000)))
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert sum(map(len, pieces)) == 5_000_000


def test_gzip_members_follow_each_other_and_padding_is_dropped() -> None:
    assert answer("gzip", [gzip.compress(b"one") + gzip.compress(b"two") + b"\0\0"]) == b"onetwo"


def test_an_answer_cut_short_is_truncated() -> None:
    with pytest.raises(GatewayError) as caught:
        answer("gzip", [gzip.compress(PLAIN)[:-9]])
    assert caught.value.fault.kind is ErrorKind.UPSTREAM_TRUNCATED


def test_an_unknown_answer_coding_is_named() -> None:
    with pytest.raises(GatewayError, match="Content-Encoding br") as caught:
        answer("br", [])
    assert caught.value.fault.http_status == 502
