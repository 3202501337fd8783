"""The official clients are content with the demo: their own parsing, their own exception classes."""

import json
from typing import Any, cast

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types as gemini

from llr.control.demo import DEMO_KEY, MODELS
from tests.control.demo_driver import Demo, client_over

HELLO: Any = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def openai_client() -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        api_key=DEMO_KEY, base_url="http://demo.example/v1", http_client=client_over(Demo()), max_retries=0
    )


def anthropic_client() -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        api_key=DEMO_KEY, base_url="http://demo.example", http_client=client_over(Demo()), max_retries=0
    )


def gemini_client() -> genai.Client:
    options = gemini.HttpOptions(base_url="http://demo.example", httpx_async_client=client_over(Demo()))
    return genai.Client(api_key=DEMO_KEY, http_options=options)


async def test_openai_chat_plain_streamed_and_with_a_tool() -> None:
    client = openai_client()
    whole = await client.chat.completions.create(model="ok", messages=HELLO)
    assert "You said: Hello" in (whole.choices[0].message.content or "")
    async with client.chat.completions.stream(model="ok", messages=HELLO) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == whole.choices[0].message.content
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
    async with client.chat.completions.stream(model="tools", messages=HELLO, tools=[tool]) as stream:
        called = await stream.get_final_completion()
    calls = cast(Any, called.choices[0].message.tool_calls)
    assert json.loads(calls[0].function.arguments) == {"city": "Paris"}


async def test_openai_responses_plain_streamed_and_with_thoughts() -> None:
    client = openai_client()
    whole = await client.responses.create(model="ok", input="Hello")
    assert "You said: Hello" in whole.output_text
    async with client.responses.stream(model="thinking", input="Hello") as stream:
        final = await stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "message"]


async def test_openai_completions_embeddings_and_models() -> None:
    client = openai_client()
    legacy = await client.completions.create(model="ok", prompt="Hello")
    assert "You said: Hello" in legacy.choices[0].text
    vectors = await client.embeddings.create(model="ok", input=["a", "b"])
    assert [len(row.embedding) for row in vectors.data] == [64, 64]
    assert [model.id async for model in client.models.list()] == list(MODELS)
    counted = await client.responses.input_tokens.count(model="ok", input="Hello")
    assert counted.input_tokens > 0


async def test_openai_raises_its_own_exception_classes() -> None:
    client = openai_client()
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="rate-limited", messages=HELLO)
    assert limited.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.InternalServerError):
        await client.responses.create(model="overloaded", input="Hello")
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model="nobody", messages=HELLO)
    with pytest.raises(openai.APIError):
        async for _ in await client.chat.completions.create(model="error-in-200", messages=HELLO, stream=True):
            pass
    with pytest.raises(openai.APIConnectionError):
        await client.chat.completions.create(model="cut-midstream", messages=HELLO)


async def test_anthropic_plain_streamed_thinking_and_with_a_tool() -> None:
    client = anthropic_client()
    whole = await client.messages.create(model="ok", max_tokens=100, messages=HELLO)
    assert "You said: Hello" in cast(Any, whole.content[0]).text
    async with client.messages.stream(model="thinking", max_tokens=100, messages=HELLO) as stream:
        thought = await stream.get_final_message()
    assert [block.type for block in thought.content] == ["thinking", "text"]
    assert cast(Any, thought.content[0]).signature
    tool: Any = {"name": "weather", "input_schema": SCHEMA}
    async with client.messages.stream(model="tools", max_tokens=100, messages=HELLO, tools=[tool]) as stream:
        called = await stream.get_final_message()
    assert (called.stop_reason, cast(Any, called.content[0]).input) == ("tool_use", {"city": "Paris"})


async def test_anthropic_models_and_token_counts() -> None:
    client = anthropic_client()
    assert [model.id async for model in client.models.list()] == list(MODELS)
    assert (await client.models.retrieve("ok")).display_name.startswith("Demo")
    assert (await client.messages.count_tokens(model="ok", messages=HELLO)).input_tokens > 0


async def test_anthropic_raises_its_own_exception_classes() -> None:
    client = anthropic_client()
    with pytest.raises(anthropic.RateLimitError):
        await client.messages.create(model="rate-limited", max_tokens=100, messages=HELLO)
    with pytest.raises(anthropic.InternalServerError) as overloaded:
        await client.messages.create(model="overloaded", max_tokens=100, messages=HELLO)
    assert overloaded.value.status_code == 529
    with pytest.raises(anthropic.APIStatusError):
        async with client.messages.stream(model="error-in-200", max_tokens=100, messages=HELLO) as stream:
            await stream.get_final_message()


async def test_gemini_plain_streamed_thinking_and_with_a_tool() -> None:
    models = gemini_client().aio.models
    whole = await models.generate_content(model="ok", contents="Hello")
    assert "You said: Hello" in (whole.text or "")
    chunks = [chunk async for chunk in await models.generate_content_stream(model="thinking", contents="Hello")]
    parts = [part for chunk in chunks for part in cast(Any, chunk.candidates)[0].content.parts]
    assert "".join(part.text for part in parts if part.thought).startswith("The user")
    assert "".join(part.text for part in parts if not part.thought).endswith("You said: Hello")
    tool = gemini.Tool(
        function_declarations=[gemini.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)]
    )
    called = await models.generate_content(
        model="tools", contents="Hello", config=gemini.GenerateContentConfig(tools=[tool])
    )
    assert cast(Any, called.function_calls)[0].args == {"city": "Paris"}


async def test_gemini_models_counts_and_errors() -> None:
    models = gemini_client().aio.models
    assert [model.name async for model in await models.list()] == [f"models/{model}" for model in MODELS]
    assert ((await models.count_tokens(model="ok", contents="Hello")).total_tokens or 0) > 0
    with pytest.raises(genai_errors.ClientError) as limited:
        await models.generate_content(model="rate-limited", contents="Hello")
    assert limited.value.code == 429
    with pytest.raises(genai_errors.ServerError):
        await models.generate_content(model="overloaded", contents="Hello")
