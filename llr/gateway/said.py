"""Whether an answer says anything: text, a tool call, thinking, a refusal, or a reason other than a plain stop.

Law: where it is not clear, something was said; only an answer in which nothing can be found is empty. Vendors may end a
turn without a word and count tokens for it (Claude does): that is an answer. No word and no token is a failure.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llr.base.names import FormatId
from llr.gateway.usage import usage_of_answer

# What a finish is called that tells nothing by itself. Tuples: an odd vendor's value may have no hash.
_CHAT_STOP = (None, "", "stop")
_MESSAGES_STOP = (None, "", "end_turn")
_GEMINI_STOP = (None, "", "STOP", "FINISH_REASON_UNSPECIFIED")


def rows(value: Any) -> Iterator[Mapping[str, Any]]:
    """Returns the objects of a list, nothing for anything else."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def in_choice(choice: Mapping[str, Any]) -> bool:
    """Returns whether a choice of a Chat or Completions answer or chunk says anything."""
    if choice.get("finish_reason") not in _CHAT_STOP or choice.get("text"):
        return True
    delta = choice.get("delta")
    said = delta if isinstance(delta, dict) else choice.get("message")
    return isinstance(said, dict) and any(said[key] for key in said if key != "role")


def in_block(block: Any) -> bool:
    """Returns whether a content block of Messages says anything: every one but a text without text does."""
    return not isinstance(block, dict) or block.get("type") != "text" or bool(block.get("text"))


def is_plain_end(delta: Mapping[str, Any]) -> bool:
    """Returns whether a Messages answer, or the delta that ends its stream, ended as a turn does."""
    return delta.get("stop_reason") in _MESSAGES_STOP


def in_item(item: Any) -> bool:
    """Returns whether an output item of Responses says anything: every one but a message without words does."""
    if not isinstance(item, dict) or item.get("type") != "message":
        return True
    content = item.get("content")
    return bool(content) and (not isinstance(content, list) or any(map(in_part, content)))


def in_part(part: Any) -> bool:
    """Returns whether a part of a Responses message says anything: every one but an empty text or refusal does."""
    if not isinstance(part, dict) or part.get("type") not in ("output_text", "refusal"):
        return True
    return bool(part.get("text") or part.get("refusal"))


def in_response(response: Mapping[str, Any]) -> bool:
    """Returns whether a Responses answer says anything; one that is not completed says that."""
    output = response.get("output") or []
    completed = response.get("status", "completed") == "completed"
    return not completed or not isinstance(output, list) or any(map(in_item, output))


def in_candidate(candidate: Mapping[str, Any]) -> bool:
    """Returns whether a candidate of a Gemini answer or chunk says anything."""
    if candidate.get("finishReason") not in _GEMINI_STOP:
        return True
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return any(part[key] for part in rows(parts) for key in part if key != "thought")


def _chat(value: Mapping[str, Any]) -> bool:
    return "choices" not in value or any(map(in_choice, rows(value["choices"])))


def _messages(value: Mapping[str, Any]) -> bool:
    content = value.get("content")
    return not isinstance(content, list) or not is_plain_end(value) or any(map(in_block, content))


def _responses(value: Mapping[str, Any]) -> bool:
    return value.get("object") != "response" or in_response(value)


def _gemini(value: Mapping[str, Any]) -> bool:
    if not ("candidates" in value or "usageMetadata" in value) or value.get("promptFeedback"):
        return True
    return any(map(in_candidate, rows(value.get("candidates"))))


_SAYS: Mapping[FormatId, Callable[[Mapping[str, Any]], bool]] = {
    FormatId.CHAT: _chat,
    FormatId.COMPLETIONS: _chat,
    FormatId.MESSAGES: _messages,
    FormatId.RESPONSES: _responses,
    FormatId.GEMINI: _gemini,
}


def is_empty(wire: FormatId, value: Mapping[str, Any]) -> bool:
    """Returns whether a whole answer came to nothing: nothing said, an ordinary end, and no output counted."""
    if _SAYS[wire](value):
        return False
    usage = usage_of_answer(wire, value)
    return usage is None or not usage.output
