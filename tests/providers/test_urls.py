"""Where calls go: every table of addresses, endpoint suffixes, queries, placeholders."""

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.names import ProviderFormat, ProviderId
from llr.config.schema import Provider
from llr.providers.urls import GEMINI_STREAM, Call, Endpoint, upstream_address

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
CHAT, RESPONSES, COMPLETIONS = Endpoint(Call.CHAT), Endpoint(Call.RESPONSES), Endpoint(Call.COMPLETIONS)
MESSAGES, COUNT, MODELS = Endpoint(Call.MESSAGES), Endpoint(Call.COUNT_TOKENS), Endpoint(Call.MODELS)
GENERATE = Endpoint(Call.GENERATE)


def provider(base: str, **more: object) -> Provider:
    return Provider(ProviderId("p"), "P", (), base_url=base, **more)  # type: ignore[arg-type]


def target(base: str, wire: ProviderFormat, endpoint: Endpoint, model: str = "m", **more: object) -> str:
    origin, path = upstream_address(provider(base, **more), wire, endpoint, model)
    return f"{origin.scheme}://{origin.authority}{path}"


@pytest.mark.parametrize(
    ("base", "chat", "responses", "messages"),
    [
        ("https://h", "/v1/chat/completions", "/v1/responses", "/v1/messages"),
        ("https://h/", "/v1/chat/completions", "/v1/responses", "/v1/messages"),
        ("https://h/v1/", "/v1/chat/completions", "/v1/responses", "/v1/messages"),
        ("https://h/V1", "/V1/chat/completions", "/V1/responses", "/V1/messages"),
        (
            "https://h/api/coding/paas/v4",
            "/api/coding/paas/v4/chat/completions",
            "/api/coding/paas/v4/responses",
            "/api/coding/paas/v4/messages",
        ),
        ("https://h/v1.5", "/v1.5/chat/completions", "/v1.5/responses", "/v1.5/messages"),
        (
            "https://h/v1beta/openai",
            "/v1beta/openai/chat/completions",
            "/v1beta/openai/responses",
            "/v1beta/openai/v1/messages",
        ),
        (
            "https://h/anthropic",
            "/anthropic/v1/chat/completions",
            "/anthropic/v1/responses",
            "/anthropic/v1/messages",
        ),
        ("https://h/v1/chat/completions", "/v1/chat/completions", "/v1/responses", "/v1/messages"),
        ("https://h/chat/completions/", "/chat/completions", "/responses", "/messages"),
        ("https://h/v1/responses", "/v1/chat/completions", "/v1/responses", "/v1/messages"),
        ("https://h/x/messages", "/x/chat/completions", "/x/responses", "/x/messages"),
        ("https://h/invoice", "/invoice/v1/chat/completions", "/invoice/v1/responses", "/invoice/v1/messages"),
    ],
)
def test_the_table_of_addresses(base: str, chat: str, responses: str, messages: str) -> None:
    assert target(base, OPENAI, CHAT) == "https://h" + chat
    assert target(base, OPENAI, RESPONSES) == "https://h" + responses
    assert target(base, CLAUDE, MESSAGES) == "https://h" + messages
    assert target(base, CLAUDE, COUNT) == "https://h" + messages + "/count_tokens"
    assert target(base, OPENAI, COMPLETIONS) == "https://h" + chat.replace("/chat/", "/")
    assert target(base, ProviderFormat.OPENAI_CHAT, CHAT) == "https://h" + chat
    assert target(base, OPENAI, MODELS) == "https://h" + chat.replace("/chat/completions", "/models")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://g", "/v1beta/models/m:generateContent"),
        ("https://g/v1beta", "/v1beta/models/m:generateContent"),
        ("https://g/v1", "/v1/models/m:generateContent"),
        ("https://g/v1beta/models/other:generateContent", "/v1beta/models/m:generateContent"),
    ],
)
def test_gemini(base: str, expected: str) -> None:
    assert target(base, GEMINI, GENERATE) == "https://g" + expected
    assert target(base, GEMINI, GEMINI_STREAM) == (
        "https://g" + expected.replace(":generate", ":streamGenerate") + "?alt=sse"
    )


def test_queries_are_kept_and_joined() -> None:
    assert target("https://h/v1?api-version=2", OPENAI, CHAT) == "https://h/v1/chat/completions?api-version=2"
    assert target("https://g/v1beta?a=b", GEMINI, GEMINI_STREAM).endswith("?a=b&alt=sse")
    path = Endpoint(Call.PATH, "embeddings", "x=1")
    assert target("https://h/v1?k=1", OPENAI, path) == "https://h/v1/embeddings?k=1&x=1"


def test_configured_paths_and_placeholders() -> None:
    paths = {"chat": "/custom/{model}/run?v=3", "messages": "msg", "countTokens": "/count"}
    assert target("https://h/v1", OPENAI, CHAT, "a/b c", endpoint_paths=paths) == "https://h/custom/a/b%20c/run?v=3"
    assert target("https://h/v1", CLAUDE, MESSAGES, endpoint_paths=paths) == "https://h/v1/msg"
    assert target("https://h/v1", CLAUDE, COUNT, endpoint_paths=paths) == "https://h/count"
    azure = "https://r.openai.azure.com/openai/deployments/%7Bmodel%7D/chat/completions?api-version=1"
    assert target(azure, OPENAI, CHAT, "gpt").endswith("/openai/deployments/gpt/chat/completions?api-version=1")


def test_per_format_urls() -> None:
    urls = {OPENAI: "https://o/v1", CLAUDE: "https://c"}
    assert target("https://h", OPENAI, CHAT, base_url_by_format=urls).startswith("https://o/v1/")
    assert target("https://h", ProviderFormat.OPENAI_RESPONSES, RESPONSES, base_url_by_format=urls).startswith(
        "https://o"
    )
    assert target("https://h", CLAUDE, MESSAGES, base_url_by_format=urls) == "https://c/v1/messages"
    assert target("https://h", GEMINI, GENERATE, base_url_by_format=urls).startswith("https://h/v1beta")


def test_userinfo_and_fragment_never_travel_and_ports_do() -> None:
    assert target("https://user:pass@h:8443/v1#x", OPENAI, CHAT) == "https://h:8443/v1/chat/completions"
    assert target("http://[::1]:8080", OPENAI, CHAT) == "http://[::1]:8080/v1/chat/completions"


@pytest.mark.parametrize("base", ["", "h", "ftp://h", "https://", "http://h:x", "/v1"])
def test_unusable_base_urls(base: str) -> None:
    with pytest.raises(GatewayError, match="Provider p has invalid baseUrl") as caught:
        target(base, OPENAI, CHAT)
    assert caught.value.fault.kind is ErrorKind.CONFIGURATION


def test_model_names_cannot_leave_their_place() -> None:
    assert (
        target("https://g", GEMINI, GENERATE, "a?b#c/../d") == "https://g/v1beta/models/a%3Fb%23c/../d:generateContent"
    )
