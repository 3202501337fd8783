"""Gemini's model list, a model's row, and the answer of `countTokens`."""

from collections.abc import Iterable, Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.formats import reading
from llr.formats.gemini.request_in import decode_request
from llr.ir.request import ChatRequest

_METHODS: list[JSON] = ["generateContent", "streamGenerateContent", "countTokens"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model as a Gemini client sees it; limits in tokens, None when unknown."""

    id: str
    display_name: str = ""
    description: str = ""
    input_limit: int | None = None
    output_limit: int | None = None
    thinking: bool | None = None


def model(row: ModelRow) -> dict[str, JSON]:
    """Returns the object of `models/<id>`."""
    out: dict[str, JSON] = {
        "name": f"models/{row.id}",
        "baseModelId": row.id,
        "version": "001",
        "displayName": row.display_name or row.id,
        "description": row.description or row.id,
    }
    if row.input_limit is not None:
        out["inputTokenLimit"] = row.input_limit
    if row.output_limit is not None:
        out["outputTokenLimit"] = row.output_limit
    if row.thinking is not None:
        out["thinking"] = row.thinking
    out["supportedGenerationMethods"] = list(_METHODS)
    return out


def models(rows: Iterable[ModelRow]) -> dict[str, JSON]:
    """Returns the object of `models`."""
    return {"models": [model(row) for row in rows]}


def count_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request a `countTokens` body asks about: bare contents or a whole `generateContentRequest`."""
    inner = body.get("generateContentRequest") or body.get("generate_content_request")
    return decode_request({**reading.table(inner), "model": body.get("model")} if inner else body)


def counted(tokens: int, cached: int | None = None) -> dict[str, JSON]:
    """Returns the answer of `countTokens`."""
    out: dict[str, JSON] = {"totalTokens": tokens}
    if cached:
        out["cachedContentTokenCount"] = cached
    out["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens}]
    return out


def read_count(body: Mapping[str, JSON]) -> int | None:
    """Returns the tokens an upstream counted, None when it did not say."""
    return reading.count(body.get("totalTokens"))
