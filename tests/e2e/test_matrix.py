"""Every official SDK against every kind of vendor, through the built archive over real sockets."""

from typing import Any

import pytest

from tests.e2e.clients import CLIENTS, Client, Said
from tests.e2e.conftest import MODELS, Vendors
from tests.e2e.script import PARIS, PDF, PNG, REFUSED, ROME, SEALS, SECRET_THOUGHT, USAGE, WORDS

PAIRS = [(client, f"{kind}/{model}") for client in CLIENTS for kind, models in MODELS.items() for model in models]
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
Made = tuple[Client, str, str]


@pytest.fixture(params=PAIRS, ids=[f"{client}-{model}" for client, model in PAIRS])
def made(request: pytest.FixtureRequest, origin: str) -> Made:
    client, model = request.param
    return CLIENTS[client](origin, model), client, model[0]


def used(said: Said) -> dict[str, Any]:
    return {"fresh": said.fresh, "read": said.read, "output": said.output}


@STREAMS
def test_text_and_usage(made: Made, stream: bool) -> None:
    talk, client, _ = made
    talk.user("script=text Hello")
    said = talk.ask(stream=stream)
    assert said.text == WORDS
    assert said.stop == {"messages": "end_turn", "chat": "stop", "responses": "completed", "gemini": "STOP"}[client]
    assert used(said) == USAGE
    talk.user("And again")
    assert talk.ask(stream=stream).text == WORDS


@STREAMS
def test_a_tool_round_trip(made: Made, stream: bool) -> None:
    talk, client, _ = made
    talk.user("script=tool Hello")
    said = talk.ask(stream=stream, tools=True)
    assert [(name, arguments) for _, name, arguments in said.calls] == [("weather", PARIS.arguments)]
    assert (
        said.stop == {"messages": "tool_use", "chat": "tool_calls", "responses": "completed", "gemini": "STOP"}[client]
    )
    talk.results([(said.calls[0], "21 degrees")])
    assert "21 degrees" in talk.ask(stream=stream, tools=True).text


@STREAMS
def test_parallel_tools(made: Made, stream: bool) -> None:
    talk, _, _ = made
    talk.user("script=parallel Hello")
    said = talk.ask(stream=stream, tools=True)
    assert said.text == "Checking."
    assert [arguments for _, _, arguments in said.calls] == [PARIS.arguments, ROME.arguments]
    talk.results([(said.calls[0], "21 degrees"), (said.calls[1], "30 degrees")])
    text = talk.ask(stream=stream, tools=True).text
    assert text.index("21 degrees") < text.index("30 degrees")


@STREAMS
def test_thinking_over_two_turns(made: Made, stream: bool, vendors: Vendors) -> None:
    talk, client, kind = made
    if getattr(talk, "model", "") == "c/gpt-5.5":
        return  # It does not show its thoughts.
    talk.user("script=think Hello")
    said = talk.ask(stream=stream, tools=True, think=True)
    assert said.thought == SECRET_THOUGHT
    talk.results([(said.calls[0], "21 degrees")])
    vendors.seen()
    after = talk.ask(stream=stream, tools=True, think=True)
    assert "21 degrees" in after.text
    body = vendors.seen()[-1]["body"]
    assert (SECRET_THOUGHT if kind == "c" else SEALS[kind]) in body, f"{client} lost the seal of {kind}"
    talk.user("Thanks, and now?")
    assert talk.ask(stream=stream, tools=True, think=True).text


@STREAMS
def test_image_and_pdf(made: Made, stream: bool) -> None:
    talk, _, _ = made
    talk.user("script=image Look", image=True, pdf=True)
    text = talk.ask(stream=stream).text
    assert text == f"image/png:{len(PNG)} application/pdf:{len(PDF)}"


def test_an_image_in_a_tool_result(made: Made, vendors: Vendors) -> None:
    talk, client, _ = made
    if client == "chat":
        talk = talk  # Chat has no images in results: its text must do.
    talk.user("script=toolimage Look")
    said = talk.ask(stream=False, tools=True)
    talk.results([(said.calls[0], "a picture")], image=client != "chat")
    vendors.seen()
    assert "a picture" in talk.ask(stream=False, tools=True).text
    assert (PNG in vendors.seen()[-1]["body"]) is (client != "chat")


@STREAMS
def test_structured_output(made: Made, stream: bool, vendors: Vendors) -> None:
    talk, _, _ = made
    talk.user("script=json Where?")
    vendors.seen()
    assert talk.ask(stream=stream, schema=True).text == '{"city": "Paris"}'
    assert '"city"' in vendors.seen()[-1]["body"]


STOPS = {
    "length": {"messages": "max_tokens", "chat": "length", "responses": "max_output_tokens", "gemini": "MAX_TOKENS"},
    "refusal": {"messages": "refusal", "chat": "content_filter", "responses": "content_filter", "gemini": "SAFETY"},
}


@STREAMS
@pytest.mark.parametrize("script", STOPS)
def test_stop_reasons(made: Made, stream: bool, script: str) -> None:
    talk, client, kind = made
    talk.user(f"script={script} Hello")
    said = talk.ask(stream=stream)
    if script == "refusal" and "responses" in (client, {"r": "responses"}.get(kind)):
        assert REFUSED in said.text or said.stop == STOPS[script][client]  # This format says it with a part of its own.
        return
    assert said.stop == STOPS[script][client], said
