"""Body framing: the same bytes for any cut of the input, and nothing taken past the end."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.net.framing import BadFraming, Chunked, Counted, Framing, UntilClose, framing_for
from llr.net.head import CHUNKED, UNTIL_CLOSE


def fed(framing: Framing, data: bytes, cuts: list[int]) -> bytes:
    """Returns the body, after feeding `data` in pieces of the given sizes until it is done."""
    out, at = b"", 0
    for size in [*cuts, len(data)]:
        if framing.done:
            break
        piece = data[at : at + size]
        at += len(piece)
        if piece:
            out += framing.feed(piece)
    framing.rest += data[at:]
    return out


def chunked(parts: list[bytes], *, trailers: bytes = b"", extension: bytes = b"") -> bytes:
    coded = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts if part)
    return coded + b"000" + extension + b"\r\n" + trailers + b"\r\n"


@given(
    parts=st.lists(st.binary(max_size=40), max_size=6),
    cuts=st.lists(st.integers(1, 30), max_size=80),
    rest=st.binary(max_size=20),
    extension=st.sampled_from([b"", b";a", b' ; a="b c"']),
    trailers=st.sampled_from([b"", b"X: y\r\nZ:\r\n"]),
)
def test_chunked_is_the_same_for_any_cut(
    parts: list[bytes], cuts: list[int], rest: bytes, extension: bytes, trailers: bytes
) -> None:
    framing = Chunked()
    data = chunked(parts, extension=extension, trailers=trailers) + rest
    assert fed(framing, data, cuts) == b"".join(parts)
    assert framing.done
    assert framing.rest == rest


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_chunked_by_small_pieces(size: int) -> None:
    rng = random.Random(size)
    parts = [rng.randbytes(rng.randrange(1, 300)) for _ in range(20)]
    data = chunked(parts) + b"NEXT"
    framing = Chunked()
    assert fed(framing, data, [size] * len(data)) == b"".join(parts)
    assert framing.rest == b"NEXT"


@given(body=st.binary(max_size=60), cuts=st.lists(st.integers(1, 30), max_size=80), rest=st.binary(max_size=20))
def test_counted_is_the_same_for_any_cut(body: bytes, cuts: list[int], rest: bytes) -> None:
    framing = Counted(len(body))
    assert fed(framing, body + rest, cuts) == body
    assert framing.done
    assert framing.rest == rest


BAD = [
    b"\r\n",
    b"g\r\n",
    b"-1\r\na\r\n",
    b"+1\r\na\r\n",
    b"0x1\r\na\r\n",
    b" 1\r\na\r\n",
    b"1 \r\na\r\n",
    b"1_0\r\n",
    b"1\na\n0\n\n",
    b"1\r\na\n0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n",
    b"1\r\na0\r\n\r\n",
    b"1\r\na\r\r\n",
    b"11111111111111111\r\n",
    b"1;a\x00b\r\na\r\n",
    b"1;a\nb\r\na\r\n",
    b"1;" + b"x" * 300 + b"\r\na\r\n",
    b"1;" + b"x" * 300,
    b"0\r\nbad trailer\r\n\r\n",
    b"0\r\n X: y\r\n\r\n",
    b"0\r\nX: y\nZ: w\r\n\r\n",
    b"0\r\n" + b"X: y\r\n" * 12_000 + b"\r\n",
]


@pytest.mark.parametrize("data", BAD)
@pytest.mark.parametrize("size", [1, 5, 1_000_000])
def test_broken_chunks_are_refused_for_any_cut(data: bytes, size: int) -> None:
    with pytest.raises(BadFraming):
        fed(Chunked(), data, [size] * (len(data) // size))


def test_a_huge_size_does_not_allocate() -> None:
    framing = Chunked()
    assert framing.feed(b"ffffffffffffffff\r\nabc") == b"abc"
    assert not framing.done


def test_one_read_of_many_chunks_gives_one_piece() -> None:
    framing = Chunked()
    assert framing.feed(b"1\r\na\r\n2\r\nbc\r\n3\r\nde") == b"abcde"
    assert framing.feed(b"f\r\n0\r\n\r\n") == b"f"
    assert framing.done


def test_the_kind_picks_the_reader() -> None:
    assert isinstance(framing_for(CHUNKED), Chunked)
    assert isinstance(framing_for(UNTIL_CLOSE), UntilClose)
    assert framing_for(0).done
    assert not framing_for(1).done
