"""Model lists and single models, in the shape the asking client's SDK reads."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import JSON
from llr.base.names import FormatId, ProviderFormat
from llr.base.records import dataclass, field, replace
from llr.config.schema import Alias, Config, Model, Provider
from llr.routing.resolve import CLAUDE_PREFIX
from llr.wire.http import Headers

_OWNER = "llm-router"
# Claude Code keeps only ids that begin like this when it looks for models.
_DISCOVERED = ("claude", "anthropic")
_GEMINI_METHODS: tuple[JSON, ...] = ("generateContent", "streamGenerateContent", "countTokens")
_FAMILIES: Mapping[FormatId, ProviderFormat] = {
    FormatId.MESSAGES: ProviderFormat.CLAUDE,
    FormatId.CHAT: ProviderFormat.OPENAI,
    FormatId.GEMINI: ProviderFormat.GEMINI,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: what clients may ask for. `fields` are the reference router's own keys."""

    id: str
    name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    fields: Mapping[str, JSON] = field(default_factory=dict)


def shape_for(client: FormatId | None, headers: Headers) -> FormatId:
    """Returns the list shape: by path where that says it, else by the headers the SDKs send."""
    if client is not None:
        return client
    if headers.get(b"anthropic-version"):
        return FormatId.MESSAGES
    return FormatId.GEMINI if b"x-goog-api-key" in headers else FormatId.CHAT


def listed_models(config: Config, client: FormatId | None, shape: FormatId) -> list[Listed]:
    """Returns aliases, then models in config order; for Messages clients also bare ids that Claude Code would keep."""
    family = _FAMILIES.get(client) if client is not None else None
    rows = [
        _alias_row(alias, config, family)
        for alias in config.aliases.values()
        if alias.targets or alias.fallback_targets
    ]
    for provider in config.providers:
        rows += [_model_row(provider, model, family) for model in provider.models]
    if shape is FormatId.MESSAGES:
        taken = {row.id for row in rows}
        rows += [row for row in _bare_rows(config, family) if row.id not in taken]
    return list({row.id: row for row in rows}.values())


def discovered_models(config: Config, client: FormatId | None) -> list[Listed]:
    """Returns the list as Claude Code reads it: every alias also under a name that it keeps, shown as the alias."""
    rows = listed_models(config, client, FormatId.MESSAGES)
    for row in rows[: len(config.aliases)]:
        if row.id in config.aliases and not row.id.lower().startswith(_DISCOVERED):
            rows.append(replace(row, id=f"{CLAUDE_PREFIX}{row.id}"))
    return rows


def is_claude_code(headers: Headers) -> bool:
    """Returns whether Claude Code itself asks; other clients see every name once."""
    agent = headers.get(b"user-agent") or b""
    return agent.startswith((b"claude-code/", b"claude-cli/"))


def _bare_rows(config: Config, family: ProviderFormat | None) -> Iterator[Listed]:
    for provider in config.providers:
        for model in provider.models:
            if model.id.startswith(_DISCOVERED) and "/" not in model.id:
                row = _model_row(provider, model, family)
                yield Listed(model.id, row.name, row.context_window, row.max_output_tokens, row.fields)


def _names(formats: tuple[ProviderFormat, ...]) -> list[JSON]:
    return list(dict.fromkeys(one.value for one in formats))


def _model_row(provider: Provider, model: Model, family: ProviderFormat | None) -> Listed:
    formats = model.formats or provider.formats
    fields: dict[str, JSON] = {
        "owned_by": provider.id,
        "provider_id": provider.id,
        "provider_name": provider.name,
        "formats": _names(formats),
    }
    if family is not None:
        fields["endpoint_format_supported"] = family in {one.family for one in formats}
    if model.context_window is not None:
        fields["context_window"] = model.context_window
    if model.cost is not None:
        fields["cost"] = model.cost
    fields["model_formats"] = _names(model.formats)
    fields["fallback_models"] = list(model.fallback_models)
    return Listed(
        f"{provider.id}/{model.id}",
        f"{provider.name} {model.id}",
        model.context_window,
        model.max_output_tokens,
        fields,
    )


def _alias_row(alias: Alias, config: Config, family: ProviderFormat | None) -> Listed:
    fields: dict[str, JSON] = {"owned_by": _OWNER, "targets": [target.ref for target in alias.targets]}
    if family is not None:
        fields["endpoint_format_supported"] = True
    windows = [model.context_window for model in _targets(alias, config) if model.context_window]
    outputs = [model.max_output_tokens for model in _targets(alias, config) if model.max_output_tokens]
    if windows:
        fields["context_window"] = min(windows)
    return Listed(alias.id, alias.id, min(windows, default=None), min(outputs, default=None), fields)


def _targets(alias: Alias, config: Config) -> Iterator[Model]:
    refs = {target.ref for target in alias.targets}
    for provider in config.providers:
        yield from (model for model in provider.models if f"{provider.id}/{model.id}" in refs)


def models_answer(rows: list[Listed], shape: FormatId, query: str, created_at: float) -> JSON:
    """Returns the list in a client's shape. Raises `GatewayError(INVALID_REQUEST)` for a page that cannot be."""
    asked = dict(parse_qsl(query))
    if shape is FormatId.MESSAGES:
        return _messages_list(rows, asked, created_at)
    if shape is FormatId.GEMINI:
        return _gemini_list(rows, asked)
    return {"object": "list", "data": [_openai_row(row, created_at) for row in rows]}


def model_answer(row: Listed, shape: FormatId, created_at: float) -> JSON:
    """Returns one model in a client's shape."""
    if shape is FormatId.MESSAGES:
        return _messages_row(row, created_at)
    return _gemini_row(row) if shape is FormatId.GEMINI else _openai_row(row, created_at)


def find_listed(rows: list[Listed], name: str) -> Listed:
    """Returns the row of an id. Raises `GatewayError(MODEL_NOT_FOUND)`."""
    name = name.removeprefix("models/")
    found = next((row for row in rows if row.id == name), None)
    if found is None:
        raise fail(ErrorKind.MODEL_NOT_FOUND, f"model '{name[:120]}' not found", param="model")
    return found


def _openai_row(row: Listed, created_at: float) -> JSON:
    return {"id": row.id, "object": "model", "created": int(created_at), **row.fields}


def _messages_row(row: Listed, created_at: float) -> JSON:
    stamp = datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer: dict[str, JSON] = {"type": "model", "id": row.id, "display_name": row.name, "created_at": stamp}
    if row.context_window:
        answer["max_input_tokens"] = row.context_window
    if row.max_output_tokens:
        answer["max_tokens"] = row.max_output_tokens
    return {**answer, "object": "model", "created": int(created_at), **row.fields}


def _limit(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise fail(ErrorKind.INVALID_REQUEST, f"{name} must be a number from 1 to 1000", param=name)
    return int(text)


def _messages_list(rows: list[Listed], asked: Mapping[str, str], created_at: float) -> JSON:
    limit = _limit(asked.get("limit"), "limit")
    ids = [row.id for row in rows]
    first, last = 0, len(rows)
    for name in ("after_id", "before_id"):
        if name not in asked:
            continue
        if asked[name] not in ids:
            raise fail(ErrorKind.INVALID_REQUEST, f"{name} names no model of this list", param=name)
        if name == "after_id":
            first = ids.index(asked[name]) + 1
        else:
            last = ids.index(asked[name])
    more = limit is not None and last - first > limit
    if more and limit is not None:
        first, last = (
            (last - limit, last) if "before_id" in asked and "after_id" not in asked else (first, first + limit)
        )
    page = rows[first:last]
    return {
        "data": [_messages_row(row, created_at) for row in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": more,
        "object": "list",
    }


def _gemini_row(row: Listed) -> JSON:
    answer: dict[str, JSON] = {
        "name": f"models/{row.id}",
        "baseModelId": row.id,
        "version": "1",
        "displayName": row.name,
        "supportedGenerationMethods": list(_GEMINI_METHODS),
    }
    if row.context_window:
        answer["inputTokenLimit"] = row.context_window
    if row.max_output_tokens:
        answer["outputTokenLimit"] = row.max_output_tokens
    return answer


def _gemini_list(rows: list[Listed], asked: Mapping[str, str]) -> JSON:
    size = _limit(asked.get("pageSize") or asked.get("page_size"), "pageSize")
    token = asked.get("pageToken") or asked.get("page_token") or "0"
    start = int(token) if token.isascii() and token.isdigit() else 0
    page = rows[start : start + size] if size is not None else rows[start:]
    answer: dict[str, JSON] = {"models": [_gemini_row(row) for row in page]}
    if size is not None and start + size < len(rows):
        answer["nextPageToken"] = str(start + size)
    return answer
