"""Where a probe asks: the model list and the generating call of a base URL, per format."""

import re
from collections.abc import Mapping

from llr.base.names import ProviderFormat
from llr.providers.urls import VERSIONED_PATH, VERSIONED_ROOT

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI

# Google's OpenAI dialect lives at `/v1beta/openai`: a version, then one word.
_VERSION_WORD = re.compile(r"/v\d+[a-z]*/(?!chat)[\w-]+$", re.IGNORECASE)
_GEMINI_VERSION = re.compile(r"/v\d+[a-z]*$", re.IGNORECASE)


def _split(base: str) -> tuple[str, str]:
    """Returns the base URL trimmed, without slashes at its end and fragment, and its query with its "?"."""
    path, mark, query = base.strip().partition("#")[0].partition("?")
    return path.rstrip("/"), mark + query


def models_url(base: str, target: ProviderFormat) -> str:
    """Returns the address of the model list, "" for an empty base URL."""
    path, query = _split(base)
    if not path:
        return ""
    if target is OPENAI:
        if path.endswith("/chat/completions"):
            return path.removesuffix("/chat/completions") + "/models" + query
        found = VERSIONED_ROOT.search(path) or _VERSION_WORD.search(path)
        return f"{path}/models{query}" if found else f"{path}/v1/models{query}"
    if target is GEMINI:
        return f"{_gemini_root(path)}/models{query}"
    if path.endswith("/messages"):
        path = path.removesuffix("/messages")
    return f"{path}/models{query}" if VERSIONED_ROOT.search(path) else f"{path}/v1/models{query}"


def generate_url(base: str, target: ProviderFormat, model: str = "") -> str:
    """Returns the address of the generating call, "" for an empty base URL. `model` is part of it for Gemini only."""
    path, query = _split(base)
    if not path:
        return ""
    if target is OPENAI:
        if path.endswith("/chat/completions"):
            return path + query
        versioned = VERSIONED_PATH.search(path)
        return f"{path}/chat/completions{query}" if versioned else f"{path}/v1/chat/completions{query}"
    if target is GEMINI:
        return f"{_gemini_root(path)}/models/{model.removeprefix('models/')}:generateContent{query}"
    if path.endswith("/messages"):
        return path + query
    return f"{path}/messages{query}" if VERSIONED_ROOT.search(path) else f"{path}/v1/messages{query}"


def responses_url(base: str) -> str:
    """Returns the address of the Responses call."""
    chat = generate_url(base, OPENAI)
    path, mark, query = chat.partition("?")
    return path.removesuffix("/chat/completions") + "/responses" + mark + query


def _gemini_root(path: str) -> str:
    path = re.sub(r"/models(?:/[^/]+:\w+)?$", "", path)
    return path if _GEMINI_VERSION.search(path) else f"{path}/v1beta"


def _path(base: str) -> str:
    path = re.sub(r"^[a-z]+://[^/]*", "", _split(base)[0], flags=re.IGNORECASE)
    return path.lower()


def may_be_gemini(base: str) -> bool:
    """Returns whether an address looks like Google's own API: the host, or `/v1beta` at its end."""
    host = re.sub(r"^[a-z]+://", "", base.strip().lower()).partition("/")[0]
    path = _path(base)
    return "/openai" not in path and (host.endswith("googleapis.com") or path.endswith("/v1beta") or "/gemini" in path)


_HINTS: Mapping[ProviderFormat, tuple[str, ...]] = {
    OPENAI: ("openai",),
    CLAUDE: ("anthropic", "claude"),
    GEMINI: ("gemini",),
}


def preference(base: str, target: ProviderFormat) -> int:
    """Returns how well an address suits a format by its looks alone, 0 to 100."""
    path = _path(base)
    segments = set(path.split("/"))
    if segments & set(_HINTS[target]) or (target is GEMINI and may_be_gemini(base)):
        return 100
    others = {word for name, words in _HINTS.items() if name is not target for word in words}
    if target is GEMINI or segments & others:
        return 0
    versioned, root = bool(VERSIONED_ROOT.search(path)), not path.strip("/")
    if versioned:
        return 90 if target is OPENAI else 10
    if root:
        return 10 if target is OPENAI else 90
    return 50
