"""What an answer looks like: which format it speaks, whether it takes the key, which models it lists."""

import re
from collections.abc import Iterator, Mapping

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.base.records import dataclass

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or why there was none: `status` 0 and `error` when the transport failed. `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    json: JSON = None
    error: str = ""
    latency_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Returns whether the status says success."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """Returns the body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        """Returns where a redirect points, "" for none; redirects are never followed."""
        return self.headers.get("location", "") if 300 <= self.status < 400 else ""


def table(value: JSON) -> Mapping[str, JSON]:
    """Returns an object, the only one of a list of one (Google's OpenAI dialect wraps errors so), else nothing."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}


def message_of(reply: Reply) -> str:
    """Returns what an answer says went wrong, the raw body where it has no such field."""
    body = table(reply.json)
    error = body.get("error")
    if isinstance(error, str) and error:
        return error
    inner = error.get("message") if isinstance(error, dict) else None
    for text in (inner, body.get("message")):
        if isinstance(text, str) and text:
            return text
    return reply.text.strip()


def _google_error(body: Mapping[str, JSON]) -> bool:
    """Returns whether an error is a google.rpc.Status: a number and a name in capitals."""
    error = body.get("error")
    if not isinstance(error, dict) or isinstance(error.get("code"), bool):
        return False
    status = error.get("status")
    return isinstance(error.get("code"), int) and isinstance(status, str) and bool(re.fullmatch(r"[A-Z_]+", status))


def looks(target: ProviderFormat, value: JSON) -> bool:
    """Returns whether a body, an answer or an error, is in a format."""
    body = table(value)
    error = body.get("error")
    if target is CLAUDE:
        return body.get("type") == "message" or (body.get("type") == "error" and bool(error))
    if target is GEMINI:
        return generated(GEMINI, value) or _gemini_list(body) or _google_error(body)
    if generated(OPENAI, value) or (body.get("object") == "list" and isinstance(body.get("data"), list)):
        return True
    if body.get("type") == "error" and isinstance(error, dict):
        return False
    says = isinstance(error, str) or (isinstance(error, dict) and isinstance(error.get("message"), str))
    return says and not _google_error(body)


def generated(target: ProviderFormat, value: JSON) -> bool:
    """Returns whether a body is an answer of a model, not an error, in a format."""
    body = table(value)
    if target is CLAUDE:
        return body.get("type") == "message"
    if target is GEMINI:
        return isinstance(body.get("candidates"), list) or isinstance(body.get("promptFeedback"), dict)
    return isinstance(body.get("choices"), list)


def _gemini_list(body: Mapping[str, JSON]) -> bool:
    listed = body.get("models")
    first = listed[0] if isinstance(listed, list) and listed else None
    return isinstance(first, dict) and str(first.get("name", "")).startswith("models/")


def lists(target: ProviderFormat, value: JSON) -> bool:
    """Returns whether a body is a model list in a format."""
    body = table(value)
    if target is GEMINI:
        return _gemini_list(body)
    data = body.get("data")
    if not isinstance(data, list):
        return False
    if target is CLAUDE:
        return bool(data) and all(isinstance(one, dict) and one.get("type") == "model" for one in data)
    return body.get("object") == "list"


_WRONG_KEY = ("invalid", "missing", "not valid")
_REFUSED = ("unauthorized", "forbidden", "authentication")
_ABOUT_THE_REQUEST = ("model", "messages", "max_tokens", "invalid request")


def takes_key(reply: Reply) -> bool:
    """Returns whether an answer shows that the key was accepted, be it for a request that makes no sense."""
    if reply.ok:
        return True
    refused = reply.status in (401, 403)
    message = message_of(reply).lower()
    if not message:
        return 400 <= reply.status < 500 and not refused
    if "api key" in message and any(word in message for word in _WRONG_KEY):
        return False
    if any(word in message for word in _REFUSED):
        return False
    if any(word in message for word in _ABOUT_THE_REQUEST):
        return True
    return not refused


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of a list, with what the list tells besides: tokens, US dollars per million, input kinds, epoch s."""

    id: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    modalities: tuple[str, ...] = ()
    created_at: int | None = None

    def facts(self) -> dict[str, JSON]:
        """Returns what is known, in the spelling of reports."""
        price: JSON = {"input": self.input_price, "output": self.output_price} if self.input_price is not None else None
        found: dict[str, JSON] = {
            "contextWindow": self.context_window,
            "maxOutputTokens": self.max_output_tokens,
            "price": price,
            "modalities": list(self.modalities),
            "created": self.created_at,
        }
        return {name: value for name, value in found.items() if value}


def listed_models(value: JSON) -> list[ListedModel]:
    """Returns the models of a list in its order, each id once; `models/` before an id is taken off."""
    body = table(value)
    entries = body.get("data") if isinstance(body.get("data"), list) else body.get("models")
    found: dict[str, ListedModel] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and (own := _id(entry)):
            found.setdefault(own, _listed(own, entry))
    return list(found.values())


def _id(entry: Mapping[str, JSON]) -> str:
    for key in ("id", "name"):
        text = entry.get(key)
        if isinstance(text, str) and text.strip():
            return text.strip().removeprefix("models/")
    return ""


def _listed(own: str, entry: Mapping[str, JSON]) -> ListedModel:
    pricing, top, architecture = (entry.get(key) for key in ("pricing", "top_provider", "architecture"))
    prices, limits = table(pricing), table(top)
    windows = ("context_length", "context_window", "max_model_len", "inputTokenLimit", "max_input_tokens")
    outputs = ("max_completion_tokens", "outputTokenLimit", "max_output_tokens", "max_output_length")
    kinds = table(architecture).get("input_modalities") or entry.get("input_modalities")
    return ListedModel(
        own,
        next(_whole(entry, windows), None),
        next(_whole(limits, outputs), None) or next(_whole(entry, outputs), None),
        _million(prices.get("prompt")),
        _million(prices.get("completion")),
        tuple(map(str, kinds)) if isinstance(kinds, list) else (),
        next(_whole(entry, ("created",)), None),
    )


def _whole(entry: Mapping[str, JSON], names: tuple[str, ...]) -> Iterator[int]:
    for name in names:
        value = entry.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 1e12:
            yield int(value)


def _million(value: JSON) -> float | None:
    try:
        found = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        return None
    return round(found * 1_000_000, 6) if 0 <= found < 1 else None


def next_page(value: JSON) -> tuple[str, str] | None:
    """Returns the query parameter that asks for the rest of a list, None when it is complete."""
    body = table(value)
    last, token = body.get("last_id"), body.get("nextPageToken")
    if body.get("has_more") is True and isinstance(last, str) and last:
        return "after_id", last
    return ("pageToken", token) if isinstance(token, str) and token else None
