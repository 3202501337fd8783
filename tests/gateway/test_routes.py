"""The route table: every path and method once, each in exactly one access class."""

from collections import Counter

import pytest

from llr.base.names import FormatId
from llr.gateway.routes import TABLE, Access, Action, Row, allowed, find, normal_path
from llr.testing import Playbook
from tests.gateway.samples import CHAT, doc_for

OPEN = {
    *((method, "/health") for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")),
    ("HEAD", "/"),
    *((method, path) for method in ("GET", "HEAD") for path in ("/api/hello", "/ready")),
}


def test_each_row_is_in_exactly_one_access_class() -> None:
    counted = Counter((row.method, row.path) for row in TABLE)
    assert [row for row, count in counted.items() if count > 1] == []
    by_class = {access: {(row.method, row.path) for row in TABLE if row.access is access} for access in Access}
    assert by_class[Access.OPEN] == OPEN
    assert set.union(*by_class.values()) == set(counted)
    assert not by_class[Access.OPEN] & by_class[Access.KEY]


def filled(path: str) -> str:
    head, brace, rest = path.partition("{")
    return f"{head}some/thing{rest.partition('}')[2]}" if brace else path


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.path}")
async def test_every_row_is_found_and_guarded(row: Row) -> None:
    match = find(row.method, filled(row.path))
    assert match is not None
    assert match.row == row
    play = Playbook({**doc_for(CHAT, "a"), "masterKey": "k"}, require_auth=True)
    heard = await play.ask(row.method, filled(row.path), b"")
    assert (heard.status == 401) is (row.access is Access.KEY)


LLM_PATHS = [
    (FormatId.MESSAGES, ["/v1/messages", "/messages", "/anthropic", "/anthropic/v1/messages", "/anthropic/messages"]),
    (FormatId.CHAT, ["/v1/chat/completions", "/chat/completions", "/openai", "/openai/v1/chat/completions"]),
    (FormatId.CHAT, ["/openai/chat/completions"]),
    (FormatId.COMPLETIONS, ["/v1/completions", "/completions", "/openai/v1/completions", "/openai/completions"]),
    (FormatId.RESPONSES, ["/v1/responses", "/responses", "/openai/v1/responses", "/openai/responses"]),
    (
        FormatId.GEMINI,
        [
            f"{root}/models/google/gem-1:{verb}"
            for root in ("/v1beta", "/v1", "/gemini/v1", "/gemini/v1beta")
            for verb in ("generateContent", "streamGenerateContent")
        ],
    ),
]


@pytest.mark.parametrize(("client", "paths"), LLM_PATHS)
def test_generation_paths(client: FormatId, paths: list[str]) -> None:
    for path in paths:
        for spelt in (path, path + "/", path + "?beta=true", path + "/?x=%2F"):
            match = find("POST", normal_path(spelt))
            assert match is not None, spelt
            assert (match.row.action, match.row.client) == (Action.GENERATE, client)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/route", "/router"])
def test_unified_paths(path: str) -> None:
    match = find("POST", normal_path(path))
    assert match is not None
    assert (match.row.action, match.row.client) == (Action.UNIFIED, None)


@pytest.mark.parametrize(
    ("method", "path", "action", "rest"),
    [
        ("GET", "/v1/models/acme/big-1", Action.MODEL, "acme/big-1"),
        ("GET", "/v1/models/acme%2Fbig%201", Action.MODEL, "acme/big 1"),
        ("POST", "/v1/models/a/b:countTokens", Action.COUNT_TOKENS, "a/b"),
        ("POST", "/v1/models/x:y:generateContent", Action.GENERATE, "x:y"),
        ("POST", "/v1/messages/count_tokens", Action.COUNT_TOKENS, ""),
        ("POST", "/anthropic/v1/messages/count_tokens", Action.COUNT_TOKENS, ""),
        ("POST", "/v1/responses/input_tokens", Action.COUNT_TOKENS, ""),
        ("POST", "/v1/embeddings", Action.NATIVE, ""),
        ("POST", "/v1/something/new", Action.NATIVE, "something/new"),
        ("GET", "/v1/responses/resp_1/input_items", Action.STORED, "resp_1/input_items"),
        ("DELETE", "/v1/responses/resp_1", Action.STORED, "resp_1"),
        ("POST", "/v1/responses/resp_1/cancel", Action.STORED, "resp_1/cancel"),
        ("POST", "/v1/responses/compact", Action.NATIVE, ""),
    ],
)
def test_other_paths(method: str, path: str, action: Action, rest: str) -> None:
    match = find(method, path)
    assert match is not None
    assert (match.row.action, match.rest) == (action, rest)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/messages", ("POST",)),
        ("/v1/models", ("GET", "HEAD")),
        ("/v1/embeddings", ("POST",)),
        ("/", ("HEAD", "GET", "POST")),
        ("/v1", ("POST",)),
        ("/V1/messages", ()),
        ("/v1/whatever", ()),
        ("/nowhere", ()),
    ],
)
def test_methods_of_known_paths(path: str, methods: tuple[str, ...]) -> None:
    assert allowed(path) == methods


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../admin",
        "/v1/..",
        "/v1/x/../../admin",
        "/v1/%2e%2e/admin",
        "/v1/..%2fadmin",
        "/v1/%252e%252e%252fadmin",
        "/v1/..%5Cadmin",
        "/v1/./embeddings",
        "/openai/v1/../x",
        "/v1/responses/..%2f..%2fadmin",
        # One pass of decoding takes one "25" away: thirty thousand passes, if every one of them were made.
        "/v1/%" + "25" * 30_000 + "41",
    ],
    ids=lambda path: path[:40],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_no_path_leads_out_of_what_a_provider_offers(path: str, method: str) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    body = {"model": "any", "input": "x"} if method == "POST" else b""
    assert (await play.ask(method, path, body)).status in (404, 405)
    assert not play.upstream("a.test").asked


async def test_404_and_405_in_the_clients_shape() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    wrong = await play.ask("GET", "/v1/chat/completions")
    assert (wrong.status, wrong.headers.text(b"allow")) == (405, "POST")
    assert wrong.json["error"]["type"] == "invalid_request_error"
    claude = await play.ask("PUT", "/v1/messages")
    assert (claude.status, claude.json["type"]) == (405, "error")
    assert (await play.ask("GET", "/nope")).status == 404
    assert (await play.ask("GET", "/v1/chat/completions/more")).status == 404


async def test_a_websocket_is_refused_so_that_codex_goes_on_with_http() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    heard = await play.ask("GET", "/v1/responses", b"", {"upgrade": "websocket", "connection": "Upgrade"})
    assert heard.status == 426
