"""Errors, lists, counts, embeddings, system turns and legacy completions: the SDKs against every kind of vendor."""

from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as gemini_errors
from google.genai import types as gemini

from tests.e2e.clients import CLIENTS, Client, claude, gpt, studio
from tests.e2e.conftest import MODELS, Vendors
from tests.e2e.script import WORDS

FIRST = [f"{kind}/{models[0]}" for kind, models in MODELS.items()]
ASKS = pytest.mark.parametrize("model", FIRST)
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


# Status of the vendor -> the exception a user of each SDK catches.
ANTHROPIC: dict[int, Any] = {
    400: anthropic.BadRequestError,
    404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
}
OPENAI: dict[int, Any] = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}


@STREAMS
@ASKS
@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500])
def test_an_error_is_the_exception_a_user_of_the_sdk_catches(
    origin: str, model: str, client: str, status: int, stream: bool
) -> None:
    talk: Client = CLIENTS[client](origin, model)
    talk.user(f"script=error_{status} Hello")
    seen = 502 if status == 401 else status
    if client == "gemini":
        expected: Any = gemini_errors.ClientError if seen < 500 else gemini_errors.ServerError
    else:
        table = ANTHROPIC if client == "messages" else OPENAI
        other = anthropic.InternalServerError if client == "messages" else openai.InternalServerError
        expected = table.get(seen, other)
    with pytest.raises(expected) as caught:
        talk.ask(stream=stream)
    found: Any = caught.value
    assert (found.code if client == "gemini" else found.status_code) == seen
    assert status == 401 or f"scripted {status}" in str(found)
    if status == 429 and client != "gemini":
        assert 1 <= int(found.response.headers["retry-after"]) <= 7
    if client in ("chat", "responses") and status == 429:
        assert found.code == "rate_limit_exceeded"


@STREAMS
@ASKS
@pytest.mark.parametrize("client", list(CLIENTS))
def test_an_overflow_is_said_so_that_clients_compact(origin: str, model: str, client: str, stream: bool) -> None:
    talk: Client = CLIENTS[client](origin, model)
    talk.user("script=overflow Hello")
    with pytest.raises((anthropic.BadRequestError, openai.BadRequestError, gemini_errors.ClientError)) as caught:
        talk.ask(stream=stream)
    found: Any = caught.value
    if client == "messages":
        assert "prompt is too long" in str(found)
    elif client != "gemini":
        assert found.code == "context_length_exceeded" or model[0] in "cr"


def test_unknown_models_are_not_found_and_near_names_are_told(origin: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match="claude-sonnet-5"):
        claude(origin).messages.create(
            model="m/claude-sonet-5", max_tokens=9, messages=[{"role": "user", "content": "x"}]
        )
    with pytest.raises(openai.NotFoundError) as caught:
        gpt(origin).chat.completions.create(model="gpt-5.6", messages=[{"role": "user", "content": "x"}])
    assert caught.value.code == "model_not_found"
    with pytest.raises(gemini_errors.ClientError) as refused:
        studio(origin).models.generate_content(model="gemini-4", contents="x")
    assert refused.value.code == 404


def test_model_lists_in_every_dialect(origin: str) -> None:
    rows = [f"{kind}/{model}" for kind, models in MODELS.items() for model in models]
    assert [model.id for model in gpt(origin).models.list()] == rows
    found = [model.id for model in claude(origin).models.list(limit=2)]
    assert found == [*rows, "claude-sonnet-5"], "pages follow each other; names that Claude Code looks for come last"
    assert [model.name for model in studio(origin).models.list()] == [f"models/{row}" for row in rows]
    assert claude(origin).models.retrieve("m/claude-sonnet-5").type == "model"
    assert gpt(origin).models.retrieve("c/gpt-5.5").id == "c/gpt-5.5"


@ASKS
def test_count_tokens_is_never_zero(origin: str, model: str, vendors: Vendors) -> None:
    tool: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    turn: Any = [{"role": "user", "content": "script=text Hello, how are you today?"}]
    vendors.seen()
    counted = claude(origin).messages.count_tokens(model=model, messages=turn, tools=[tool]).input_tokens
    assert counted == 321 if model[0] == "m" else 5 < counted < 200
    assert len(vendors.seen()) == (model[0] == "m")
    assert claude(origin).messages.count_tokens(model=model, messages=turn, tools=[]).input_tokens > 0
    assert (studio(origin).models.count_tokens(model=model, contents="Hello there").total_tokens or 0) > 0
    assert gpt(origin).responses.input_tokens.count(model=model, input="Hello there").input_tokens > 0


def test_embeddings_pass_through(origin: str) -> None:
    found = gpt(origin).embeddings.create(model="c/gpt-5.5", input=["a", "b"], encoding_format="float")
    assert [row.embedding for row in found.data] == [[0.5, -0.5], [0.5, -0.5]]
    with pytest.raises(openai.BadRequestError):
        gpt(origin).embeddings.create(model="m/claude-sonnet-5", input="a")


@ASKS
def test_system_in_the_middle_reaches_every_vendor(origin: str, model: str) -> None:
    turns: Any = [
        {"role": "user", "content": "script=system Hello"},
        {"role": "system", "content": "Be brief about it."},
    ]
    said = claude(origin).messages.create(model=model, max_tokens=100, messages=turns, system="You are kind.")
    text = "".join(block.text for block in said.content if block.type == "text")
    assert "You are kind." in text
    assert "Be brief about it." in text or model[0] == "g"
    chat: Any = [{"role": "developer", "content": "You are kind."}, {"role": "user", "content": "script=system Hello"}]
    assert "You are kind." in (
        gpt(origin).chat.completions.create(model=model, messages=chat).choices[0].message.content or ""
    )
    assert (
        "You are kind."
        in gpt(origin).responses.create(model=model, input="script=system", instructions="You are kind.").output_text
    )
    config = gemini.GenerateContentConfig(system_instruction="You are kind.")
    told = studio(origin).models.generate_content(model=model, contents="script=system Hello", config=config)
    assert "You are kind." in (told.text or "")


@ASKS
def test_legacy_completions_whole_and_streamed(origin: str, model: str) -> None:
    whole = gpt(origin).completions.create(model=model, prompt="script=text Hello", max_tokens=100)
    assert whole.choices[0].text == WORDS
    chunks = gpt(origin).completions.create(model=model, prompt="script=text Hello", max_tokens=100, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == WORDS
