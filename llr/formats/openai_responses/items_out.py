"""Turns written as Responses input items.

Law: every call has an output and every output a call; what came as a Responses item goes back as that item; ids of
items are never invented. The same history gives the same bytes, and a longer one begins with them.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field, replace
from llr.formats import reading
from llr.formats.base import Target
from llr.formats.carrier import fits
from llr.formats.fields import luggage_losses
from llr.formats.foreign import NO_RESPONSE, opaque_text
from llr.formats.ids import CallIds
from llr.formats.openai_responses import content_out
from llr.formats.openai_responses.content_in import OWN, PART_PREFIXES
from llr.formats.repair import NO_THINKING_HISTORY
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import arguments_object
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Media, Message, Opaque, Part, Reasoning, Refusal, Role, Text, ToolCall, ToolKind, ToolResult
from llr.ir.request import ChatRequest

_CALL_TYPES = {
    ToolKind.FUNCTION: ("function_call", "arguments"),
    ToolKind.CUSTOM: ("custom_tool_call", "input"),
    ToolKind.LOCAL_SHELL: ("local_shell_call", "action"),
    ToolKind.SHELL: ("shell_call", "action"),
    ToolKind.APPLY_PATCH: ("apply_patch_call", "operation"),
}
_OUTPUT_TYPES = {
    ToolKind.FUNCTION: "function_call_output",
    ToolKind.CUSTOM: "custom_tool_call_output",
    ToolKind.LOCAL_SHELL: "local_shell_call_output",
    ToolKind.SHELL: "shell_call_output",
    ToolKind.APPLY_PATCH: "apply_patch_call_output",
}


def failed_text(text: str) -> str:
    """Returns the text of a failed tool, opened by "Error: " unless it says so itself."""
    return text if text.lower().startswith("error") else f"Error: {text}"


@dataclass(slots=True)
class ItemWriter:
    """Writes the turns of one request. `linked` says that earlier turns live at the vendor."""

    target: Target
    names: ToolNames
    ids: CallIds
    own: bool
    linked: bool
    phases: bool = False
    losses: list[Loss] = field(default_factory=list)
    items: list[JSON] = field(default_factory=list)
    _content: list[JSON] = field(default_factory=list)
    _head: Mapping[str, Any] | None = None
    # Calls nothing answered yet, by the id they were sent with: the call, and where its turn's items end.
    _open: dict[str, tuple[ToolCall, int]] = field(default_factory=dict)

    def request(self, request: ChatRequest) -> list[JSON]:
        """Returns the items of all messages, with those that stood outside any turn back in their place."""
        for message in request.messages:
            self.turn(message)
        self._complete()
        for place, raw in reading.bag(request.extras, OWN).get("~placed", ()):
            self.items.insert(place, raw)
        return self.items

    def _complete(self) -> None:
        """Answers every call that nothing answered, right behind the calls of its turn."""
        if self.linked:
            return
        for sent, (call, end) in reversed(self._open.items()):
            self.losses.append(
                Loss(call.at, "tool call without a result", "a placeholder answers it", LossLevel.SILENT)
            )
            self.items.insert(end, self._output(ToolResult(call.id, (Text(NO_RESPONSE),), kind=call.kind), sent))

    def turn(self, message: Message) -> None:
        """Adds the items of one turn."""
        if message.role is not Role.ASSISTANT:
            self.ids.turn()
        if said := reading.bare_text(message, OWN):
            if message.role is Role.USER:
                content: JSON = [{"type": "input_text", "text": said}]
                self.items.append({"type": "message", "role": "user", "content": content})
                return
            if message.role is Role.ASSISTANT:
                self.items.append(self._message(Role.ASSISTANT, [{"type": "output_text", "text": said}], calls=False))
                return
        calls = any(isinstance(part, ToolCall) for part in message.parts)
        made: list[tuple[str, ToolCall]] = []
        if message.extras:
            self.losses += luggage_losses(message.extras, OWN, message.at)
        for part in message.parts:
            if not isinstance(part, Opaque) and part.extras and OWN not in part.extras:
                self.losses += luggage_losses(part.extras, OWN, part.at)
            match part:
                case ToolCall():
                    self._flush(message.role, calls=calls)
                    sent = self.ids.call(part.id)
                    self.items.append(self._call(part, sent))
                    made.append((sent, part))
                case ToolResult():
                    self._flush(message.role, calls=calls)
                    self._result(part)
                case Reasoning():
                    self._flush(message.role, calls=calls)
                    self._reasoning(part)
                case Opaque() if not _is_content(part):
                    self._flush(message.role, calls=calls)
                    self._opaque(part)
                case _:
                    self._add(part, message.role, calls=calls)
        self._flush(message.role, calls=calls)
        self._open |= {sent: (call, len(self.items)) for sent, call in made}

    def _add(self, part: Part, role: Role, *, calls: bool) -> None:
        assistant = role is Role.ASSISTANT
        notes = reading.bag(part.extras, OWN) if isinstance(part, Text | Refusal | Media) else {}
        head = notes.get("~message")
        if head is not None:
            self._flush(role, calls=calls)
            self._head = head
        elif assistant and self._head is None:
            # Assistant text of other formats goes as one string per item: every dialect takes that.
            self._flush(role, calls=calls)
        if isinstance(part, Text | Refusal) and not part.text and head is None:
            return
        out = content_out.write(part, self.losses, assistant=assistant, own=self.own)
        if out is not None:
            self._content.append(out)

    def _flush(self, role: Role, *, calls: bool) -> None:
        content, head, self._content, self._head = self._content, self._head, [], None
        if not content:
            return
        if head is None:
            self.items.append(self._message(role, content, calls=calls))
            return
        out: dict[str, JSON] = {"type": "message"} if "type" in head else {}
        out["role"] = head.get("~role", role.value)
        out.update({key: value for key, value in head.items() if key[:1] != reading.NOTE})
        first = content[0] if isinstance(content[0], dict) else {}
        out["content"] = head["~empty"] if "~empty" in head else first.get("text") if "~string" in head else content
        self.items.append(out)

    def _message(self, role: Role, content: list[JSON], *, calls: bool) -> JSON:
        """Returns a message item that no item of the client stands behind."""
        out: dict[str, JSON] = {"type": "message", "role": role.value, "content": content}
        if role is not Role.ASSISTANT:
            return out
        only = content[0] if len(content) == 1 and isinstance(content[0], dict) else {}
        if not only.get("annotations"):
            out["content"] = only.get("text") or only.get("refusal") or content
        if self.phases:
            out["phase"] = "commentary" if calls else "final_answer"
        return out

    def _call(self, part: ToolCall, sent: str) -> JSON:
        kind, field_name = _CALL_TYPES[part.kind]
        notes = reading.bag(part.extras, OWN)
        note: Mapping[str, Any] = notes.get("~item", {})
        if "~search" in notes:
            arguments = arguments_object(part.arguments)[0]
            return {"type": "tool_search_call", "call_id": sent, "arguments": arguments, **note}
        out: dict[str, JSON] = {"type": kind, "call_id": sent}
        if part.kind in (ToolKind.FUNCTION, ToolKind.CUSTOM):
            out["name"] = self.names.sent(part.name, part.namespace)
            if part.namespace:
                out["namespace"] = part.namespace
            text = part.arguments
            out[field_name] = text if part.kind is ToolKind.CUSTOM or text.strip() else "{}"
        else:
            out[field_name] = arguments_object(part.arguments)[0]
        out.update(note)
        return out

    def _result(self, part: ToolResult) -> None:
        notes = reading.bag(part.extras, OWN)
        sent = self.ids.result(part.call_id)
        if sent is not None and sent in self._open:
            call, _ = self._open.pop(sent)
            self.items.append(self._output(replace(part, kind=call.kind) if not notes else part, sent))
            return
        if self.linked or notes.get("~uncalled"):
            self.items.append(self._output(part, part.call_id))
            return
        self.losses.append(Loss(part.at, "tool result without a call", "it goes as the user's text"))
        text = content_out.joined(part.parts)
        body: JSON = [{"type": "input_text", "text": text}] if text else [] if text == "" else self._parts(part)
        if body:
            self.items.append({"type": "message", "role": "user", "content": body})

    def _parts(self, part: ToolResult) -> list[JSON]:
        shown = [each for each in part.parts if not isinstance(each, Text) or each.text or OWN in each.extras]
        found = [content_out.write(each, self.losses, assistant=False, own=self.own) for each in shown]
        return [each for each in found if each is not None]

    def _output(self, part: ToolResult, sent: str) -> JSON:
        notes = reading.bag(part.extras, OWN)
        note: Mapping[str, Any] = notes.get("~item", {})
        if "~search" in notes:
            return {"type": "tool_search_output", "call_id": sent, **note}
        out: dict[str, JSON] = {"type": _OUTPUT_TYPES[part.kind]}
        if not notes.get("~uncalled"):
            out["call_id"] = sent
        if "~output" in notes:
            out["output"] = notes["~output"]
        elif notes and not notes.get("~string"):
            out["output"] = self._parts(part)
        else:
            out["output"] = self._text_or_parts(part)
        if part.kind is ToolKind.SHELL and isinstance(out["output"], str):
            out["output"] = [{"stdout": out["output"], "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
        if part.kind is ToolKind.APPLY_PATCH and "status" not in note:
            out["status"] = "failed" if part.is_error else "completed"
        out.update(note)
        return out

    def _text_or_parts(self, part: ToolResult) -> JSON:
        text = content_out.joined(part.parts)
        failed = part.is_error and part.kind is not ToolKind.APPLY_PATCH
        if text is not None:
            return failed_text(text) if failed else text
        found = self._parts(part)
        if failed:
            found.insert(0, {"type": "input_text", "text": "Error:"})
        return found

    def _reasoning(self, part: Reasoning) -> None:
        note: Mapping[str, Any] | None = reading.bag(part.extras, OWN).get("~item")
        refused = NO_THINKING_HISTORY in self.target.learned
        sealed = not refused and part.seal is not None and fits(part.seal, OWN, self.target.issuer)
        if refused or (not sealed and (note is None or part.seal is not None or note.get("~sealed"))):
            self.losses.append(Loss(part.at, "reasoning", "its issuer is another vendor", LossLevel.SILENT))
            return
        out: dict[str, JSON] = {"type": "reasoning"}
        data = part.seal.data if part.seal is not None else None
        if isinstance(data, dict):
            out["id"] = data.get("id")
        out["summary"] = [{"type": "summary_text", "text": each} for each in part.summary]
        if note is None and part.text:
            out["content"] = [{"type": "reasoning_text", "text": part.text}]
        out.update({key: value for key, value in (note or {}).items() if key[:1] != reading.NOTE})
        if sealed:
            out["encrypted_content"] = data.get("encrypted_content") if isinstance(data, dict) else data
        self.items.append(out)

    def _opaque(self, part: Opaque) -> None:
        if part.format is OWN:
            self.items.append(part.raw)
            return
        words = opaque_text(part, history=self.target.capabilities.get("carry_search_history") is True)
        if words:
            self.items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]})
            return
        kind = reading.text(reading.table(part.raw).get("type")) or "block"
        self.losses.append(Loss(part.at, kind, f"only {part.format} knows it"))


def _is_content(part: Opaque) -> bool:
    fields = reading.table(part.raw)
    kind = reading.text(fields.get("type"))
    if part.format is OWN:
        return kind.startswith(PART_PREFIXES) or not kind
    return opaque_text(part) is not None
