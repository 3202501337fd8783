"""Who gets in: address, Host, Origin, key; all before a body byte is read."""

from typing import Any

import pytest

from llr.config.schema import Settings
from llr.gateway.access import normal_address, presented_keys
from llr.testing import BytesBody, Heard, Playbook, json_reply, make_request, settle
from llr.wire.http import Headers
from tests.gateway.samples import CHAT, MESSAGES, doc_for

DOC = {**doc_for(CHAT, "a"), "masterKey": "gw_right"}


def playing(**deps: Any) -> Playbook:
    play = Playbook(DOC, settings=deps.pop("settings", None), **deps)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    return play


async def knock(play: Playbook, headers: dict[str, str], *, path: str = CHAT.path, peer: str = "127.0.0.1") -> Heard:
    return await play.ask("POST", path, CHAT.body("any"), headers, peer=peer)


KEYS = [
    ({"authorization": "Bearer gw_right"}, 200),
    ({"authorization": "bearer   gw_right "}, 200),
    ({"authorization": "gw_right"}, 200),
    ({"x-api-key": "gw_right"}, 200),
    ({"x-goog-api-key": "gw_right"}, 200),
    ({"authorization": "Bearer wrong", "x-api-key": "gw_right"}, 200),
    ({"authorization": "Bearer wrong"}, 401),
    ({"authorization": "Bearer gw_righ"}, 401),
    ({"authorization": "Bearer gw_rightx"}, 401),
    ({"authorization": "Basic gw_right"}, 401),
    ({"x-api-key": ""}, 401),
    ({}, 401),
]


@pytest.mark.parametrize(("headers", "status"), KEYS)
async def test_any_right_credential_opens(headers: dict[str, str], status: int) -> None:
    heard = await knock(playing(require_auth=True), headers)
    assert heard.status == status
    assert (heard.headers.text(b"www-authenticate") == "Bearer") is (status == 401)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("key=gw_right", 200),
        ("a=1&api_key=gw_right", 200),
        ("auth_token=gw_right", 200),
        ("token=gw_right", 401),
        ("key=gw%5Fright", 200),
        ("key=" + "&" * 500, 401),
    ],
)
async def test_query_credentials(query: str, status: int) -> None:
    heard = await knock(playing(require_auth=True), {}, path=f"{CHAT.path}?{query}")
    assert heard.status == status


async def test_no_key_is_checked_where_none_is_required() -> None:
    assert (await knock(playing(), {"authorization": "Bearer wrong"})).status == 200


async def test_a_required_key_that_is_not_configured_keeps_everybody_out() -> None:
    play = Playbook(doc_for(CHAT, "a"), require_auth=True)
    heard = await knock(play, {"authorization": "Bearer x"})
    assert heard.status == 503
    assert "masterKey" in heard.json["error"]["message"]


async def test_keys_are_not_forwarded() -> None:
    play = playing(require_auth=True)
    await knock(
        play, {"x-api-key": "gw_right", "authorization": "Bearer gw_right", "cookie": "a=b", "openai-beta": "x"}
    )
    sent = play.upstream("a.test").asked[0]
    assert b"gw_right" not in repr(sent).encode()
    assert {b"cookie", b"openai-beta", b"x-api-key"}.isdisjoint(name for name, _ in sent.headers)


@pytest.mark.parametrize(
    ("allowed", "peer", "inside"),
    [
        ((), "203.0.113.9", True),
        (("*",), "203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.8", False),
        (("203.0.113.0/24",), "203.0.113.77", True),
        (("203.0.113.77/24",), "203.0.113.1", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("2001:db8::/32",), "2001:DB8::1%eth0", True),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("nonsense", "10.0.0.1"), "10.0.0.1", True),
        (("nonsense",), "10.0.0.1", False),
        (("10.0.0.1",), "", True),
    ],
)
async def test_the_address_allowlist(allowed: tuple[str, ...], peer: str, inside: bool) -> None:
    play = playing(settings=Settings(allowed_ips=allowed))
    heard = await knock(play, {"x-forwarded-for": "10.0.0.1", "cf-connecting-ip": "10.0.0.1"}, peer=peer)
    assert heard.status == (200 if inside else 403)


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1:8376", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("[::1]:8376", True),
        ("192.168.1.7:8376", True),
        ("evil.test", False),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test:8376", False),
        ("[::1].evil.test", False),
        ("box.lan:8376", True),
        ("named.example", True),
        ("NAMED.example:99", True),
    ],
)
async def test_foreign_host_names_are_refused(host: str, inside: bool) -> None:
    doc = {**DOC, "metadata": {"llr": {"allowedHosts": ["named.example"]}}}
    play = Playbook(doc, bound_hosts=("box.lan",))
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert (await knock(play, {"host": host})).status == (200 if inside else 403)


EXPOSED = (
    *("retry-after", "retry-after-ms", "request-id", "x-request-id", "openai-processing-ms", "openai-version"),
    *("x-ratelimit-limit-requests", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-limit"),
    *("anthropic-ratelimit-input-tokens-remaining", "x-llm-router-attempts", "x-llm-router-usage"),
)


@pytest.mark.parametrize(
    ("origins", "headers", "status"),
    [
        ((), {"origin": "https://page.test"}, 403),
        ((), {"origin": "null"}, 403),
        ((), {"sec-fetch-site": "cross-site"}, 403),
        ((), {"sec-fetch-site": "none"}, 200),
        (("https://page.test",), {"origin": "https://page.test", "sec-fetch-site": "cross-site"}, 200),
        (("https://page.test",), {"origin": "https://page.test.evil"}, 403),
        (("*",), {"origin": "https://anything.test"}, 200),
    ],
)
async def test_pages_of_foreign_origins_are_refused(
    origins: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    heard = await knock(playing(settings=Settings(cors_origins=origins)), headers)
    assert heard.status == status
    if status == 200 and "origin" in headers:
        star = origins == ("*",)
        assert heard.headers.text(b"access-control-allow-origin") == ("*" if star else headers["origin"])
        assert (heard.headers.get(b"vary") == b"Origin") is not star
        exposed = heard.headers.text(b"access-control-expose-headers").split(", ")
        assert set(EXPOSED) <= set(exposed)
        assert len(set(exposed)) == len(exposed)
    else:
        assert b"access-control-allow-origin" not in heard.headers


async def test_error_answers_carry_cors_too() -> None:
    play = playing(settings=Settings(cors_origins=("https://page.test",)))
    for path in ("/nowhere", CHAT.path):
        heard = await play.ask("GET", path, b"", {"origin": "https://page.test"})
        assert heard.status in (404, 405)
        assert heard.headers.text(b"access-control-allow-origin") == "https://page.test"


async def test_preflight() -> None:
    play = playing(settings=Settings(cors_origins=("https://page.test",)), require_auth=True)
    asked = {
        "origin": "https://page.test",
        "access-control-request-method": "POST",
        "access-control-request-headers": "Authorization, anthropic-beta, x-stainless-os, x-evil",
    }
    heard = await play.ask("OPTIONS", "/any/path", b"", asked)
    assert (heard.status, heard.body) == (204, b"")
    granted = heard.headers.text(b"access-control-allow-headers")
    assert "anthropic-beta" in granted
    assert "x-stainless-os" in granted
    assert "x-evil" not in granted
    assert heard.headers.text(b"access-control-max-age") == "600"
    assert "POST" in heard.headers.text(b"access-control-allow-methods")
    refused = await play.ask("OPTIONS", "/", b"", {"origin": "https://other.test"})
    assert (refused.status, refused.body) == (403, b"")
    assert b"access-control-allow-methods" not in refused.headers
    assert (await play.ask("OPTIONS", "/", b"")).status == 204


@pytest.mark.parametrize(
    ("headers", "deps", "path"),
    [
        ({"host": "evil.test"}, {}, CHAT.path),
        ({"origin": "https://evil.test"}, {}, CHAT.path),
        ({}, {"require_auth": True}, CHAT.path),
        ({}, {"require_auth": True}, "/nowhere"),
        ({"content-type": "text/plain"}, {}, CHAT.path),
    ],
)
async def test_nothing_is_read_before_access(headers: dict[str, str], deps: dict[str, Any], path: str) -> None:
    play = playing(**deps)
    request = make_request("POST", path, {"model": "any"}, headers)
    response = await play.handler(request)
    await settle()
    assert response.status in (401, 403, 404, 415)
    assert isinstance(request.body, BytesBody)
    assert request.body.reads == 0
    assert play.transport.seen == []


async def test_health_is_open_but_tells_strangers_less() -> None:
    play = playing(require_auth=True)
    for method in ("GET", "POST", "HEAD"):
        stranger = await play.ask(method, "/health")
        assert stranger.status == 200
        assert set(stranger.json) == {"status", "timestamp"}
    friend = await play.ask("GET", "/health", b"", {"x-api-key": "gw_right"})
    assert friend.json == {"status": "ok", "timestamp": "2026-02-28T15:42:37.000Z", "providers": 1}
    assert (await play.ask("HEAD", "/")).status == 200
    assert (await play.ask("GET", "/")).status == 401


async def test_refusals_are_in_the_clients_words() -> None:
    play = playing(require_auth=True)
    openai = await play.ask("POST", CHAT.path, {})
    assert openai.json["error"]["code"] == "invalid_api_key"
    claude = await play.ask("POST", MESSAGES.path, {})
    assert (claude.json["type"], claude.json["error"]["type"]) == ("error", "authentication_error")
    gemini = await play.ask("POST", "/v1beta/models/x:generateContent", {})
    assert gemini.json["error"]["status"] == "UNAUTHENTICATED"
    assert (await play.ask("GET", "/nowhere", b"", {"anthropic-version": "1"})).json["type"] == "error"


def test_addresses_in_every_spelling() -> None:
    assert normal_address(" [2001:DB8::1]:443 ") == "2001:db8::1"
    assert normal_address("10.0.0.1:99") == "10.0.0.1"
    assert normal_address("::ffff:10.0.0.1") == "10.0.0.1"
    assert normal_address("fe80::1%eth0") == "fe80::1"


def test_all_credentials_are_seen() -> None:
    headers = Headers([(b"authorization", b"Bearer a"), (b"x-api-key", b" b "), (b"x-goog-api-key", b"")])
    assert presented_keys(headers, "key=c&x=y&auth_token=d") == [b"a", b"b", b"c", b"d"]
