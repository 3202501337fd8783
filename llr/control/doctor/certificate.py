"""Who a certificate is for and who issued it, read from its DER bytes.

The standard library decodes only certificates that it trusts, and the doctor asks about the others. Law: pure and
total; bytes that are no certificate give None. Structure: RFC 5280 §4.1, encoding: X.690.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from llr.base.records import dataclass

_SEQUENCE, _SET, _OID, _UTC, _GENERALIZED, _VERSION = 0x30, 0x31, 0x06, 0x17, 0x18, 0xA0
# RFC 5280 appendix A.1, id-at.
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says; instants are epoch seconds."""

    subject: str
    issuer: str
    not_before_at: float
    not_after_at: float


def read_certificate(der: bytes) -> Certificate | None:
    """Returns what the certificate says, None for bytes that are none."""
    try:
        (_, whole), *_ = _items(der)
        (_, body), *_ = _items(whole)
        fields = [item for item in _items(body) if item[0] != _VERSION]
        _serial, _algorithm, (_, issuer), (_, validity), (_, subject), *_ = fields
        (start_tag, start), (end_tag, end) = _items(validity)
        return Certificate(_name(subject), _name(issuer), _instant(start_tag, start), _instant(end_tag, end))
    except (ValueError, IndexError):
        return None


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields (tag, content) of each value in a row. Raises ValueError on a cut one."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut short")
        yield tag, data[at : at + length]
        at += length


def _name(data: bytes) -> str:
    """Returns a name as "CN=…, O=…": common name, organisation and unit, as far as they are there."""
    found: dict[str, str] = {}
    for _, group in _items(data):
        for _, pair in _items(group):
            (_, kind), (_, text) = _items(pair)
            if kind in _NAMES:
                found.setdefault(_NAMES[kind], text.decode("utf-8", "replace"))
    shown = ", ".join(f"{key}={found[key]}" for key in ("CN", "O", "OU") if key in found)
    # It comes from a stranger and goes to a terminal.
    return "".join(mark for mark in shown if mark.isprintable()) or "(no name)"


def _instant(tag: int, text: bytes) -> float:
    stamp = text.decode("ascii").removesuffix("Z")
    if tag == _UTC:  # RFC 5280 §4.1.2.5.1: two digits, 50 and above are of the last century
        stamp = ("19" if int(stamp[:2]) >= 50 else "20") + stamp
    return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
