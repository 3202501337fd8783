"""The legacy OpenAI Completions format: a prompt in, text out. Upstreams of any other format answer it as one turn."""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, dumps, quote
from llr.base.names import FormatId
from llr.formats.base import Encoded, Format, Meta, Target
from llr.formats.errors import stream_fault
from llr.formats.fields import filtered, luggage_losses, option_losses
from llr.formats.foreign import plain_text
from llr.formats.openai_chat import FORMAT as CHAT_FORMAT
from llr.formats.openai_chat.chunks import ChunkEncoder
from llr.formats.openai_chat.response import REASONS, STOPS
from llr.formats.openai_chat.stream import StreamDecoder
from llr.formats.openai_chat.usage import decode_usage, encode_usage
from llr.formats.reading import boolean, instant, integer, luggage, number, table, tables, text, texts, unload, words
from llr.ir.events import Finish, PartDelta, PartStart, Start, Stop
from llr.ir.loss import Loss
from llr.ir.parts import Message, Refusal, Role, Text
from llr.ir.request import ChatRequest, Options
from llr.ir.response import ChatResponse

COMPLETIONS = FormatId.COMPLETIONS
_KNOWN = words(
    "model prompt stream max_tokens temperature top_p stop seed presence_penalty frequency_penalty logit_bias n user "
    "stream_options suffix echo best_of logprobs"
)
_CHUNK = words("id object created model choices usage")
# Fields only a text-completion engine can honour, with the values that ask for nothing.
_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "suffix": (None, ""),
    "echo": (None, False),
    "best_of": (None, 1),
    "logprobs": (None, 0),
}


def _prompt(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    raise fail(
        ErrorKind.INVALID_REQUEST,
        "prompt must be one string here: several prompts or token ids need a model with a completions endpoint",
        param="prompt",
    )


def decode_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request a completions body makes: its prompt as one user turn.

    Raises `GatewayError(INVALID_REQUEST)` for what only a text-completion engine can do.
    """
    for name, nothing in _DEFAULTS.items():
        if body.get(name) not in nothing:
            raise fail(ErrorKind.INVALID_REQUEST, f"{name} needs a model with a completions endpoint", param=name)
    options = Options(
        max_tokens=integer(body.get("max_tokens")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stop=texts(body.get("stop")),
        seed=integer(body.get("seed")),
        presence_penalty=number(body.get("presence_penalty")),
        frequency_penalty=number(body.get("frequency_penalty")),
        logit_bias=body.get("logit_bias"),
        n=integer(body.get("n")),
        user=text(body.get("user")),
        include_usage=boolean(table(body.get("stream_options")).get("include_usage")),
    )
    return ChatRequest(
        model=text(body.get("model")),
        messages=(Message(Role.USER, (Text(_prompt(body.get("prompt")), at="prompt"),), at="prompt"),),
        options=options,
        stream=body.get("stream") is True,
        extras=luggage(COMPLETIONS, body, _KNOWN),
    )


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns a completions body: every text of the conversation as one prompt."""
    options = request.options
    losses: list[Loss] = luggage_losses(request.extras, COMPLETIONS)
    lines = [said for part in request.system if (said := plain_text(part))]
    for message in request.messages:
        for part in message.parts:
            said = plain_text(part)
            if said is None:
                losses.append(Loss(part.at, type(part).__name__.lower(), "a prompt holds only text"))
            elif said:
                lines.append(said)
    losses += [Loss(tool.at, "tool", "this format has no tools") for tool in request.tools]
    losses += option_losses(options, ("top_k", "output", "verbosity", "parallel_tools"), "not a field of this format")
    body: dict[str, Any] = {"model": target.model, "prompt": "\n\n".join(lines), "stream": request.stream}
    for name in ("max_tokens", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "n", "user"):
        value = getattr(options, name)
        if value not in (None, ""):
            body[name] = value
    if options.stop:
        body["stop"] = list(options.stop)
    if request.stream and options.include_usage is not None:
        body["stream_options"] = {"include_usage": options.include_usage}
    unload(request.extras, COMPLETIONS, body)
    return Encoded(filtered(body, target), tuple(losses))


def decode_response(body: Mapping[str, JSON]) -> ChatResponse:
    """Returns the answer in a body. Raises `GatewayError` for an error object or something else in a 200."""
    choices = [choice for _, choice in tables(body.get("choices"))]
    if body.get("error"):
        raise GatewayError(stream_fault(dict(body)))
    if not choices:
        raise fail(ErrorKind.UPSTREAM_INVALID, "the upstream's answer is not a completion: it has no choices")
    said = text(choices[0].get("text"))
    return ChatResponse(
        id=text(body.get("id")),
        model=text(body.get("model")),
        parts=(Text(said),) if said else (),
        stop=STOPS.get(text(choices[0].get("finish_reason")), Stop.DONE),
        created_at=instant(body.get("created")),
        usage=decode_usage(body.get("usage"), whole=True),
        extras=luggage(COMPLETIONS, body, _CHUNK),
    )


def _id(upstream_id: str, meta: Meta) -> str:
    if not upstream_id:
        return meta.ids.new("cmpl-")
    return upstream_id if upstream_id.startswith("cmpl-") else f"cmpl-{upstream_id}"


def _reason(stop: Stop) -> str:
    reason = REASONS[stop]
    return "stop" if reason == "tool_calls" else reason


def encode_response(response: ChatResponse, meta: Meta) -> dict[str, JSON]:
    """Returns a text completion with one choice."""
    said = "".join(part.text for part in response.parts if isinstance(part, Text | Refusal))
    body: dict[str, Any] = {
        "id": _id(response.id, meta),
        "object": "text_completion",
        "created": int(response.created_at or meta.created_at),
        "model": meta.model or response.model,
        "choices": [{"text": said, "index": 0, "logprobs": None, "finish_reason": _reason(response.stop)}],
    }
    if response.usage is not None:
        body["usage"] = encode_usage(response.usage)
    unload(response.extras, COMPLETIONS, body)
    return body


class StreamEncoder(ChunkEncoder):
    """Events in, bytes of a completions stream out; only text has a place in it."""

    def __init__(self, meta: Meta) -> None:
        super().__init__(meta)
        self._head = self._tail = b""
        self._speaks = False

    def _on_start(self, start: Start) -> list[bytes]:
        self._begin(start, _id(start.id, self._meta), "text_completion")
        self._head = b"data: " + dumps(self._frame)[:-1] + b',"choices":[{"text":'
        self._tail = b',"index":0,"logprobs":null,"finish_reason":null}]}\n\n'
        return []

    def _on_part(self, event: PartStart) -> list[bytes]:
        self._speaks = isinstance(event.part, Text | Refusal)
        return []

    def _on_delta(self, event: PartDelta) -> list[bytes]:
        return [self._head + quote(event.text) + self._tail] if self._speaks and event.text else []

    def _on_finish(self, event: Finish) -> list[bytes]:
        return self._close({"text": "", "index": 0, "logprobs": None, "finish_reason": _reason(event.stop)})


FORMAT = Format(
    id=COMPLETIONS,
    decode_request=decode_request,
    encode_request=encode_request,
    decode_response=decode_response,
    encode_response=encode_response,
    # A text-completion chunk is a Chat chunk with `text` where the delta would be.
    stream_decoder=StreamDecoder,
    stream_encoder=StreamEncoder,
    decode_fault=CHAT_FORMAT.decode_fault,
    encode_fault=CHAT_FORMAT.encode_fault,
    fault_event=CHAT_FORMAT.fault_event,
    ping=CHAT_FORMAT.ping,
)
