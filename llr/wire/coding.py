"""Content codings: gzip and deflate in and out of a body, zstd where this Python has it.

Law: no more is unpacked at once than the caller allows, and what is counted is the unpacked size.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.wire.http import Headers

try:  # Python 3.14 and later
    from compression import zstd as _zstd  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    _zstd = None

# Pieces handed on while a stream is unpacked: a few socket buffers.
PIECE_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 31
_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate"}
_ZSTD_HINT = (
    "this Python cannot unpack zstd request bodies; switch compression off in the client "
    "(Codex CLI: features.enable_request_compression=false) or run the gateway with Python 3.14 or later"
)


class CannotDecode(ValueError):
    """The content coding is not one this Python can undo; the message is its name."""


def codings(value: str) -> list[str]:
    """Returns the names in a Content-Encoding value in the order they were applied, `identity` left out."""
    names = [name.strip().lower() for name in value.split(",")]
    return [_ALIASES.get(name, name) for name in names if name and name != "identity"]


class Decoder:
    """Unpacks one coding piece by piece."""

    __slots__ = ("_ended", "_make", "_name", "_started", "_state")

    def __init__(self, name: str) -> None:
        """Raises `CannotDecode` when this Python has no way to undo `name`."""
        makers: dict[str, Callable[[], Any]] = {
            "gzip": lambda: zlib.decompressobj(_GZIP_BITS),
            "deflate": zlib.decompressobj,
        }
        if _zstd is not None:
            makers["zstd"] = _zstd.ZstdDecompressor
        if name not in makers:
            raise CannotDecode(name)
        self._name, self._make = name, makers[name]
        self._state = self._make()
        self._started = self._ended = False

    def feed(self, item: bytes, /) -> Iterator[bytes]:
        """Yields unpacked pieces of at most `PIECE_BYTES`. Raises `GatewayError(UPSTREAM_INVALID)` on broken data."""
        more = False
        while item or more:
            if self._ended:
                # A second gzip member may follow; zero padding and other rest is dropped (RFC 1952 §2.2).
                if self._name == "deflate" or not item.strip(b"\0"):
                    return
                self._state, self._ended = self._make(), False
            try:
                piece = self._step(item)
            except (zlib.error, EOFError, ValueError) as exc:
                raise fail(ErrorKind.UPSTREAM_INVALID, f"the body is not valid {self._name} data") from exc
            self._started, self._ended = True, self._state.eof
            if self._ended:
                item = self._state.unused_data
            else:
                item = b"" if self._name == "zstd" else self._state.unconsumed_tail
            # A full piece may leave output inside the decompressor although it took all input.
            more = not self._ended and len(piece) == PIECE_BYTES
            if piece:
                yield piece

    def _step(self, item: bytes) -> bytes:
        try:
            piece: bytes = self._state.decompress(item, PIECE_BYTES)
        except zlib.error:
            # Some servers say "deflate" and mean the raw form without the zlib header.
            if self._name != "deflate" or self._started:
                raise
            self._state = zlib.decompressobj(-zlib.MAX_WBITS)
            piece = self._state.decompress(item, PIECE_BYTES)
        return piece

    def finish(self) -> Iterator[bytes]:
        """Yields what is still held. Raises `GatewayError(UPSTREAM_TRUNCATED)` when the packed data broke off."""
        if self._started and not self._ended:
            raise fail(ErrorKind.UPSTREAM_TRUNCATED, f"the {self._name} data ends too early")
        return iter(())


def unpack(data: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Returns a request body with its content codings undone.

    Raises `GatewayError`: UNSUPPORTED_MEDIA for an unknown coding, TOO_LARGE past `limit_bytes` unpacked bytes,
    INVALID_REQUEST on broken data.
    """
    for name in reversed(codings(encoding)):
        try:
            decoder = Decoder(name)
        except CannotDecode:
            text = _ZSTD_HINT if name == "zstd" else f"Content-Encoding {name} is not supported; use gzip or deflate"
            raise fail(ErrorKind.UNSUPPORTED_MEDIA, text) from None
        data = _unpack_one(decoder, data, limit_bytes)
    return data


def _unpack_one(decoder: Decoder, data: bytes, limit_bytes: int) -> bytes:
    parts, size = [], 0
    try:
        for piece in decoder.feed(data):
            size += len(piece)
            if size > limit_bytes:
                raise fail(ErrorKind.TOO_LARGE, f"the unpacked request body is larger than {limit_bytes} bytes")
            parts.append(piece)
        decoder.finish()
    except GatewayError as exc:
        if exc.fault.kind is ErrorKind.TOO_LARGE:
            raise
        raise fail(ErrorKind.INVALID_REQUEST, exc.fault.message) from exc
    return b"".join(parts)


class Unpacker:
    """Undoes the codings of an upstream answer; one that is not packed passes untouched."""

    __slots__ = ("_decoders",)

    def __init__(self, headers: Headers) -> None:
        """Raises `GatewayError(UPSTREAM_INVALID)` that names a coding this Python cannot undo."""
        packed = headers.get(b"content-encoding")
        names = codings(packed.decode("latin-1")) if packed is not None else []
        try:
            self._decoders = [Decoder(name) for name in reversed(names)]
        except CannotDecode as exc:
            text = f"the provider answered with Content-Encoding {exc}, which cannot be decoded here"
            raise fail(ErrorKind.UPSTREAM_INVALID, text) from None

    @property
    def idle(self) -> bool:
        """Returns whether bytes pass as they are."""
        return not self._decoders

    def feed(self, item: bytes, /) -> Iterator[bytes]:
        """Returns the unpacked pieces of one chunk."""
        if not self._decoders:
            return iter((item,))
        pieces = self._decoders[0].feed(item)
        for decoder in self._decoders[1:]:
            pieces = _chain(decoder, pieces)
        return pieces

    def finish(self) -> Iterator[bytes]:
        """Yields nothing. Raises `GatewayError(UPSTREAM_TRUNCATED)` when packed data broke off."""
        for decoder in self._decoders:
            decoder.finish()
        return iter(())


def _chain(decoder: Decoder, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)
