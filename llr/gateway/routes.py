"""Every path the gateway answers: method, path, what is done, in which format, and who may ask.

Law: one table; a path and method have exactly one row. Paths are compared after one trailing slash is taken off,
case matters, the query does not.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from urllib.parse import unquote

from llr.base.enums import constants
from llr.base.names import FormatId
from llr.base.records import dataclass


@constants
class Access(StrEnum):
    """Who may ask: everybody, or holders of the master key where it is enforced."""

    OPEN = "open"
    KEY = "key"


@constants
class Action(StrEnum):
    """What is done with a request."""

    HEALTH = "health"
    READY = "ready"
    VERSION = "version"
    BANNER = "banner"
    EMPTY = "empty"
    MODELS = "models"
    MODEL = "model"
    GENERATE = "generate"
    UNIFIED = "unified"
    COUNT_TOKENS = "count-tokens"
    NATIVE = "native"
    STORED = "stored"
    EXPLAIN = "explain"


# What asks a model for an answer: it can be translated, and it counts for a model's health.
GENERATIONS = frozenset((Action.GENERATE, Action.UNIFIED))


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one path. `path` is literal, or a template whose `{name}` stands for the rest of the path."""

    method: str
    path: str
    action: Action
    client: FormatId | None
    access: Access = Access.KEY


@dataclass(frozen=True, slots=True)
class Match:
    """A row and what its template caught, percent-decoded."""

    row: Row
    rest: str = ""


_MESSAGES, _CHAT, _RESPONSES = FormatId.MESSAGES, FormatId.CHAT, FormatId.RESPONSES
_COMPLETIONS, _GEMINI = FormatId.COMPLETIONS, FormatId.GEMINI
_NATIVE_PATHS = (
    "embeddings",
    "images/generations",
    "images/edits",
    "images/variations",
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "moderations",
    "rerank",
)
_GEMINI_VERBS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents")
_GEMINI_ROOTS = ("/v1beta", "/v1", "/gemini/v1", "/gemini/v1beta")


def _rows(method: str, action: Action, client: FormatId | None, *paths: str) -> Iterator[Row]:
    return (Row(method, path, action, client) for path in paths)


def _open_rows() -> Iterator[Row]:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
        yield Row(method, "/health", Action.HEALTH, None, Access.OPEN)
    for method in ("GET", "HEAD"):
        yield Row(method, "/api/hello", Action.EMPTY, None, Access.OPEN)
        yield Row(method, "/ready", Action.READY, None, Access.OPEN)
    yield Row("HEAD", "/", Action.EMPTY, None, Access.OPEN)


def _model_rows() -> Iterator[Row]:
    roots: tuple[tuple[str, FormatId | None], ...] = (
        ("/v1", None),
        ("", None),
        ("/openai/v1", _CHAT),
        ("/openai", _CHAT),
        ("/anthropic/v1", _MESSAGES),
        ("/anthropic", _MESSAGES),
        ("/v1beta", _GEMINI),
        ("/gemini/v1", _GEMINI),
        ("/gemini/v1beta", _GEMINI),
    )
    for root, client in roots:
        for method in ("GET", "HEAD"):
            yield Row(method, f"{root}/models", Action.MODELS, client)
            yield Row(method, f"{root}/models/{{id}}", Action.MODEL, client)


def _openai_rows() -> Iterator[Row]:
    for root in ("/v1", "", "/openai/v1", "/openai"):
        yield Row("POST", f"{root}/chat/completions", Action.GENERATE, _CHAT)
        yield Row("POST", f"{root}/completions", Action.GENERATE, _COMPLETIONS)
        yield Row("POST", f"{root}/responses", Action.GENERATE, _RESPONSES)
    yield Row("POST", "/openai", Action.GENERATE, _CHAT)
    for root in ("/v1", "/openai/v1"):
        yield Row("POST", f"{root}/responses/input_tokens", Action.COUNT_TOKENS, _RESPONSES)
        yield Row("POST", f"{root}/responses/compact", Action.NATIVE, _RESPONSES)
        for method in ("GET", "DELETE", "POST"):
            yield Row(method, f"{root}/responses/{{id}}", Action.STORED, _RESPONSES)
        for path in _NATIVE_PATHS:
            yield Row("POST", f"{root}/{path}", Action.NATIVE, _CHAT)
        yield Row("POST", f"{root}/{{path}}", Action.NATIVE, _CHAT)


def _messages_rows() -> Iterator[Row]:
    roots = ("/v1", "", "/anthropic/v1", "/anthropic")
    yield Row("POST", "/anthropic", Action.GENERATE, _MESSAGES)
    for root in roots:
        yield Row("POST", f"{root}/messages", Action.GENERATE, _MESSAGES)
        yield Row("POST", f"{root}/messages/count_tokens", Action.COUNT_TOKENS, _MESSAGES)


_GEMINI_ACTIONS = {
    "countTokens": Action.COUNT_TOKENS,
    "embedContent": Action.NATIVE,
    "batchEmbedContents": Action.NATIVE,
}
TABLE: tuple[Row, ...] = (
    *_open_rows(),
    Row("GET", "/", Action.BANNER, None),
    Row("GET", "/version", Action.VERSION, None),
    *_model_rows(),
    *_messages_rows(),
    *_openai_rows(),
    *_rows("POST", Action.UNIFIED, None, "/", "/v1", "/route", "/router"),
    *(
        Row("POST", f"{root}/models/{{model}}:{verb}", _GEMINI_ACTIONS.get(verb, Action.GENERATE), _GEMINI)
        for root in _GEMINI_ROOTS
        for verb in _GEMINI_VERBS
    ),
    Row("POST", "/llr/explain", Action.EXPLAIN, None),
)
# A template that takes any path says nothing about which paths exist: it makes no 405.
_CATCH_ALL = "{path}"


def _compile(path: str) -> re.Pattern[str]:
    head, _, rest = path.partition("{")
    _, _, tail = rest.partition("}")
    return re.compile(re.escape(head) + "(.+)" + re.escape(tail))


_EXACT: dict[str, dict[str, Match]] = {}
_TEMPLATES: list[tuple[re.Pattern[str], Row]] = []
for _row in TABLE:
    if "{" in _row.path:
        _TEMPLATES.append((_compile(_row.path), _row))
    else:
        _EXACT.setdefault(_row.path, {})[_row.method] = Match(_row)
# The template with the longest literal part is the closest one: ":verb" before "{id}" before "{path}".
_TEMPLATES.sort(key=lambda item: len(item[1].path.replace(_CATCH_ALL, "")), reverse=True)
_MAX_ENCODINGS = 8
_GOOGLE_MODELS = re.compile(r"(?:/gemini)?/v1(?:beta)?/models/.+:[A-Za-z]+")


def normal_path(target: str) -> str:
    """Returns the path of a request target without query and without one trailing slash; "/" stays."""
    path = target.partition("?")[0]
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _climbs(path: str) -> bool:
    """Returns whether a path has segments that lead out of it, or is encoded more often than anyone has a reason to.

    What a template takes becomes part of an upstream address, which is asked with our key. Decoding to the end would
    take one pass for every "25" in "%252525...": seconds, for a stranger's 64 KB.
    """
    for _ in range(_MAX_ENCODINGS):
        if (plain := unquote(path)) == path:
            return not {".", ".."}.isdisjoint(path.replace("\\", "/").split("/"))
        path = plain
    return True


def find(method: str, path: str) -> Match | None:
    """Returns the row of a method and a normal path, None when there is none."""
    exact = _EXACT.get(path)
    if exact is not None and method in exact:
        return exact[method]
    if _climbs(path):
        return None
    for pattern, row in _TEMPLATES:
        if row.method == method and (found := pattern.fullmatch(path)):
            if exact is not None and row.path.endswith(_CATCH_ALL):
                continue
            return Match(row, unquote(found.group(1)))
    return None


def allowed(path: str) -> tuple[str, ...]:
    """Returns the methods that are known for a normal path, () when the path is unknown."""
    methods = dict.fromkeys(_EXACT.get(path, {}))
    for pattern, row in _TEMPLATES:
        if not row.path.endswith(_CATCH_ALL) and pattern.fullmatch(path):
            methods[row.method] = None
    return tuple(methods)


def client_of(path: str, names: Iterable[bytes]) -> FormatId:
    """Returns whose error words a client without a row most likely reads: by path, else by its headers."""
    fields = set(names)
    if path.startswith("/anthropic") or path.endswith(("/messages", "/messages/count_tokens")):
        return _MESSAGES
    if path.startswith(("/gemini", "/v1beta")) or _GOOGLE_MODELS.fullmatch(path):
        return _GEMINI
    if path.startswith("/openai"):
        return _CHAT
    if b"anthropic-version" in fields:
        return _MESSAGES
    return _GEMINI if b"x-goog-api-key" in fields else _CHAT
