"""The official clients against the built archive, over real sockets: chat, stream, tools, errors, models, vectors."""

import json
from collections.abc import Iterator
from typing import Any, cast

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as gemini

from tests.running import gateway

HELLO: Any = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(scope="module")
def origin(pyz: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(pyz, tmp_path_factory.mktemp("sdk"), "llr start --demo") as address:
        yield address


@pytest.fixture(scope="module")
def chat(origin: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="any", base_url=f"{origin}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def claude(origin: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="any", base_url=origin, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def google(origin: str) -> genai.Client:
    return genai.Client(api_key="any", http_options=gemini.HttpOptions(base_url=origin))


def test_openai_chat_fails_over_to_the_model_that_answers(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(model="demo", messages=HELLO)
    assert answer.choices[0].message.content == "Hello from the demo model ok. You said: Hello"
    chunks = list(chat.chat.completions.create(model="demo", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answer.choices[0].message.content


def test_openai_chat_makes_a_tool_round_trip(chat: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    with chat.chat.completions.stream(model="demo/tools", messages=HELLO, tools=tools) as stream:
        spoken = stream.get_final_completion().choices[0].message
    call = cast(Any, spoken.tool_calls)[0]
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    turn: Any = [*HELLO, spoken.model_dump(include={"role", "content", "tool_calls"}), result]
    after = chat.chat.completions.create(model="demo/tools", messages=turn, tools=tools)
    assert "21 degrees" in (after.choices[0].message.content or "")


def test_openai_responses_plain_and_streamed(chat: openai.OpenAI) -> None:
    assert "You said: Hello" in chat.responses.create(model="demo", input="Hello").output_text
    with chat.responses.stream(model="demo/thinking", input="Hello") as stream:
        final = stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "message"]


def test_openai_embeddings_completions_and_models(chat: openai.OpenAI) -> None:
    assert len(chat.embeddings.create(model="demo/ok", input=["a", "b"]).data) == 2
    assert "You said: Hello" in chat.completions.create(model="demo/ok", prompt="Hello").choices[0].text
    listed = {model.id for model in chat.models.list()}
    assert {"demo", "demo/ok", "demo/slow"} <= listed


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("demo/overloaded", openai.InternalServerError),
        ("demo/rate-limited", openai.RateLimitError),
        ("demo/garbage", openai.InternalServerError),
        ("demo/error-in-200", openai.InternalServerError),
        ("demo/cut-midstream", openai.InternalServerError),
        ("demo/nobody", openai.NotFoundError),
    ],
)
def test_openai_raises_the_right_exception(chat: openai.OpenAI, model: str, error: type[openai.APIError]) -> None:
    with pytest.raises(error):
        chat.chat.completions.create(model=model, messages=HELLO)


def test_openai_learns_of_a_cut_in_the_middle_of_a_stream(chat: openai.OpenAI) -> None:
    stream = chat.chat.completions.create(model="demo/cut-midstream", messages=HELLO, stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError):
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(said).startswith("Hello")


def test_anthropic_plain_streamed_and_thinking(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="demo", max_tokens=100, messages=HELLO)
    assert cast(Any, answer.content[0]).text == "Hello from the demo model ok. You said: Hello"
    with claude.messages.stream(model="demo/thinking", max_tokens=100, messages=HELLO) as stream:
        assert [block.type for block in stream.get_final_message().content] == ["thinking", "text"]


def test_anthropic_makes_a_tool_round_trip(claude: anthropic.Anthropic) -> None:
    tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
    with claude.messages.stream(model="demo/tools", max_tokens=100, messages=HELLO, tools=tools) as stream:
        spoken = stream.get_final_message()
    use = cast(Any, spoken.content[0])
    assert (spoken.stop_reason, use.input) == ("tool_use", {"city": "Paris"})
    assistant = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": use.id, "name": use.name, "input": use.input}],
    }
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "21 degrees"}]}
    after = claude.messages.create(
        model="demo/tools", max_tokens=100, tools=tools, messages=cast(Any, [*HELLO, assistant, result])
    )
    assert "21 degrees" in cast(Any, after.content[0]).text


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("demo/overloaded", anthropic.InternalServerError),
        ("demo/rate-limited", anthropic.RateLimitError),
        ("demo/garbage", anthropic.InternalServerError),
        ("demo/nobody", anthropic.NotFoundError),
    ],
)
def test_anthropic_raises_the_right_exception(
    claude: anthropic.Anthropic, model: str, error: type[anthropic.APIError]
) -> None:
    with pytest.raises(error):
        claude.messages.create(model=model, max_tokens=100, messages=HELLO)


def test_anthropic_learns_of_a_cut_in_the_middle_of_a_stream(claude: anthropic.Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIError),
        claude.messages.stream(model="demo/cut-midstream", max_tokens=100, messages=HELLO) as stream,
    ):
        stream.get_final_message()


def test_anthropic_lists_models(claude: anthropic.Anthropic) -> None:
    assert {"demo", "demo/ok"} <= {model.id for model in claude.models.list()}


def test_anthropic_counts_tokens(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model="demo/ok", messages=HELLO).input_tokens > 0


def test_gemini_plain_streamed_and_with_its_own_errors(google: genai.Client) -> None:
    assert "You said: Hello" in (google.models.generate_content(model="demo", contents="Hello").text or "")
    chunks = list(google.models.generate_content_stream(model="demo", contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello from the demo model ok. You said: Hello"
    with pytest.raises(genai_errors.ClientError):
        google.models.generate_content(model="demo/rate-limited", contents="Hello")
