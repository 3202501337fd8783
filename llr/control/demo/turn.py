"""What was asked and what is answered, without any vendor's words: each dialect reads the one and writes the other."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.control.demo.sample import is_plain, sample

Object: TypeAlias = "dict[str, JSON]"

# Model id -> what it does, in the order lists show them.
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "ok": "answers at once",
        "tools": "calls a tool it is offered, a simple one if it can, then answers with its result",
        "thinking": "thinks before it answers",
        "overloaded": "is always overloaded (529)",
        "rate-limited": "always refuses for a while (429 with Retry-After)",
        "slow": "sends its first byte after 20 seconds",
        "cut-midstream": "breaks the connection in the middle of its answer",
        "error-in-200": "answers 200 and then sends an error",
        "garbage": "answers 200 with bytes that mean nothing",
    }
)
# A quoted prompt this long says enough.
QUOTE_CHARS = 200


class BadRequest(Exception):
    """The request is not one that the vendor would take; the message says why. Answered with 400."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One tool that the request offers: its name and the JSON schema of its arguments."""

    name: str
    schema: JSON


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: `said` is the user's last text, `result` what a tool answered since the model last spoke.

    `tools` holds only what may be called (none when the request forbids it, one when it names one); `schema` is the
    shape that the answer must have; `body` the request itself.
    """

    model: str
    body: Object
    stream: bool = False
    said: str = ""
    result: str | None = None
    tools: tuple[Offer, ...] = ()
    schema: JSON = None


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, arguments as JSON text."""

    name: str
    arguments: Object

    @property
    def text(self) -> str:
        """Returns the arguments as JSON text."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: thoughts, then text or a tool call."""

    text: str = ""
    thoughts: str = ""
    call: Call | None = None
    input_tokens: int = 1

    @property
    def thought_tokens(self) -> int:
        """Returns what the thoughts cost."""
        return tokens(self.thoughts) if self.thoughts else 0

    @property
    def output_tokens(self) -> int:
        """Returns what everything cost, thoughts included."""
        spoken = self.text + (self.call.name + self.call.text if self.call else "")
        return tokens(spoken) + self.thought_tokens


@dataclass(frozen=True, slots=True)
class Meta:
    """What an answer needs besides its words: a source of ids, the instant in epoch seconds, the request's own id."""

    new_id: Callable[[str], str]
    created_at: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: the HTTP status and a sentence; each dialect has its own shape for it."""

    status: int
    message: str
    retry_after_s: int | None = None


OVERLOADED = Failure(529, "The demo model is overloaded, as its name says.")
RATE_LIMITED = Failure(429, "The demo model takes no request for 30 seconds, as its name says.", retry_after_s=30)
# What `error-in-200` sends after the head was already good.
LATE = Failure(529, "The demo model answered 200 and failed afterwards, as its name says.")
GARBAGE = b"<!doctype html>\n<h1>It works!</h1>\x00\xff\xfe\x8b nothing here is JSON {"


def tokens(text: str) -> int:
    """Returns a rough token count, never below 1: four characters to a token."""
    return max(1, len(text) // 4)


def pieces(text: str) -> Iterator[str]:
    """Yields `text` in pieces of about three words, as a model streams it."""
    yield from re.findall(r"(?:\S+\s*){1,3}|\s+", text)


def halves(text: str) -> tuple[str, str]:
    """Returns `text` in two parts: arguments arrive in several deltas, and a client must join them."""
    return text[: len(text) // 2], text[len(text) // 2 :]


def obj(value: JSON) -> Object:
    """Returns `value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: JSON) -> list[JSON]:
    """Returns `value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def string(value: JSON) -> str:
    """Returns `value` when it is a text, else ""."""
    return value if isinstance(value, str) else ""


def text_of(content: JSON) -> str:
    """Returns the text in a message's content, be it a string or a list of parts with `text`."""
    if isinstance(content, str):
        return content
    return "\n".join(text for text in (string(obj(part).get("text")) for part in items(content)) if text)


def choose(offers: tuple[Offer, ...], *, forced: str | None, forbidden: bool) -> tuple[Offer, ...]:
    """Returns the tools that may be called: none when forbidden, the forced one when it is offered."""
    if forbidden:
        return ()
    named = tuple(offer for offer in offers if offer.name == forced)
    return named or offers


def plainest(offers: tuple[Offer, ...]) -> Offer:
    """Returns the first tool whose arguments the demo can make sense of, else the first one.

    Coding tools list those first that start a whole conversation of their own.
    """
    return next((offer for offer in offers if is_plain(offer.schema)), offers[0])


def compose(turn: Turn) -> Answer:
    """Returns the answer of a model that does answer."""
    cost = tokens(json.dumps(turn.body, ensure_ascii=False))
    if turn.schema is not None:
        return Answer(json.dumps(sample(turn.schema), ensure_ascii=False), input_tokens=cost)
    if turn.model == "tools" and turn.result is None and turn.tools:
        offer = plainest(turn.tools)
        return Answer(call=Call(offer.name, obj(sample(offer.schema))), input_tokens=cost)
    quote = turn.said.strip()[:QUOTE_CHARS]
    text = f"Hello from the demo model {turn.model}."
    if turn.result is not None:
        text += f" The tool answered: {turn.result.strip()[:QUOTE_CHARS]}"
    elif turn.model == "tools":
        text += " Offer me a tool and I will call it."
    elif quote:
        text += f" You said: {quote}"
    thoughts = "The user wrote to the demo. A short and friendly answer will do." if turn.model == "thinking" else ""
    return Answer(text, thoughts, input_tokens=cost)
