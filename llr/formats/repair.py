"""What an upstream's 400 says is wrong with a body, mended once and remembered.

Law: pure; a repair removes or rewrites exactly what the error names, never the conversation's text; what it returns as
learned makes `translate.encode` produce the mended body from then on.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.formats.fields import (
    DROP,
    LIMIT,
    MESSAGE,
    PART,
    RENAME,
    SCHEMA,
    SCHEMA_IN_WORDS,
    SIGN_CALLS,
    apply_learned,
)
from llr.formats.ids import NINE, CallIds
from llr.formats.reading import rows, table, tables, text, words

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Repair:
    """A mended body. `learned` is what to remember for this provider and model, "" when only this call was wrong."""

    learned: str
    body: Body


# Learned marks that are no field names.
NO_THINKING_HISTORY = "drop:thinking-history"
NO_SYSTEM_ROLE = "no-system-role"
NO_DEVELOPER_ROLE = "no-developer-role"
ADAPTIVE, BUDGET = "thinking:adaptive", "thinking:budget"
REASONING_REQUIRED = "reasoning:required"
SEARCH_NAME = "search:web_search"
NINE_IDS = "nine-ids"

# Fields no repair may take away: without them there is no request.
_NEEDED = frozenset(
    ("model", "messages", "input", "contents", "prompt", "stream", "tools", "system", "instructions", "max_tokens")
)
# What messages, their parts and tools cannot be without.
_PARTS_NEED = words(
    "content role type text parts name id function functions arguments args input tool_call_id tool_use_id call_id "
    "tool_calls functionCall functionResponse function_call image_url url source data parameters input_schema"
)
_MESSAGE_NAME = re.compile(r"messages(?:\.\d+)?\.name")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_REFUSAL = re.compile(r"(?i)unsupported|unknown|not supported|unrecognized|not permitted|must be verified")
_Q = r"[`'\"]"
_NAME = r"([A-Za-z_][\w.\[\]-]*)"
_UNSUPPORTED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:unsupported|unknown|unrecognized|invalid|unexpected) (?:request )?"
        rf"(?:parameter|argument|field|key|property)(?: supplied)?s?:? {_Q}?{_NAME}{_Q}?",
        rf"unsupported value: {_Q}{_NAME}{_Q} does not support",
        rf"{_Q}?{_NAME}{_Q}?: extra inputs are not permitted",
        rf"extra inputs are not permitted[^\w]+(?:field|loc)[^\w]+{_NAME}",
        rf"property {_Q}{_NAME}{_Q} is unsupported",
        rf"unknown name {_Q}{_NAME}{_Q}",
        rf"{_Q}{_NAME}{_Q} (?:is|are) (?:deprecated|not (?:supported|permitted|allowed|available|enabled))",
        rf"(?:parameter|argument|field) {_Q}?{_NAME}{_Q}? is not (?:supported|permitted|allowed)",
        rf"does(?:n't| not) support (?:the )?(?:parameter )?{_Q}?{_NAME}{_Q}? ?(?:parameter|field)?",
        rf"got an unexpected keyword argument {_Q}{_NAME}{_Q}",
        rf"(?:argument|parameter) not supported on this model: {_Q}?{_NAME}",
        rf"{_Q}temperature{_Q} and {_Q}(top_p){_Q} cannot both",
    )
)
_INSTEAD = re.compile(rf"{_Q}{_NAME}{_Q}[^.]*\.? *use {_Q}{_NAME}{_Q} instead", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"(?i)invalid [`'\"]?signature|bound to a different conversation|thinking[`'\"]? blocks?.{0,80}cannot be modified"
    r"|encrypted[_ ]content.{0,60}(?:could not|cannot|can't) be (?:verified|decrypted|decoded)"
    r"|invalid_encrypted_content|thought[_ ]?signature.{0,40}(?:invalid|not valid|corrupt)"
    r"|(?:corrupt\w*|invalid) thought[_ ]?signature"
    r"|item (?:with id )?[`'\"]\w+[`'\"] (?:not found|of type [`'\"]\w+[`'\"] was provided without its required)"
)
_UNSIGNED = re.compile(r"(?i)missing a [`'\"]?thought_?signature")
_NO_GEMINI_THINKING = re.compile(
    r"(?i)thinking(?:[ _](?:level|budget|config|mode)\w*)?\b.{0,60}(?:not supported|is invalid|only enabled when)"
)
_NO_SCHEMA_ANSWER = re.compile(
    r"(?i)response_format.{0,60}(?:unavailable|not (?:supported|available))"
    r"|json_schema.{0,60}not (?:supported|available)"
)
_EXPECTED_THINKING = re.compile(r"(?i)expected [`'\"]?thinking[`'\"]?.{0,60}but found")
_NO_MANUAL = re.compile(
    r"(?i)(?:budget_tokens|thinking\.type\.enabled|thinking\.enabled).{0,80}(?:not supported|adaptive)"
)
_NO_ADAPTIVE = re.compile(r"(?i)adaptive.{0,60}(?:not supported|not available|does not match|input tag)")
_SYSTEM_ROLE = re.compile(
    r"(?i)role [`'\"]?system[`'\"]? is not supported|unexpected role [`'\"]?system"
    r"|messages\.\d+\.role: input should be [^.]*assistant"
)
_DEVELOPER_ROLE = re.compile(
    r"(?i)developer[`'\"]? (?:is not one of|role is not)|(?:unknown|unsupported|invalid|unexpected) (?:message )?role"
    r".{0,20}developer|role.{0,40}input should be.{0,80}got.{0,10}developer"
    r"|role[`'\"]? does not support [`'\"]developer"
)
_MISSING_REASONING = re.compile(
    r"(?i)(?:missing|must|required|need).{0,60}reasoning_content|reasoning_content.{0,60}(?:missing|required|must)"
)
_TOO_MANY_TOKENS = re.compile(
    r"(?i)max(?:_completion|_output)?_tokens:? ?\d+ ?(?:>|exceeds|is too large)[^\d]{0,80}(\d+)"
    r"|max(?:_completion|_output)?_tokens.{0,60}(?:at most|less than or equal to|maximum(?: allowed)?(?: is| of)?|<=)"
    r"[^\d]{0,20}(\d+)"
)
_NINE = re.compile(r"(?i)tool[_ ]call[_ ]id.{0,120}length of 9")
_SCHEMA = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"unknown name {_Q}{_NAME}{_Q} at {_Q}[^'\"]*(?:parameters|schema|items|properties)",
        rf"invalid schema.{{0,200}}?{_Q}(\$?[A-Za-z]\w*){_Q} is not (?:permitted|supported|allowed)",
        rf"(?:schema|input_schema|parameters).{{0,120}}(?:keyword|property|field) {_Q}(\$?[A-Za-z]\w*){_Q}",
        rf"(?:for|in) {_Q}?\w+{_Q}? type, (?:property|properties) {_Q}(\w+){_Q} (?:is|are) not supported",
        rf"{_Q} is not a valid (format)\b",
        r"(?:parameters|schema|properties)\S*\.(\w+): only ",
    )
)
_SEARCH = re.compile(
    r"(?i)unsupported tool|tool type is not supported|tool is not supported|does not support tool|not supported"
)


def repair(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    """Returns the mended body for an upstream's refusal of `body`, None when the error names nothing we can mend."""
    if fault.kind is not ErrorKind.INVALID_REQUEST or fault.http_status not in (400, 422):
        return None
    for step in _STEPS:
        found = step(fault, body, upstream)
        if found is not None and found.body != body:
            return found
    return None


def _thinking_history(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    said = f"{fault.code} {fault.message}"
    if not _SIGNATURE.search(said):
        return None
    mended = without_thinking(body, upstream)
    return Repair("", apply_learned(mended, (SIGN_CALLS,)) if upstream is FormatId.GEMINI else mended)


def _unsigned(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    """Calls of other models, for a model that wants each turn's first one signed."""
    if upstream is not FormatId.GEMINI or not _UNSIGNED.search(fault.message):
        return None
    return Repair(SIGN_CALLS, apply_learned(body, (SIGN_CALLS,)))


def _gemini_thinking(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    if upstream is not FormatId.GEMINI or not _NO_GEMINI_THINKING.search(fault.message):
        return None
    learned = f"{DROP}generationConfig.thinkingConfig"
    return Repair(learned, apply_learned(body, (learned,)))


def _schema_answer(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    """A server that answers in JSON but not by a schema: it is told the schema in words."""
    if upstream is not FormatId.CHAT or not _NO_SCHEMA_ANSWER.search(fault.message):
        return None
    return Repair(SCHEMA_IN_WORDS, apply_learned(body, (SCHEMA_IN_WORDS,)))


def without_thinking(body: Body, upstream: FormatId) -> Body:
    """Returns `body` without replayed reasoning: blocks, items or fields, as the format has them."""
    if upstream is FormatId.MESSAGES:
        return {**body, "messages": list(_without_blocks(body.get("messages")))}
    if upstream is FormatId.RESPONSES and isinstance(body.get("input"), list):
        # An item with an id is looked up, and then wants the reasoning that stood before it.
        left = [(item, table(item).get("type")) for item in body["input"]]
        return {
            **body,
            "input": [
                item if kind == "item_reference" else _without_keys(item, ("id",))
                for item, kind in left
                if kind != "reasoning"
            ],
        }
    if upstream is FormatId.GEMINI:
        return {**body, "contents": [_without_thoughts(content) for content in rows(body.get("contents"))]}
    if upstream is FormatId.CHAT:
        gone = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
        return {**body, "messages": [_without_keys(item, gone) for item in rows(body.get("messages"))]}
    return body


def _without_thoughts(content: Any) -> Any:
    parts = table(content).get("parts")
    if not isinstance(parts, list):
        return content
    left = [_without_keys(part, ("thoughtSignature",)) for part in parts if table(part).get("thought") is not True]
    return {**content, "parts": left or parts}


def _without_blocks(messages: Any) -> Iterator[Any]:
    for message in rows(messages):
        content = table(message).get("content")
        if not isinstance(content, list):
            yield message
            continue
        left = [block for block in content if table(block).get("type") not in ("thinking", "redacted_thinking")]
        if left:
            yield message if len(left) == len(content) else {**message, "content": left}


def _without_keys(item: Any, keys: tuple[str, ...]) -> Any:
    if not isinstance(item, dict) or not any(key in item for key in keys):
        return item
    return {key: value for key, value in item.items() if key not in keys}


def _thinking_mode(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    if upstream is not FormatId.MESSAGES or "thinking" not in body:
        return None
    kind = table(body["thinking"]).get("type")
    if _EXPECTED_THINKING.search(fault.message):
        return Repair("", {key: value for key, value in body.items() if key != "thinking"})
    if kind == "enabled" and _NO_MANUAL.search(fault.message):
        return Repair(ADAPTIVE, {**body, "thinking": {"type": "adaptive"}})
    if kind == "adaptive" and _NO_ADAPTIVE.search(fault.message):
        return Repair(BUDGET, {key: value for key, value in body.items() if key != "thinking"})
    return None


def _roles(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    messages = rows(body.get("messages"))
    if upstream is FormatId.MESSAGES and _SYSTEM_ROLE.search(fault.message):
        return Repair(NO_SYSTEM_ROLE, {**body, "messages": _instructions_as_text(messages)})
    if upstream is FormatId.CHAT and _DEVELOPER_ROLE.search(fault.message):
        renamed = [{**m, "role": "system"} if table(m).get("role") == "developer" else m for m in messages]
        return Repair(NO_DEVELOPER_ROLE, {**body, "messages": renamed})
    return None


def _instructions_as_text(messages: list[Any]) -> list[Any]:
    """Returns the messages with `system` ones as marked text of the user's turn, consecutive user turns merged."""
    out: list[Any] = []
    for message in messages:
        if table(message).get("role") == "system":
            content = message.get("content")
            words = content if isinstance(content, str) else "\n".join(text(b.get("text")) for _, b in tables(content))
            block = {"type": "text", "text": f"<system-instruction>\n{words}\n</system-instruction>"}
            message = {"role": "user", "content": [block]}
        if out and message.get("role") == "user" == out[-1].get("role"):
            out[-1] = {**out[-1], "content": [*_blocks(out[-1]), *_blocks(message)]}
        else:
            out.append(message)
    return out


def _blocks(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else rows(content)


def _reasoning_required(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    if upstream is not FormatId.CHAT or not _MISSING_REASONING.search(fault.message):
        return None
    mended = [
        {**m, "reasoning_content": ""} if table(m).get("tool_calls") and "reasoning_content" not in m else m
        for m in rows(body.get("messages"))
    ]
    return Repair(REASONING_REQUIRED, {**body, "messages": mended})


def _nine_ids(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    if upstream is not FormatId.CHAT or not _NINE.search(fault.message):
        return None
    ids = CallIds(NINE)
    messages: list[Any] = []
    for message in rows(body.get("messages")):
        calls = [{**call, "id": ids.call(text(call.get("id")))} for _, call in tables(table(message).get("tool_calls"))]
        if calls:
            message = {**message, "tool_calls": calls}
        elif table(message).get("role") == "tool":
            message = {**message, "tool_call_id": ids.result(text(message.get("tool_call_id"))) or "000000000"}
        else:
            ids.turn()
        messages.append(message)
    return Repair(NINE_IDS, {**body, "messages": messages})


def _token_limit(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    match = _TOO_MANY_TOKENS.search(fault.message)
    if match is None:
        return None
    learned = f"{LIMIT}{match.group(1) or match.group(2)}"
    return Repair(learned, apply_learned(body, (learned,)))


def _renamed(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    match = _INSTEAD.search(fault.message)
    if match is None or match.group(1) not in body:
        return None
    learned = f"{RENAME}{match.group(1)}={match.group(2)}"
    return Repair(learned, apply_learned(body, (learned,)))


def _schema_keyword(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    for pattern in _SCHEMA:
        match = pattern.search(fault.message)
        if match is not None and match.group(1) not in ("type", "properties"):
            learned = f"{SCHEMA}{match.group(1)}"
            return Repair(learned, apply_learned(body, (learned,)))
    return None


def _search_name(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    """A server that knows only the final name of the hosted search; naming the tool in `tool_choice` goes with it."""
    said = fault.message
    if upstream is not FormatId.RESPONSES or "web_search_preview" not in said or not _SEARCH.search(said):
        return None
    return Repair(SEARCH_NAME, apply_learned(body, (SEARCH_NAME,)))


def _unsupported(fault: Fault, body: Body, upstream: FormatId) -> Repair | None:
    for name in _named(fault):
        path = re.sub(r"\[(\d+)\]", r".\1", name).strip(".").removeprefix("body.")
        # Some servers call a field by the name it has in their own code.
        spelt = (path, _HUMP.sub("_", path).lower())
        for learned in (way for one in dict.fromkeys(spelt) for way in _ways(one)):
            mended = apply_learned(body, (learned,))
            if mended != body:
                return Repair(learned, mended)
    return None


def _named(fault: Fault) -> Iterator[str]:
    for pattern in _UNSUPPORTED:
        for match in pattern.finditer(fault.message):
            yield match.group(1)
    if fault.param and _REFUSAL.search(f"{fault.code} {fault.message}"):
        yield fault.param


def _ways(path: str) -> Iterator[str]:
    """Yields what may be learned from a path: a field of the body, or a key that its parts must not have."""
    head, _, _ = path.partition(".")
    last = path.rpartition(".")[2]
    if head in ("messages", "input", "contents", "tools", "system"):
        if _MESSAGE_NAME.fullmatch(path):
            yield f"{MESSAGE}{last}"
        elif last not in _NEEDED and not last.isdigit() and last not in _PARTS_NEED:
            yield f"{PART}{last}"
        return
    if path not in _NEEDED:
        yield f"{DROP}{path}"
    if last != path and last not in _NEEDED:
        yield f"{DROP}{last}"
    yield f"{DROP}generationConfig.{last}"
    yield f"{DROP}output_config.{last}"
    if last not in _NEEDED and last not in _PARTS_NEED and "." not in path:
        yield f"{PART}{last}"


_STEPS: tuple[Callable[[Fault, Body, FormatId], Repair | None], ...] = (
    _thinking_history,
    _thinking_mode,
    _roles,
    _unsigned,
    _gemini_thinking,
    _schema_answer,
    _reasoning_required,
    _nine_ids,
    _token_limit,
    _renamed,
    _search_name,
    _schema_keyword,
    _unsupported,
)
