"""What the scripted vendors say: neutral turns, chosen by a word in the first user message."""

import json
from dataclasses import dataclass, field
from typing import Any

KEY = "upstream-key-of-the-operator"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJeLjz9MKMSAwIG9iago8PD4+CmVuZG9iagp0cmFpbGVyCjw8Pj4KJSVFT0YK"
WORDS = "Grüße aus dem Süden 🌍, said the vendor."
SECRET_THOUGHT = "I should look outside first."
# What each vendor seals its thoughts with; anything else that comes back is a forgery.
SEALS = {"m": "RXFRQkNrWUlCeGdDS2tEbWVzc2FnZXM=", "r": "Z0FBQUFBQm9yZXNwb25zZXM=", "g": "Q2lRQjBlMkdlbWluaQ=="}
REFUSED = "I will not do that."
USAGE = {"fresh": 70, "read": 30, "output": 20}


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One answer: thinking, text and calls in this order, and why it ended (end, tools, length, stop, refusal)."""

    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    stop: str = "end"


@dataclass
class Asked:
    """What a request says, whatever its format."""

    script: str = ""
    turns: int = 0
    system: str = ""
    results: list[str] = field(default_factory=list)
    media: list[tuple[str, str]] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    schema: Any = None
    tools: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


PARIS = Call("call_1", "weather", {"city": "Paris", "days": 3})
ROME = Call("call_2", "weather", {"city": 'Rom\u00e9 "quoted" \\ 🌍', "days": 1})


def answer(asked: Asked) -> Turn:
    """Returns the scripted turn."""
    name = asked.script
    if name in ("tool", "parallel", "think", "toolimage"):
        if asked.turns:
            seen = "; ".join(asked.results)
            return Turn(text=f"Results: {seen}", thought=SECRET_THOUGHT if name == "think" else "")
        calls = (PARIS, ROME) if name == "parallel" else (PARIS,)
        return Turn(
            "Checking." if name == "parallel" else "", SECRET_THOUGHT if name == "think" else "", calls, "tools"
        )
    if name in ("image", "pdf", "images"):
        return Turn(text=" ".join(f"{kind}:{len(data)}" for kind, data in asked.media))
    if name == "json":
        return Turn(text='{"city": "Paris"}')
    if name == "system":
        return Turn(text=f"system={asked.system}")
    if name in ("length", "stop"):
        return Turn(text="It goes on and", stop=name)
    if name == "refusal":
        return Turn(text=REFUSED, stop="refusal")
    return Turn(text=WORDS)


def pieces(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
