"""Thought signatures for Gemini clients: the vendor's own, or a carrier in the base64 form their SDK can decode."""

from llr.formats.base import Meta
from llr.formats.carrier import outgoing, pack_base64
from llr.formats.gemini.parts_in import OWN
from llr.ir.parts import Seal


def signature(seal: Seal | None, meta: Meta, text: str = "") -> str:
    """Returns the `thoughtSignature` a client keeps for a part, "" when there is none or it is too large."""
    if seal is None and meta.upstream is OWN:
        return ""
    out = outgoing(seal, OWN, meta, text)
    if out.format is OWN and not out.provider and isinstance(out.data, str):
        return out.data
    return pack_base64(out, meta.key)
