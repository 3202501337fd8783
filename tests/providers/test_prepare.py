"""What goes upstream: headers in order, keys in their place, and nothing of the client's but what is listed."""

from typing import Any

import pytest

from llr.base.names import FormatId, ModelRef, ProviderFormat, ProviderId
from llr.base.redact import Secret
from llr.config.schema import AuthKind, AuthSpec, Model, Provider
from llr.providers.auth import Auth, StaticCredentials, auth_headers
from llr.providers.prepare import DEFAULT_USER_AGENT, Preparer, custom_headers
from llr.providers.urls import Call, Endpoint
from llr.routing.route import Candidate
from llr.wire.http import Headers

KEY = Auth(Secret("sk-upstream"))


def candidate(target: ProviderFormat = ProviderFormat.OPENAI, **provider: Any) -> Candidate:
    provider.setdefault("base_url", "https://h/v1")
    made = Provider(ProviderId("p"), "P", (), **provider)
    wire = FormatId.MESSAGES if target is ProviderFormat.CLAUDE else FormatId.CHAT
    return Candidate(ModelRef("p/m"), made, Model("m"), target, wire)


def sent(
    one: Candidate,
    client: dict[str, str] | None = None,
    *,
    auth: Auth = KEY,
    env: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, str]:
    headers = Headers([(name.encode(), value.encode()) for name, value in (client or {}).items()])
    request = Preparer(env or {}).prepare(one, Endpoint(Call.CHAT), [b"{}"], auth, headers, **more)
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names))
    assert b"sk-upstream" not in request.target.encode()
    return {name.decode(): value.decode() for name, value in request.headers}


def test_the_plain_case() -> None:
    assert sent(candidate()) == {
        "content-type": "application/json",
        "user-agent": DEFAULT_USER_AGENT,
        "authorization": "Bearer sk-upstream",
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    assert sent(candidate(), stream=True)["accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("target", "spec", "field", "value"),
    [
        (ProviderFormat.OPENAI, None, "authorization", "Bearer sk-upstream"),
        (ProviderFormat.CLAUDE, None, "x-api-key", "sk-upstream"),
        (ProviderFormat.GEMINI, None, "x-goog-api-key", "sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.X_API_KEY), "x-api-key", "sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.HEADER, "API-Key"), "api-key", "sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.HEADER, "X-K", "Token "), "x-k", "Token sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.HEADER), "authorization", "Bearer sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.HEADER, "bad name"), "authorization", "Bearer sk-upstream"),
        (ProviderFormat.CLAUDE, AuthSpec(AuthKind.BEARER, prefix="Key "), "authorization", "Key sk-upstream"),
        (ProviderFormat.OPENAI, AuthSpec(AuthKind.NONE), "", ""),
    ],
)
def test_kinds_of_auth(target: ProviderFormat, spec: AuthSpec | None, field: str, value: str) -> None:
    found = sent(candidate(target, auth=spec))
    keys = {name: found[name] for name in found if "sk-upstream" in found[name]}
    assert keys == ({field: value} if field else {})


def test_auth_by_format_wins() -> None:
    by_format = {ProviderFormat.CLAUDE: AuthSpec(AuthKind.BEARER)}
    one = candidate(ProviderFormat.CLAUDE, auth=AuthSpec(AuthKind.NONE), auth_by_format=by_format)
    assert sent(one)["authorization"] == "Bearer sk-upstream"
    assert "authorization" not in sent(candidate(auth=AuthSpec(AuthKind.NONE), auth_by_format=by_format))


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a\r\nx-evil: 1"])
def test_keys_that_cannot_be_sent(key: str) -> None:
    assert auth_headers(AuthSpec(AuthKind.BEARER), Auth(Secret(key))) == []
    assert auth_headers(AuthSpec(AuthKind.BEARER), Auth(Secret(" k\n"))) == [(b"authorization", b"Bearer k")]


def test_custom_headers() -> None:
    configured: dict[str, Any] = {
        " X-Plain ": "a",
        "X-Num": 0,
        "X-True": True,
        "X-Env": "v ${NAME} ${MISSING}.",
        "Host": "evil",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
        "bad name": "x",
        "x-crlf": "a\r\nb",
        "x-null": None,
        "x-false": False,
        "x-empty": "",
        "x-object": {},
        "x\r\ny": "z",
    }
    fields, silenced = custom_headers(configured, {"NAME": "secret"})
    assert fields == [(b"x-plain", b"a"), (b"x-num", b"0"), (b"x-true", b"true"), (b"x-env", b"v secret .")]
    assert silenced == {"x-null", "x-false", "x-empty"}


def test_custom_headers_take_the_place_of_ours() -> None:
    found = sent(candidate(headers={"User-Agent": "mine", "Content-Type": "application/x", "Accept": "a/b"}))
    assert (found["user-agent"], found["content-type"]) == ("mine", "application/x")
    assert "user-agent" not in sent(candidate(headers={"user-agent": None}))


def test_anthropic_fields() -> None:
    claude = ProviderFormat.CLAUDE
    assert sent(candidate(claude))["anthropic-version"] == "2023-06-01"
    one = candidate(claude, anthropic_version="2024-01-01", anthropic_beta="a,b")
    assert sent(one)["anthropic-version"] == "2024-01-01"
    assert sent(one)["anthropic-beta"] == "a,b"
    client = {"anthropic-version": "2025-01-01", "anthropic-beta": "b, c,,a"}
    assert sent(one, client)["anthropic-version"] == "2025-01-01"
    assert sent(one, client)["anthropic-beta"] == "a,b,c"
    assert sent(candidate(claude), client)["anthropic-beta"] == "b, c,,a"
    custom = candidate(claude, headers={"anthropic-version": "x"}, anthropic_beta="z")
    assert sent(custom)["anthropic-version"] == "x"
    assert {"anthropic-version", "anthropic-beta"}.isdisjoint(sent(candidate(), client))


def test_prompt_cache_hints_travel_under_one_name() -> None:
    client = {"openai-prompt-cache-key": "k", "prompt-cache-retention": "24h"}
    assert sent(candidate(), client)["x-prompt-cache-key"] == "k"
    assert sent(candidate(), client)["x-prompt-cache-retention"] == "24h"
    assert sent(candidate(headers={"x-prompt-cache-key": "own"}), client)["x-prompt-cache-key"] == "own"


def test_nothing_else_of_the_client_leaves() -> None:
    client = dict.fromkeys(
        ("authorization", "x-api-key", "cookie", "user-agent", "openai-organization", "x-stainless-os", "traceparent"),
        "client",
    )
    assert "client" not in sent(candidate(), client).values()


def test_the_content_type_of_forms() -> None:
    kind = b"multipart/form-data; boundary=x"
    assert sent(candidate(headers={"content-type": "x/y"}), content_type=kind)["content-type"] == kind.decode()


def test_requests_do_not_share_their_fields() -> None:
    preparer = Preparer({})
    one = candidate()
    first = preparer.prepare(one, Endpoint(Call.CHAT), [b"{}"], KEY, Headers([(b"prompt-cache-key", b"1")]))
    second = preparer.prepare(one, Endpoint(Call.CHAT), [b"{}"], KEY, Headers())
    assert b"x-prompt-cache-key" in dict(first.headers)
    assert b"x-prompt-cache-key" not in dict(second.headers)
    assert preparer.prepare(one, Endpoint(Call.CHAT), [b"{}"], Auth(), Headers()).headers != second.headers


async def test_static_credentials() -> None:
    credentials = StaticCredentials({"ENV_KEY": "from env"})
    by_env = candidate(api_key_env="ENV_KEY")
    auth = await credentials.get(by_env)
    assert auth.key == Secret("from env")
    assert await credentials.get(by_env) is auth
    assert (await credentials.get(candidate(api_key=Secret("own"), api_key_env="ENV_KEY"))).key == Secret("own")
    assert (await credentials.get(candidate(api_key_env="UNSET"))).key is None
