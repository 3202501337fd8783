"""From an HTTP request to a `Call`: the body read under its cap, unpacked, checked, and understood as far as needed."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, InvalidJSON
from llr.base.names import TRUE_WORDS, FormatId
from llr.base.records import replace
from llr.gateway.access import QUERY_KEYS, from_this_machine, owner_of
from llr.gateway.call import Call, Payload
from llr.gateway.deps import Deps, Live
from llr.gateway.detect import detect
from llr.gateway.routes import GENERATIONS, Action, Match
from llr.providers.urls import GEMINI_STREAM, GENERATION, Endpoint
from llr.providers.urls import Call as Asked
from llr.routing.affinity import Clues, session_of
from llr.routing.plan import Need, required_tokens
from llr.routing.route import Route
from llr.wire.coding import unpack
from llr.wire.http import Headers, Request
from llr.wire.multipart import Form
from llr.wire.splice import Document

NO_FALLBACK = b"x-llm-router-no-fallback"
DEBUG = b"x-llm-router-debug"
SIZE_KNOB = "LLM_ROUTER_MAX_REQUEST_BODY_BYTES"
_OUTPUT_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
_ROOTS = ("/openai/v1/", "/v1/")
# How coding tools name themselves in their User-Agent.
_TOOLS = (
    ("codex", "codex"),
    ("claude-cli", "claude-code"),
    ("opencode", "opencode"),
    ("amp", "amp"),
    ("factory", "factory-droid"),
)


async def read_call(match: Match, request: Request, live: Live, deps: Deps, call_id: str) -> Call:
    """Returns the call a request makes.

    Raises `GatewayError`: UNSUPPORTED_MEDIA, TOO_LARGE, INVALID_REQUEST (no JSON object, no form, broken coding).
    """
    started_at = deps.clock.now()
    headers = request.headers
    bodyless = request.method in ("GET", "DELETE", "HEAD")
    payload = Payload() if bodyless else await _payload(match, request, live.settings.max_body_bytes)
    query = request.target.partition("?")[2]
    action, client = match.row.action, match.row.client
    if client is None:
        client = detect(headers, payload.value)
    call = Call(
        id=call_id,
        action=action,
        client=client,
        endpoint=GENERATION[client],
        headers=headers,
        payload=payload,
        model=_model(payload),
        started_at=started_at,
        method=request.method,
        stream=action in GENERATIONS and _stream(payload, client),
        choices=_choices(payload.value, client),
        tool=tool_of(headers),
        owner=owner_of(headers, query) if client is FormatId.RESPONSES else "",
        no_fallback=_switched_on(headers, NO_FALLBACK),
        debug=_switched_on(headers, DEBUG) and from_this_machine(request.peer),
        tool_types=_tool_types(payload.value) if "tools" in payload.value else (),
    )
    if client is FormatId.GEMINI:
        return _gemini(call, match, query) if match.rest else _unified_gemini(call)
    if action is Action.NATIVE or action is Action.STORED:
        path = _rest_of(request.target)
        return replace(call, endpoint=Endpoint(Asked.PATH, path, own_query(query)))
    return call


def _switched_on(headers: Headers, name: bytes) -> bool:
    return name in headers and headers.text(name).strip().lower() in TRUE_WORDS


async def _payload(match: Match, request: Request, limit_bytes: int) -> Payload:
    content_type = request.headers.get(b"content-type") or b""
    kind = media_type(content_type)
    form = kind == "multipart/form-data" and match.row.action is Action.NATIVE
    if not form and not _is_json(kind):
        raise fail(ErrorKind.UNSUPPORTED_MEDIA, "Unsupported Media Type. Use application/json.")
    try:
        data = await request.body.read(limit_bytes)
        if b"content-encoding" in request.headers:
            data = unpack(data, request.headers.text(b"content-encoding"), limit_bytes)
    except GatewayError as exc:
        if exc.fault.kind is not ErrorKind.TOO_LARGE:
            raise
        text = f"Request body too large: the limit is {limit_bytes} bytes unpacked; {SIZE_KNOB} sets it"
        raise fail(ErrorKind.TOO_LARGE, text) from exc
    if form:
        return Payload(form=Form(data, content_type.decode("latin-1")), content_type=content_type)
    try:
        return Payload(document=Document(data))
    except InvalidJSON as exc:
        raise fail(ErrorKind.INVALID_REQUEST, f"Invalid JSON: {exc}") from exc


# Clients of one kind send the same few values with every request.
@lru_cache(maxsize=256)
def media_type(value: bytes) -> str:
    """Returns the media type of a Content-Type value, lower-case, without parameters."""
    return value.decode("latin-1").partition(";")[0].strip().lower()


def _is_json(kind: str) -> bool:
    return kind == "application/json" or not kind or "application/json" in kind or "+json" in kind


def _model(payload: Payload) -> str:
    if payload.form is not None:
        return payload.form.text("model")
    model = payload.value.get("model")
    return model if isinstance(model, str) else ""


def _stream(payload: Payload, client: FormatId) -> bool:
    if payload.form is not None:
        return payload.form.text("stream").strip().lower() == "true"
    flag = payload.value.get("stream")
    return flag is True if client is FormatId.MESSAGES else bool(flag)


def _choices(body: Mapping[str, JSON], client: FormatId) -> int:
    count = body.get("n")
    if client is FormatId.GEMINI:
        options = body.get("generationConfig") or body.get("generation_config")
        options = options if isinstance(options, dict) else {}
        count = options.get("candidateCount") or options.get("candidate_count")
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= 128 else 1


def _tool_types(body: Mapping[str, JSON]) -> tuple[str, ...]:
    """Returns the types of tools a vendor runs itself, each once."""
    tools = body.get("tools")
    found = [tool.get("type") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return tuple(dict.fromkeys(kind for kind in found if isinstance(kind, str) and kind != "function"))


def _gemini(call: Call, match: Match, query: str) -> Call:
    """A Gemini client names its model in the path, and whether it wants a stream in the verb."""
    verb = match.row.path.rpartition(":")[2]
    call = replace(call, model=match.rest, model_in_body=False, stream=verb == "streamGenerateContent")
    if match.row.action is Action.NATIVE:
        return replace(call, endpoint=Endpoint(Asked.PATH, f"models/{{model}}:{verb}", own_query(query)))
    if not call.stream:
        return call
    # The upstream is asked for events in any case; the array is made of them on the way out.
    return replace(call, gemini_array=("alt", "sse") not in parse_qsl(query), endpoint=GEMINI_STREAM)


def _unified_gemini(call: Call) -> Call:
    """A Gemini body on a unified endpoint names model and stream itself; its provider wants both in the path."""
    return replace(call, model_in_body=False, endpoint=GEMINI_STREAM if call.stream else call.endpoint)


def _rest_of(target: str) -> str:
    path = target.partition("?")[0].rstrip("/")
    return next((path[len(root) :] for root in _ROOTS if path.startswith(root)), path.lstrip("/"))


def own_query(query: str) -> str:
    """Returns a client's query without credentials: those are for us."""
    if not query:
        return ""
    return urlencode(
        [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in QUERY_KEYS]
    )


def tool_of(headers: Headers) -> str:
    """Returns which coding tool a request comes from, "" for none that is known."""
    return _tool(headers.get(b"originator") or b"", headers.get(b"user-agent") or b"")


@lru_cache(maxsize=256)
def _tool(originator: bytes, agent: bytes) -> str:
    if originator.lower().startswith(b"codex"):
        return "codex"
    name = agent.decode("latin-1").lower()
    return next((tool for start, tool in _TOOLS if name.startswith(start)), "")


def need_of(call: Call, route: Route, *, full: bool = False) -> Need:
    """Returns what planning must know of a request; nothing is computed that the route does not ask for.

    `full` estimates the tokens in any case, for a report's sake.
    """
    body = call.payload.value
    tokens = required_tokens(call.payload.size, _output_limit(body)) if full or route.needs_estimate else 0
    session = None
    if route.affinity != "off" and len(route.tryable) > 1:
        session = session_of(_texts(call.headers), _clues(body, opening=route.affinity == "cache"), mode=route.affinity)
    return Need(tokens, session)


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.raw}


def _output_limit(body: Mapping[str, JSON]) -> int | None:
    limits = [value for name in _OUTPUT_LIMITS if isinstance(value := body.get(name), int) and value > 0]
    return max(limits, default=None)


def _clues(body: Mapping[str, JSON], *, opening: bool) -> Clues:
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    key = body.get("prompt_cache_key")
    return Clues(
        key if isinstance(key, str) else None,
        user if isinstance(user, str) else None,
        _opening(body) if opening else None,
    )


def _opening(body: Mapping[str, JSON]) -> str | None:
    """Returns the first user message's text: what stays the same in every turn of one conversation."""
    for name in ("messages", "input", "contents"):
        listed = body.get(name)
        if isinstance(listed, str):
            return listed
        for message in listed if isinstance(listed, list) else ():
            if isinstance(message, dict) and message.get("role") == "user":
                return _text(message.get("content") or message.get("parts"))
    prompt = body.get("prompt")
    return prompt if isinstance(prompt, str) else None


def _text(content: JSON) -> str | None:
    if isinstance(content, str):
        return content or None
    texts = [item.get("text") for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    return "\n".join(text for text in texts if isinstance(text, str)) or None
