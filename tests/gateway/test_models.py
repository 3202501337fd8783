"""Model lists: aliases and models, in the shape each SDK reads."""

import pytest

from llr.testing import START_AT, Playbook

DOC = {
    "version": 2,
    "providers": [
        {
            "id": "acme",
            "name": "Acme",
            "baseUrl": "http://acme.test",
            "format": "openai",
            "apiKey": "k",
            "models": [
                {"id": "big-1", "contextWindow": 200000, "cost": {"in": 1}, "fallbackModels": ["claudes/claude-x"]},
                {"id": "org/small", "metadata": {"llr": {"maxOutputTokens": 4096}}},
            ],
        },
        {"id": "claudes", "baseUrl": "http://c.test", "format": "claude", "apiKey": "k", "models": ["claude-x"]},
    ],
    "modelAliases": {"fast": {"targets": ["acme/big-1"]}, "empty": {}},
}


async def test_openai_shape_with_the_reference_routers_fields() -> None:
    heard = await Playbook(DOC).ask("GET", "/v1/models")
    assert heard.json["object"] == "list"
    rows = {row["id"]: row for row in heard.json["data"]}
    assert list(rows) == ["fast", "acme/big-1", "acme/org/small", "claudes/claude-x"]
    assert rows["acme/big-1"] == {
        "id": "acme/big-1",
        "object": "model",
        "created": int(START_AT),
        "owned_by": "acme",
        "provider_id": "acme",
        "provider_name": "Acme",
        "formats": ["openai"],
        "context_window": 200000,
        "cost": {"in": 1},
        "model_formats": [],
        "fallback_models": ["claudes/claude-x"],
    }
    assert rows["fast"]["owned_by"] == "llm-router"


@pytest.mark.parametrize(("path", "supported"), [("/openai/v1/models", True), ("/anthropic/models", False)])
async def test_format_support_is_told_where_a_format_is_asked(path: str, supported: bool) -> None:
    rows = {row["id"]: row for row in (await Playbook(DOC).ask("GET", path)).json["data"]}
    assert rows["acme/big-1"]["endpoint_format_supported"] is supported
    assert rows["claudes/claude-x"]["endpoint_format_supported"] is not supported
    assert rows["fast"]["endpoint_format_supported"] is True


@pytest.mark.parametrize(
    ("path", "headers"), [("/anthropic/v1/models", {}), ("/v1/models", {"anthropic-version": "1"})]
)
async def test_anthropic_shape(path: str, headers: dict[str, str]) -> None:
    body = (await Playbook(DOC).ask("GET", path, b"", headers)).json
    ids = [row["id"] for row in body["data"]]
    assert ids == ["fast", "acme/big-1", "acme/org/small", "claudes/claude-x", "claude-x"]
    assert (body["first_id"], body["last_id"], body["has_more"]) == ("fast", "claude-x", False)
    assert body["data"][1]["type"] == "model"
    assert body["data"][1]["max_input_tokens"] == 200000
    assert body["data"][2]["max_tokens"] == 4096
    assert body["data"][0]["created_at"] == "2026-02-28T15:42:37Z"


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ("limit=1000", 5, False),
        ("limit=2", ["fast", "acme/big-1"], True),
        ("limit=2&after_id=acme/big-1", ["acme/org/small", "claudes/claude-x"], True),
        ("after_id=claudes%2Fclaude-x", ["claude-x"], False),
        ("limit=1&before_id=acme/org/small", ["acme/big-1"], True),
        ("before_id=fast", [], False),
    ],
)
async def test_pages_of_the_anthropic_list(query: str, ids: list[str] | int, more: bool) -> None:
    body = (await Playbook(DOC).ask("GET", f"/anthropic/v1/models?{query}")).json
    found = [row["id"] for row in body["data"]]
    assert (len(found) if isinstance(ids, int) else found) == ids
    assert body["has_more"] is more


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "after_id=nobody"])
async def test_pages_that_cannot_be(query: str) -> None:
    heard = await Playbook(DOC).ask("GET", f"/anthropic/v1/models?{query}")
    assert (heard.status, heard.json["type"]) == (400, "error")


@pytest.mark.parametrize(("path", "headers"), [("/v1beta/models", {}), ("/v1/models", {"x-goog-api-key": "k"})])
async def test_gemini_shape(path: str, headers: dict[str, str]) -> None:
    body = (await Playbook(DOC).ask("GET", path, b"", headers)).json
    assert body["models"][1]["name"] == "models/acme/big-1"
    assert body["models"][1]["inputTokenLimit"] == 200000
    assert "generateContent" in body["models"][1]["supportedGenerationMethods"]
    page = (await Playbook(DOC).ask("GET", f"{path}?pageSize=3", b"", headers)).json
    assert len(page["models"]) == 3
    rest = (await Playbook(DOC).ask("GET", f"{path}?pageSize=3&pageToken={page['nextPageToken']}", b"", headers)).json
    assert "nextPageToken" not in rest


async def test_one_model() -> None:
    play = Playbook(DOC)
    assert (await play.ask("GET", "/v1/models/acme/org/small")).json["id"] == "acme/org/small"
    assert (await play.ask("GET", "/v1/models/acme%2Fbig-1")).json["object"] == "model"
    assert (await play.ask("GET", "/anthropic/v1/models/claude-x")).json["type"] == "model"
    assert (await play.ask("GET", "/v1beta/models/fast")).json["name"] == "models/fast"
    missing = await play.ask("GET", "/v1/models/nobody")
    assert (missing.status, missing.json["error"]["code"]) == (404, "model_not_found")
    assert (await play.ask("GET", "/v1/models/empty")).status == 404
    assert (await play.ask("HEAD", "/v1/models")).status == 200


async def test_what_is_listed_can_be_asked_for() -> None:
    play = Playbook(DOC)
    for row in (await play.ask("GET", "/anthropic/v1/models")).json["data"]:
        heard = await play.ask("POST", "/v1/chat/completions", {"model": row["id"], "messages": []})
        assert heard.status == 502, row["id"]


async def test_claude_code_finds_aliases_under_names_it_keeps_and_may_ask_by_them() -> None:
    play = Playbook(DOC)
    headers = {"user-agent": "claude-code/2.1.197"}
    listed = (await play.ask("GET", "/anthropic/v1/models?limit=1000", b"", headers)).json["data"]
    kept = {row["id"]: row["display_name"] for row in listed if row["id"].startswith(("claude", "anthropic"))}
    assert kept["claude:fast"] == "fast"
    assert next(row for row in listed if row["id"] == "claude:fast")["max_input_tokens"] == 200000
    assert "claude:empty" not in kept
    for name in kept:
        heard = await play.ask("POST", "/anthropic/v1/messages", {"model": name, "max_tokens": 1, "messages": []})
        assert heard.status == 502, name
    assert (await play.ask("POST", "/v1/messages", {"model": "claude:nobody", "messages": []})).status == 404
