"""TLS over a stream, with memory buffers that hold no more than what is under way.

asyncio's own TLS keeps a zeroed 256 KiB buffer per connection, which is a quarter of a gigabyte at 1,000 streams, and
its size can only be changed through private names. It also runs over a stream that is TLS already (an https proxy).
"""

import contextlib
import ssl

from llr.net.stream import Stream

# One TLS record carries at most 16 KiB.
_RECORD_BYTES = 16 * 1024


class TLSStream:
    """A client's TLS connection. `handshake` comes first."""

    __slots__ = ("_below", "_ended", "_error", "_in", "_out", "_plain", "_tls")

    def __init__(self, below: Stream, context: ssl.SSLContext, server_name: str) -> None:
        self._below = below
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=server_name)
        self._plain = b""
        self._ended = False
        self._error: BaseException | None = None

    async def handshake(self) -> None:
        """Returns when the connection is secure. Raises `ssl.SSLError` or OSError."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                self._flush()  # the alert that tells the peer why
                raise
            raw = await self._below.read()
            if not raw:
                raise ConnectionResetError("closed during the TLS handshake")
            self._in.write(raw)
        self._flush()

    def peer_certificate(self) -> bytes:
        """Returns the DER bytes of the peer's certificate, b"" before the handshake."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def full(self) -> bool:
        """Tells whether a writer should drain before it goes on."""
        return self._below.full

    def peek(self) -> bytes:
        """Returns what has arrived and was not read, decrypted."""
        self._pump(self._below.take())
        return self._plain

    def take(self) -> bytes:
        """Returns what has arrived, decrypted, without waiting."""
        data = self.peek()
        self._plain = b""
        return data

    async def read(self) -> bytes:
        """Returns what has arrived, decrypted, or b"" after the peer's close_notify.

        Raises `ssl.SSLError` when the stream is broken or ends without close_notify, else OSError.
        """
        while not self._plain and not self._ended and self._error is None:
            raw = await self._below.read()
            if not raw:
                self._in.write_eof()
            self._pump(raw, ended=not raw)
        data = self._plain
        self._plain = b""
        if not data and self._error is not None:
            raise self._error
        return data

    def unread(self, data: bytes) -> None:
        """Puts `data` back in front."""
        self._plain = data + self._plain

    def write(self, data: "bytes | memoryview") -> None:
        """Encrypts and queues `data`; on a broken connection it is dropped."""
        if self._error is not None or not len(data):
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as exc:
            self._error = exc
            return
        self._flush()

    async def drain(self) -> None:
        """Returns when more may be written. Raises OSError."""
        await self._below.drain()

    def is_dead(self) -> bool:
        """Tells whether an idle connection has ended or holds data; a session ticket is neither."""
        return bool(self.peek()) or self._ended or self._error is not None or self._below.is_dead()

    def is_closing(self) -> bool:
        """Tells whether the connection is over or about to be."""
        return self._below.is_closing()

    def interrupt(self, error: BaseException) -> None:
        """Makes the pending or next `read` raise `error`."""
        self._below.interrupt(error)

    def abort(self) -> None:
        """Ends the connection now."""
        self._below.abort()

    def close(self) -> None:
        """Says close_notify and ends the connection."""
        if self._error is None:
            with contextlib.suppress(ssl.SSLError):  # the peer's own close_notify is not waited for
                self._tls.unwrap()
            self._flush()
        self._below.close()

    def _flush(self) -> None:
        if self._out.pending:
            self._below.write(self._out.read())

    def _pump(self, raw: bytes, *, ended: bool = False) -> None:
        if raw:
            self._in.write(raw)
        elif not ended:
            return
        tls, parts = self._tls, [self._plain] if self._plain else []
        try:
            while True:
                data = tls.read(_RECORD_BYTES)
                if not data:
                    self._ended = True
                    break
                parts.append(data)
                if not self._in.pending and not tls.pending() and not ended:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as exc:
            self._error = exc
        self._flush()
        self._plain = parts[0] if len(parts) == 1 else b"".join(parts)
