"""Signed carriers: a seal of one vendor, kept by a client of another until it comes back.

Law: opening never raises; what is not ours, was changed or is too large reads as no carrier.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from llr.base.jsonio import JSON, InvalidJSON, dumps, loads
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats.base import Meta
from llr.ir.parts import Message, Part, Reasoning, Seal, Text, ToolCall
from llr.ir.request import ChatRequest

PREFIX = "llr1."
# Decoded bytes of the base64 form begin with this, for clients that decode signatures as base64 themselves.
_MAGIC = b"\x8cllr1\x00"
BASE64_SIGN = base64.b64encode(_MAGIC[:6]).decode()
_MAC_BYTES = 16
LIMIT_BYTES = 256 * 1024
# Where a client's format has no place for a call's own seal, a carrier of reasoning holds it under these names.
CALL, SEAL = "call", "seal"
# Thoughts that a client did not ask to see ride on the call they led to: text, seal data, and whether they came first.
THOUGHTS = "thoughts"
_LETTERS = {
    FormatId.MESSAGES: "A",
    FormatId.CHAT: "C",
    FormatId.COMPLETIONS: "L",
    FormatId.RESPONSES: "R",
    FormatId.GEMINI: "G",
}
_FORMATS = {letter: format_id for format_id, letter in _LETTERS.items()}


def _payload(seal: Seal) -> bytes:
    return dumps({"f": _LETTERS[seal.format], "p": seal.provider, "m": seal.model, "d": seal.data})


def _mac(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, sha256)[:_MAC_BYTES]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def pack(seal: Seal, key: bytes) -> str:
    """Returns `seal` as carrier text `llr1.<payload>.<mac>`, "" when it is larger than a carrier may be."""
    payload = _payload(seal)
    if len(payload) > LIMIT_BYTES:
        return ""
    return f"{PREFIX}{_b64(payload)}.{_b64(_mac(payload, key))}"


def pack_base64(seal: Seal, key: bytes) -> str:
    """Returns `seal` as plain standard base64, for clients that decode signatures; "" when it is too large."""
    payload = _payload(seal)
    if len(payload) > LIMIT_BYTES:
        return ""
    return base64.b64encode(_MAGIC + _mac(payload, key) + payload).decode()


def is_carrier(text: str) -> bool:
    """Returns whether `text` has the shape of a carrier in either form, whoever signed it."""
    return text.startswith(PREFIX) or text.replace("-", "+").replace("_", "/").startswith(BASE64_SIGN)


def _split(text: str) -> tuple[bytes, bytes] | None:
    if text.startswith(PREFIX):
        body, _, mac = text[len(PREFIX) :].partition(".")
        payload, signed = _unb64(body), _unb64(mac)
        return (payload, signed) if payload is not None and signed is not None else None
    raw = _unb64(text.replace("+", "-").replace("/", "_").rstrip("="))
    if raw is None or not raw.startswith(_MAGIC):
        return None
    start = len(_MAGIC)
    return raw[start + _MAC_BYTES :], raw[start : start + _MAC_BYTES]


def unpack(text: str, keys: Iterable[bytes]) -> Seal | None:
    """Returns the seal in a carrier that one of `keys` signed, None for anything else."""
    if len(text) > 2 * LIMIT_BYTES or not is_carrier(text):
        return None
    split = _split(text)
    if split is None:
        return None
    payload, signed = split
    if not any(hmac.compare_digest(signed, _mac(payload, key)) for key in keys):
        return None
    try:
        fields: Any = loads(payload)
        return Seal(_FORMATS[fields["f"]], fields["d"], fields["p"], fields["m"])
    except (InvalidJSON, KeyError, TypeError):
        return None


def text_hash(text: str) -> str:
    """Returns a short hash that ties a carrier to the text it belongs to."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def outgoing(seal: Seal | None, own: FormatId, meta: Meta, text: str) -> Seal:
    """Returns the seal a client of format `own` is to keep for a part: the vendor's own, or one to be packed.

    A part without a seal gets one that says who wrote it, so that its text can go back to that vendor.
    """
    if seal is not None and seal.format is own and not seal.provider:
        return seal
    if seal is None:
        seal = Seal(meta.upstream, {"h": text_hash(text)})
    return replace(seal, provider=seal.provider or meta.issuer, model=seal.model or meta.upstream_model)


def worded(seal: Seal | None, own: FormatId, meta: Meta, text: str = "") -> str:
    """Returns what a text-signature client gets for a part's seal: the vendor's own signature or a carrier.

    "" when there is nothing to give: no key to sign with, or a seal larger than a carrier may be.
    """
    out = outgoing(seal, own, meta, text)
    if out.format is own and not out.provider and isinstance(out.data, str):
        return out.data
    return pack(out, meta.key) if meta.key else ""


def with_thoughts(part: ToolCall, thoughts: Iterable[tuple[Reasoning, bool]], own: FormatId, meta: Meta) -> Seal:
    """Returns the seal of a call that also holds the thoughts before it; each says whether it came before all else."""
    held: list[JSON] = []
    for thought, first in thoughts:
        text = thought.text or "\n\n".join(thought.summary)
        held.append([text, outgoing(thought.seal, own, meta, text).data, first])
    data: dict[str, JSON] = {THOUGHTS: held, SEAL: part.seal.data if part.seal is not None else None}
    return outgoing(Seal(meta.upstream, data), own, meta, "")


def _opened(seal: Seal | None, keys: tuple[bytes, ...]) -> Seal | None:
    if seal is None or not isinstance(seal.data, str) or not is_carrier(seal.data):
        return seal
    return unpack(seal.data, keys)


def _open_part(part: Part, keys: tuple[bytes, ...]) -> Part:
    if not isinstance(part, Reasoning | ToolCall) or part.seal is None:
        return part
    seal = _opened(part.seal, keys)
    if seal is part.seal:
        return part
    return replace(part, seal=seal)


def _reunited(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Returns the parts with seals that were kept beside their calls put back on them."""
    kept: dict[str, Seal] = {}
    rest: list[Part] = []
    for part in parts:
        data = part.seal.data if isinstance(part, Reasoning) and part.seal is not None else None
        if isinstance(part, Reasoning) and part.seal is not None and isinstance(data, dict) and SEAL in data:
            kept[str(data.get(CALL))] = replace(part.seal, data=data[SEAL])
        else:
            rest.append(part)
    if not kept:
        return parts
    return tuple(replace(p, seal=kept[p.id]) if isinstance(p, ToolCall) and p.id in kept else p for p in rest)


def _rethought(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Returns the parts with the thoughts that rode on calls in their own places again."""
    out: list[Part] = []
    start = 0
    for part in parts:
        seal = part.seal if isinstance(part, ToolCall) else None
        data: Any = seal.data if seal is not None else None
        if seal is None or not isinstance(part, ToolCall) or not isinstance(data, dict) or THOUGHTS not in data:
            out.append(part)
        else:
            for text, held, first in data[THOUGHTS]:
                place = start if first else len(out)
                thought = Reasoning(text, (), replace(seal, data=held), not text, at=part.at)
                out.insert(place, thought)
                start += first
            out.append(replace(part, seal=replace(seal, data=data[SEAL]) if data[SEAL] is not None else None))
        if isinstance(part, ToolCall):
            start = len(out)
    return tuple(out)


def open_request(request: ChatRequest, keys: tuple[bytes, ...]) -> ChatRequest:
    """Returns `request` with every carrier replaced by the seal in it, and forged or unreadable ones by none."""
    changed = False
    messages: list[Message] = []
    for message in request.messages:
        for part in message.parts:
            if part.__class__ is not Text:
                break
        else:
            # Nearly all messages of long histories: nothing in them can hold a carrier.
            messages.append(message)
            continue
        parts = tuple(_open_part(part, keys) for part in message.parts)
        if any(new is not old for new, old in zip(parts, message.parts, strict=True)):
            message, changed = replace(message, parts=_rethought(_reunited(parts))), True
        messages.append(message)
    return replace(request, messages=tuple(messages)) if changed else request


def fits(seal: Seal | None, own: FormatId, issuer: str) -> bool:
    """Returns whether a target of format `own` and this issuer can read `seal`.

    A seal without a provider came from the client as that vendor's own.
    """
    if seal is None or seal.format is not own:
        return False
    return not seal.provider or not issuer or seal.provider == issuer
