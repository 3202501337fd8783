"""Where a call goes: base URL, wire format and kind of call to one upstream address.

Law: pure; user-info, fragment and keys never get into an address; a query of the base URL is kept.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import quote, urlsplit

from llr.base.enums import constants
from llr.base.errors import ErrorKind, fail
from llr.base.names import SCHEME_PORTS, FormatId, ProviderFormat
from llr.base.records import dataclass
from llr.config.schema import Provider
from llr.wire.http import Origin


@constants
class Call(StrEnum):
    """What is asked of an upstream. The values are the keys of `endpointPaths` where a config may name a path."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    MESSAGES = "messages"
    COUNT_TOKENS = "countTokens"
    GENERATE = "generateContent"
    STREAM_GENERATE = "streamGenerateContent"
    GEMINI_COUNT = "geminiCountTokens"
    MODELS = "models"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its kind, for `PATH` the rest of the path ("embeddings", "responses/r1"), and a query without "?"."""

    call: Call
    path: str = ""
    query: str = ""


# The call that carries a generation of each wire format.
GENERATION: Mapping[FormatId, Endpoint] = {
    FormatId.MESSAGES: Endpoint(Call.MESSAGES),
    FormatId.CHAT: Endpoint(Call.CHAT),
    FormatId.RESPONSES: Endpoint(Call.RESPONSES),
    FormatId.COMPLETIONS: Endpoint(Call.COMPLETIONS),
    FormatId.GEMINI: Endpoint(Call.GENERATE),
}
GEMINI_STREAM = Endpoint(Call.STREAM_GENERATE, query="alt=sse")

_PATHS: Mapping[Call, str] = {
    Call.CHAT: "chat/completions",
    Call.COMPLETIONS: "completions",
    Call.RESPONSES: "responses",
    Call.MESSAGES: "messages",
    Call.COUNT_TOKENS: "messages/count_tokens",
    Call.GENERATE: "models/{model}:generateContent",
    Call.STREAM_GENERATE: "models/{model}:streamGenerateContent",
    Call.GEMINI_COUNT: "models/{model}:countTokens",
    Call.MODELS: "models",
}
# Longest first: a base URL may be a whole endpoint.
_SUFFIXES = ("/chat/completions", "/messages/count_tokens", "/completions", "/responses", "/messages", "/embeddings")
_GEMINI_SUFFIX = re.compile(r"/models(?:/[^/]+:\w+)?$")
VERSIONED_ROOT = re.compile(r"/v\d+(?:\.\d+)?$", re.IGNORECASE)
VERSIONED_PATH = re.compile(r"/v\d+[a-z]*(?:\.\d+)?(?:/|$)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{model\}|%7Bmodel%7D", re.IGNORECASE)
_MODEL_SAFE = "/-._~@:"


def base_url(provider: Provider, target: ProviderFormat) -> str:
    """Returns the provider's base URL for a format, "" when it has none."""
    urls = provider.base_url_by_format
    return urls.get(target) or urls.get(target.family) or provider.base_url


def upstream_address(
    provider: Provider, target: ProviderFormat, endpoint: Endpoint, model: str = ""
) -> tuple[Origin, str]:
    """Returns the origin and the request target of a call.

    Raises `GatewayError(CONFIGURATION)` when the provider's base URL is no absolute http(s) URL.
    """
    bad = fail(ErrorKind.CONFIGURATION, f"Provider {provider.id} has invalid baseUrl.", status=500)
    try:
        url = urlsplit(base_url(provider, target))
        port = url.port or SCHEME_PORTS.get(url.scheme, 0)
    except ValueError as exc:
        raise bad from exc
    if url.scheme not in ("http", "https") or not url.hostname:
        raise bad
    origin = Origin(url.scheme, url.hostname, port, provider.proxy, provider.ca_file)
    custom = provider.endpoint_paths.get(endpoint.call.value)
    path = _custom_path(url.path, custom) if custom else _path(url.path, target, endpoint)
    path, _, own_query = path.partition("?")
    path = _PLACEHOLDER.sub(lambda _: quote(model, safe=_MODEL_SAFE), path)
    query = "&".join(part for part in (url.query, own_query, endpoint.query) if part)
    return origin, quote(path, safe="/%:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")


def _custom_path(base: str, custom: str) -> str:
    """Returns a configured path: from the root when it starts with "/", else below the base URL."""
    return custom if custom.startswith("/") else f"{base.rstrip('/')}/{custom}"


def _path(base: str, target: ProviderFormat, endpoint: Endpoint) -> str:
    wanted = endpoint.path.strip("/") if endpoint.call is Call.PATH else _PATHS[endpoint.call]
    base = base.rstrip("/")
    root, had_endpoint = _strip_endpoint(base)
    if had_endpoint:
        return f"{root}/{wanted}"
    if target.family is ProviderFormat.GEMINI:
        versioned = VERSIONED_PATH.search(root)
        return f"{root}/{wanted}" if versioned else f"{root}/v1beta/{wanted}"
    pattern = VERSIONED_ROOT if target.family is ProviderFormat.CLAUDE else VERSIONED_PATH
    return f"{root}/{wanted}" if pattern.search(root) else f"{root}/v1/{wanted}"


def _strip_endpoint(base: str) -> tuple[str, bool]:
    for suffix in _SUFFIXES:
        if base.endswith(suffix):
            return base.removesuffix(suffix), True
    match = _GEMINI_SUFFIX.search(base)
    return (base[: match.start()], True) if match else (base, False)
