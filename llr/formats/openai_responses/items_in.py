"""Input items of a Responses request, read into turns.

Law: every item becomes exactly one run of parts, in order, so that the items can be written again one for one.
Consecutive items of the assistant (reasoning, messages, calls) are one turn, consecutive outputs of tools likewise.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.formats import reading
from llr.formats.carrier import is_carrier
from llr.formats.openai_responses import content_in
from llr.formats.openai_responses.content_in import OWN
from llr.ir.parts import (
    NO_EXTRAS,
    Extras,
    Message,
    Opaque,
    Part,
    Reasoning,
    Role,
    Seal,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
)

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.DEVELOPER}
# Items without a place in a turn, whose meaning is carried elsewhere (`tools`). They keep their place by number.
PLACED = frozenset(("additional_tools",))
# The name of a client-run search for tools, as other formats see it.
TOOL_SEARCH = "tool_search"
# Items that bring tools of their own.
TOOL_BRINGERS = frozenset(("additional_tools", "tool_search_output"))
# Opaque items that stand on the user's side of the conversation.
_USER_SIDE = reading.words(
    "computer_call_output mcp_approval_response item_reference program_output configuration_update compaction_trigger"
)


def seal(fields: Mapping[str, Any]) -> Seal | None:
    """Returns the seal of a reasoning item: a carrier as text, the vendor's own with the id it is bound to."""
    sealed = reading.text(fields.get("encrypted_content"))
    if not sealed:
        return None
    item_id = reading.text(fields.get("id"))
    if is_carrier(sealed) or not item_id:
        return Seal(FormatId.RESPONSES, sealed)
    return Seal(FormatId.RESPONSES, {"id": item_id, "encrypted_content": sealed})


def reasoning(fields: Mapping[str, Any], at: str) -> Reasoning:
    """Returns a reasoning item as a part."""
    summary = tuple(reading.text(each.get("text")) for _, each in reading.tables(fields.get("summary")))
    text = "".join(reading.text(each.get("text")) for _, each in reading.tables(fields.get("content")))
    found = seal(fields)
    note: dict[str, Any] = {key: value for key, value in fields.items() if key not in ("summary", "encrypted_content")}
    if found is not None:
        note["~sealed"] = True
    extras: Extras = {OWN: {"~item": note}}
    return Reasoning(text, summary, found, found is not None and not text and not any(summary), extras, at)


def _note(fields: Mapping[str, Any], known: frozenset[str]) -> Extras:
    rest = {key: value for key, value in fields.items() if key not in known}
    return {OWN: {"~item": rest}} if rest else NO_EXTRAS


_CALL = frozenset(("type", "call_id", "name", "arguments", "namespace"))
_CUSTOM = frozenset(("type", "call_id", "name", "input", "namespace"))


def arguments_text(value: Any) -> str:
    """Returns the arguments of a call as text, whatever they were written as."""
    return value if isinstance(value, str) else dumps(value if value is not None else {}).decode()


def _function(fields: Mapping[str, Any], at: str) -> Part:
    call_id = reading.text(fields.get("call_id")) or reading.text(fields.get("id"))
    name, space = reading.text(fields.get("name")), reading.text(fields.get("namespace"))
    return ToolCall(
        call_id, name, arguments_text(fields.get("arguments")), ToolKind.FUNCTION, space, None, _note(fields, _CALL), at
    )


def _custom(fields: Mapping[str, Any], at: str) -> Part:
    call_id = reading.text(fields.get("call_id")) or reading.text(fields.get("id"))
    name, space = reading.text(fields.get("name")), reading.text(fields.get("namespace"))
    body = reading.text(fields.get("input"))
    return ToolCall(call_id, name, body, ToolKind.CUSTOM, space, None, _note(fields, _CUSTOM), at)


def _fixed(kind: ToolKind, field: str) -> Callable[[Mapping[str, Any], str], Part]:
    known = frozenset(("type", "call_id", field))

    def call(fields: Mapping[str, Any], at: str) -> Part:
        call_id = reading.text(fields.get("call_id")) or reading.text(fields.get("id"))
        return ToolCall(
            call_id, kind.value, arguments_text(fields.get(field)), kind, "", None, _note(fields, known), at
        )

    return call


_SEARCH = frozenset(("type", "call_id", "arguments"))


def _search(fields: Mapping[str, Any], at: str) -> Part:
    """Returns a search for tools that the client runs as a call; one that the vendor ran stays whole."""
    call_id = reading.text(fields.get("call_id"))
    if fields.get("execution") != "client" or not call_id:
        return Opaque(OWN, dict(fields), at)
    note = {key: value for key, value in fields.items() if key not in _SEARCH}
    extras: Extras = {OWN: {"~item": note, "~search": True}}
    return ToolCall(call_id, TOOL_SEARCH, arguments_text(fields.get("arguments")), extras=extras, at=at)


def _found(fields: Mapping[str, Any], at: str) -> Part:
    """Returns the tools such a search found as its result; `tools` declares them."""
    call_id = reading.text(fields.get("call_id"))
    if fields.get("execution") != "client" or not call_id:
        return Opaque(OWN, dict(fields), at)
    names = [reading.text(each.get("name")) for _, each in reading.tables(fields.get("tools"))]
    said = f"Tools you can call now: {', '.join(names)}" if names else "No tool was found."
    note = {key: value for key, value in fields.items() if key not in ("type", "call_id")}
    return ToolResult(call_id, (Text(said),), extras={OWN: {"~item": note, "~search": True}}, at=at)


CALLS: Mapping[str, Callable[[Mapping[str, Any], str], Part]] = {
    "tool_search_call": _search,
    "function_call": _function,
    "custom_tool_call": _custom,
    "local_shell_call": _fixed(ToolKind.LOCAL_SHELL, "action"),
    "shell_call": _fixed(ToolKind.SHELL, "action"),
    "apply_patch_call": _fixed(ToolKind.APPLY_PATCH, "operation"),
}
_OUTPUTS = {
    "function_call_output": ToolKind.FUNCTION,
    "custom_tool_call_output": ToolKind.CUSTOM,
    "local_shell_call_output": ToolKind.LOCAL_SHELL,
    "shell_call_output": ToolKind.SHELL,
    "apply_patch_call_output": ToolKind.APPLY_PATCH,
}
_OUTPUT_KEYS = frozenset(("type", "call_id", "output"))


def _shell_text(output: Any) -> str:
    """Returns what a shell tool printed, as text for targets without shell items."""
    lines: list[str] = []
    for _, chunk in reading.tables(output):
        outcome = reading.table(chunk.get("outcome"))
        lines += [reading.text(chunk.get(stream)) for stream in ("stdout", "stderr") if chunk.get(stream)]
        if outcome.get("type") == "timeout":
            lines.append("[timed out]")
        elif outcome.get("exit_code"):
            lines.append(f"[exit code {outcome['exit_code']}]")
    return "\n".join(lines)


def _result(fields: Mapping[str, Any], kind: ToolKind, at: str) -> ToolResult:
    call_id = reading.text(fields.get("call_id")) or reading.text(fields.get("id"))
    output = fields.get("output")
    notes: dict[str, Any] = {"~item": {key: value for key, value in fields.items() if key not in _OUTPUT_KEYS}}
    if "call_id" not in fields:
        notes["~uncalled"] = True
    failed = kind is ToolKind.APPLY_PATCH and fields.get("status") == "failed"
    if kind is ToolKind.SHELL and isinstance(output, list):
        notes["~output"] = output
        found: tuple[Part, ...] = (Text(_shell_text(output), at=f"{at}.output"),)
    else:
        if isinstance(output, str):
            notes["~string"] = True
        elif not isinstance(output, list):
            notes["~output"] = output
        found = content_in.output_parts(output, f"{at}.output")
    return ToolResult(call_id, found, failed, kind, reading.text(fields.get("name")), {OWN: notes}, at)


_MESSAGE_KEYS = frozenset(("role", "content"))
# The notes on a text that was its item's whole content.
_WORDS: Extras = {OWN: {"~message": {"~string": True}}}


class Turns:
    """Collects items into `system` (leading instructions), `messages` and `placed` (items outside any turn)."""

    def __init__(self, system: list[Part]) -> None:
        self.system = system
        self.messages: list[Message] = []
        self.placed: list[list[JSON]] = []
        self._open: list[Part] = []
        self._role = Role.USER
        self._count = 0
        self._at = ""

    def item(self, raw: JSON, at: str) -> None:
        """Takes the next input item."""
        fields: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        role, content = fields.get("role"), fields.get("content")
        if content.__class__ is str and role.__class__ is str and role in _ROLES and len(fields) == 2:
            # A role and some words: most items of a long talk.
            self._speak(_ROLES[role], (Text(content, (), _WORDS, f"{at}.content"),), at)
        elif (kind := reading.text(fields.get("type")) or ("message" if "role" in fields else "")) == "message":
            self._message(fields, at)
        elif kind in PLACED:
            self.placed.append([self._count, raw])
        elif kind == "reasoning":
            self._add(Role.ASSISTANT, (reasoning(fields, at),), at)
        elif (call := CALLS.get(kind)) is not None:
            self._add(Role.ASSISTANT, (call(fields, at),), at)
        elif kind == "tool_search_output":
            self._add(Role.USER, (_found(fields, at),), at)
        elif (output := _OUTPUTS.get(kind)) is not None:
            self._add(Role.USER, (_result(fields, output, at),), at)
        else:
            self._add(Role.USER if kind in _USER_SIDE else Role.ASSISTANT, (Opaque(OWN, raw, at),), at)
        self._count += 1

    def _message(self, fields: Mapping[str, Any], at: str) -> None:
        role = _ROLES.get(reading.text(fields.get("role")), Role.USER)
        note: dict[str, Any] = {key: value for key, value in fields.items() if key not in _MESSAGE_KEYS}
        if role != fields.get("role"):
            note["~role"] = fields.get("role")
        self._speak(role, self._content(fields.get("content"), note, f"{at}.content"), at)

    def _speak(self, role: Role, found: tuple[Part, ...], at: str) -> None:
        if role is Role.USER:
            self._close()
            self.messages.append(Message(role, found, NO_EXTRAS, at))
        elif role is Role.ASSISTANT:
            self._add(role, found, at)
        elif not self.messages and not self._open:
            self.system += content_in.first_noted(found, "~role", role.value)
        else:
            self._close()
            self.messages.append(Message(role, found, at=at))

    @staticmethod
    def _content(content: JSON, note: dict[str, Any], at: str) -> tuple[Part, ...]:
        """Returns a message's parts, the first one carrying `note`: what the item says beside its content."""
        if isinstance(content, str):
            note["~string"] = True
            return (Text(content, (), {OWN: {"~message": note}}, at),)
        if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) and len(content[0]) == 2:
            # One plain text is what most messages are.
            kind, text = content[0].get("type"), content[0].get("text")
            if isinstance(text, str) and kind in content_in.TEXTS:
                return (Text(text, (), {OWN: {"~type": kind, "~message": note}}, f"{at}[0]"),)
        if not content:
            note["~empty"] = content
        return content_in.first_noted(content_in.parts(content, at) or (Text("", at=at),), "~message", note)

    def _add(self, role: Role, found: tuple[Part, ...], at: str) -> None:
        if self._open and self._role is not role:
            self._close()
        if not self._open:
            self._at = at
        self._role = role
        self._open += found

    def _close(self) -> None:
        if self._open:
            self.messages.append(Message(self._role, tuple(self._open), NO_EXTRAS, self._at))
            self._open = []

    def finish(self) -> tuple[Message, ...]:
        """Returns the turns."""
        self._close()
        return tuple(self.messages)
