"""The official SDKs behind one small conversation interface: each keeps its history as its own user would."""

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import anthropic
import openai
from google import genai
from google.genai import types as gemini

from tests.e2e.script import PDF, PNG

WEATHER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
PLAIN = {key: WEATHER[key] for key in ("type", "properties", "required")}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


# One of each per gateway: they keep their connections, and are slow to make.
@cache
def claude(origin: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="any", base_url=origin, max_retries=0)


@cache
def gpt(origin: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=f"{origin}/v1", max_retries=0)


@cache
def studio(origin: str) -> genai.Client:
    return genai.Client(api_key="any", http_options=gemini.HttpOptions(base_url=origin))


@dataclass(frozen=True)
class Said:
    """One answer as the SDK gives it; `stop` in the words of the client's own format."""

    text: str
    stop: Any
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    thought: str = ""
    fresh: int | None = None
    read: int | None = None
    output: int | None = None


class Client(Protocol):
    """A conversation with one model."""

    def user(self, text: str, *, image: bool = False, pdf: bool = False) -> None: ...
    def results(self, told: list[tuple[tuple[str, str, Any], str]], *, image: bool = False) -> None: ...
    def ask(
        self, *, stream: bool, tools: bool = False, think: bool = False, schema: bool = False, cap: int = 4000
    ) -> Said: ...


class Messages:
    def __init__(self, origin: str, model: str) -> None:
        self.sdk = claude(origin)
        self.model = model
        self.history: list[Any] = []
        self.system: str | None = None

    def user(self, text: str, *, image: bool = False, pdf: bool = False) -> None:
        blocks: list[Any] = [{"type": "text", "text": text}]
        if image:
            blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
        if pdf:
            source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
            blocks.append({"type": "document", "source": source})
        self.history.append({"role": "user", "content": blocks if len(blocks) > 1 else text})

    def results(self, told: list[tuple[tuple[str, str, Any], str]], *, image: bool = False) -> None:
        blocks = []
        for (call_id, _, _), text in told:
            content: Any = [{"type": "text", "text": text}]
            if image:
                content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
            blocks.append({"type": "tool_result", "tool_use_id": call_id, "content": content})
        self.history.append({"role": "user", "content": blocks})

    def ask(
        self, *, stream: bool, tools: bool = False, think: bool = False, schema: bool = False, cap: int = 4000
    ) -> Said:
        more: dict[str, Any] = {}
        if tools:
            more["tools"] = [{"name": "weather", "description": "Looks outside.", "input_schema": WEATHER}]
        if think:
            more["thinking"] = {"type": "adaptive"}
        if schema:
            more["output_config"] = {"format": {"type": "json_schema", "schema": CITY}}
        if self.system:
            more["system"] = self.system
        asked: dict[str, Any] = {"model": self.model, "max_tokens": cap, "messages": self.history, **more}
        if stream:
            with self.sdk.messages.stream(**asked) as events:
                answer = events.get_final_message()
        else:
            answer = self.sdk.messages.create(**asked)
        self.history.append({"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in answer.content]})
        blocks: list[Any] = list(answer.content)
        for block in blocks:
            if block.type == "text":
                block.__dict__.pop("parsed_output", None)
        return Said(
            "".join(b.text for b in blocks if b.type == "text"),
            answer.stop_reason,
            [(b.id, b.name, b.input) for b in blocks if b.type == "tool_use"],
            "".join(b.thinking for b in blocks if b.type == "thinking"),
            answer.usage.input_tokens,
            answer.usage.cache_read_input_tokens,
            answer.usage.output_tokens,
        )


class Chat:
    def __init__(self, origin: str, model: str) -> None:
        self.sdk = gpt(origin)
        self.model = model
        self.history: list[Any] = []

    def user(self, text: str, *, image: bool = False, pdf: bool = False) -> None:
        parts: list[Any] = [{"type": "text", "text": text}]
        if image:
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
        if pdf:
            file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
            parts.append({"type": "file", "file": file})
        self.history.append({"role": "user", "content": parts if len(parts) > 1 else text})

    def results(self, told: list[tuple[tuple[str, str, Any], str]], *, image: bool = False) -> None:
        assert not image, "Chat has no images in results"
        self.history += [{"role": "tool", "tool_call_id": call[0], "content": text} for call, text in told]

    def ask(
        self, *, stream: bool, tools: bool = False, think: bool = False, schema: bool = False, cap: int = 4000
    ) -> Said:
        more: dict[str, Any] = {"max_completion_tokens": cap}
        if tools:
            function = {"name": "weather", "description": "Looks outside.", "parameters": WEATHER}
            more["tools"] = [{"type": "function", "function": function}]
        if think:
            more["reasoning_effort"] = "high"
        if schema:
            more["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": CITY, "strict": True},
            }
        asked: dict[str, Any] = {"model": self.model, "messages": self.history, **more}
        if stream:
            thought = ""
            with self.sdk.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
                try:
                    for event in events:
                        if event.type == "chunk" and event.chunk.choices:
                            thought += getattr(event.chunk.choices[0].delta, "reasoning_content", None) or ""
                    answer: Any = events.get_final_completion()
                except openai.LengthFinishReasonError as exc:
                    answer = exc.completion
                except openai.ContentFilterFinishReasonError:
                    return Said("", "content_filter")
        else:
            answer = self.sdk.chat.completions.create(**asked)
            thought = getattr(answer.choices[0].message, "reasoning_content", None) or ""
        message = answer.choices[0].message
        kept = message.model_dump(exclude_none=True)
        kept.pop("parsed", None)
        for call in kept.get("tool_calls") or ():
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        self.history.append(kept)
        usage = answer.usage
        read = usage.prompt_tokens_details.cached_tokens if usage and usage.prompt_tokens_details else None
        return Said(
            message.content or message.refusal or "",
            answer.choices[0].finish_reason,
            [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()],
            thought,
            usage and usage.prompt_tokens - (read or 0),
            read,
            usage and usage.completion_tokens,
        )


class Responses:
    def __init__(self, origin: str, model: str) -> None:
        self.sdk = gpt(origin)
        self.model = model
        self.history: list[Any] = []

    def user(self, text: str, *, image: bool = False, pdf: bool = False) -> None:
        parts: list[Any] = [{"type": "input_text", "text": text}]
        if image:
            parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"})
        if pdf:
            data = f"data:application/pdf;base64,{PDF}"
            parts.append({"type": "input_file", "filename": "a.pdf", "file_data": data})
        self.history.append({"role": "user", "content": parts if len(parts) > 1 else text})

    def results(self, told: list[tuple[tuple[str, str, Any], str]], *, image: bool = False) -> None:
        for (call_id, _, _), text in told:
            output: Any = text
            if image:
                picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
                output = [{"type": "input_text", "text": text}, picture]
            self.history.append({"type": "function_call_output", "call_id": call_id, "output": output})

    def ask(
        self, *, stream: bool, tools: bool = False, think: bool = False, schema: bool = False, cap: int = 4000
    ) -> Said:
        more: dict[str, Any] = {"max_output_tokens": cap, "store": False}
        if tools:
            more["tools"] = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
        if think:
            more |= {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        if schema:
            more["text"] = {"format": {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}}
        asked: dict[str, Any] = {"model": self.model, "input": self.history, **more}
        if stream:
            last: Any = None
            for event in self.sdk.responses.create(**asked, stream=True):
                last = event
            assert last.type in ("response.completed", "response.incomplete"), last
            answer: Any = last.response
        else:
            answer = self.sdk.responses.create(**asked)
        self.history += [item.model_dump(exclude_none=True) for item in answer.output]
        usage = answer.usage
        refused = [p.refusal for i in answer.output if i.type == "message" for p in i.content if p.type == "refusal"]
        return Said(
            answer.output_text + "".join(refused),
            answer.incomplete_details.reason if answer.incomplete_details else answer.status,
            [(i.call_id, i.name, json.loads(i.arguments)) for i in answer.output if i.type == "function_call"],
            "".join(s.text for i in answer.output if i.type == "reasoning" for s in i.summary),
            usage.input_tokens - usage.input_tokens_details.cached_tokens,
            usage.input_tokens_details.cached_tokens,
            usage.output_tokens,
        )


class Gemini:
    def __init__(self, origin: str, model: str) -> None:
        self.sdk = studio(origin)
        self.model = model
        self.history: list[gemini.Content] = []

    def user(self, text: str, *, image: bool = False, pdf: bool = False) -> None:
        parts = [gemini.Part(text=text)]
        if image:
            parts.append(gemini.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"))
        if pdf:
            parts.append(gemini.Part.from_bytes(data=base64.b64decode(PDF), mime_type="application/pdf"))
        self.history.append(gemini.Content(role="user", parts=parts))

    def results(self, told: list[tuple[tuple[str, str, Any], str]], *, image: bool = False) -> None:
        parts = []
        for (call_id, name, _), text in told:
            reply = gemini.FunctionResponse(id=call_id or None, name=name, response={"output": text})
            if image:
                blob = gemini.FunctionResponseBlob(data=base64.b64decode(PNG), mime_type="image/png")
                reply.parts = [gemini.FunctionResponsePart(inline_data=blob)]
            parts.append(gemini.Part(function_response=reply))
        self.history.append(gemini.Content(role="user", parts=parts))

    def ask(
        self, *, stream: bool, tools: bool = False, think: bool = False, schema: bool = False, cap: int = 4000
    ) -> Said:
        config = gemini.GenerateContentConfig(max_output_tokens=cap)
        if tools:
            call = gemini.FunctionDeclaration(name="weather", description="Looks.", parameters_json_schema=PLAIN)
            config.tools = [gemini.Tool(function_declarations=[call])]
            config.automatic_function_calling = gemini.AutomaticFunctionCallingConfig(disable=True)
        if think:
            config.thinking_config = gemini.ThinkingConfig(include_thoughts=True)
        if schema:
            config.response_mime_type, config.response_json_schema = "application/json", CITY
        asked: dict[str, Any] = {"model": self.model, "contents": self.history, "config": config}
        models = self.sdk.models
        answers = list(models.generate_content_stream(**asked)) if stream else [models.generate_content(**asked)]
        last: Any = answers[-1]
        parts: list[Any] = [
            part
            for answer in answers
            for candidate in answer.candidates or ()
            if candidate.content
            for part in candidate.content.parts or ()
        ]
        self.history.append(gemini.Content(role="model", parts=parts))
        usage = last.usage_metadata
        read = usage.cached_content_token_count or 0
        return Said(
            "".join(part.text for part in parts if part.text and not part.thought),
            last.candidates[0].finish_reason.value if last.candidates else last.prompt_feedback,
            [(p.function_call.id, p.function_call.name, p.function_call.args) for p in parts if p.function_call],
            "".join(part.text for part in parts if part.text and part.thought),
            usage.prompt_token_count - read,
            read,
            (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        )


CLIENTS: dict[str, Any] = {"messages": Messages, "chat": Chat, "responses": Responses, "gemini": Gemini}
