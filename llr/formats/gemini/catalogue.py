"""What a `countTokens` body asks about.

Source: the vendor's REST reference: bare `contents`, or a whole `generateContentRequest`.
"""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.gemini.request_in import decode_request
from llr.ir.request import ChatRequest


def count_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request a `countTokens` body asks about."""
    inner = body.get("generateContentRequest") or body.get("generate_content_request")
    return decode_request({**reading.table(inner), "model": body.get("model")} if inner else body)
