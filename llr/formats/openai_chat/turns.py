"""The conversation as Chat wants it: calls followed at once by a tool message each, media where they are allowed.

Law: what comes out is legal for any history; every repair is named as a loss; the same history gives the same messages,
and a longer one the same beginning.
"""

from collections.abc import Iterable
from typing import Any

from llr.base.records import dataclass, field
from llr.formats.base import Target
from llr.formats.carrier import fits, text_hash
from llr.formats.fields import luggage_losses
from llr.formats.foreign import NO_RESPONSE, opaque_text, plain_text
from llr.formats.ids import NINE, RULES, CallIds
from llr.formats.openai_chat.parts import (
    AS_LIST,
    BLOCK,
    CHAT,
    DETAILS,
    FIELD,
    HASH,
    LEGACY,
    NAME,
    REDACTED,
    SIGNATURE,
    attach,
    media_part,
    sealed_call,
    text_part,
    thinking_block,
)
from llr.formats.openai_chat.request import CONTENT_NULL
from llr.formats.reading import bag, bare_text, text, unload
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import wrapped
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import (
    Media,
    MediaKind,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    SourceKind,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
)

# What a server signs its thoughts with; it gets such thoughts back whether or not they led to a call.
_PROOFS = {SIGNATURE, REDACTED, DETAILS}
_SPEAKERS = {Role.USER: "user", Role.ASSISTANT: "assistant"}


def call_ids(target: Target) -> CallIds:
    """Returns the id table of one request: `tool_id: nine` names servers that want nine alphanumerics."""
    nine = target.capabilities.get("tool_id") == "nine" or "nine-ids" in target.learned
    return CallIds(NINE if nine else RULES[CHAT])


@dataclass(slots=True)
class Conversation:
    """Turns a request's messages into Chat messages; `losses` fills on the way."""

    target: Target
    names: ToolNames
    losses: list[Loss]
    ids: CallIds
    # Free-text tools go out as such, not as functions.
    custom: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    # Calls that still wait for their result, and what tool messages could not hold.
    _open: dict[str, None] = field(default_factory=dict)
    _held: list[dict[str, Any]] = field(default_factory=list)
    _legacy: dict[str, str] = field(default_factory=dict)

    @property
    def marks(self) -> bool:
        """Returns whether the target takes cache marks on parts."""
        return self.target.capabilities.get("cache_control") is True

    def add(self, message: Message) -> None:
        """Adds one message."""
        said, speaker = bare_text(message, CHAT), _SPEAKERS.get(message.role)
        if said and speaker is not None:
            self._settle()
            self.messages.append({"role": speaker, "content": said})
            return
        if message.extras:
            self.losses += luggage_losses(message.extras, CHAT, message.at)
        match message.role:
            case Role.ASSISTANT:
                self._settle()
                self._assistant(message)
            case Role.USER:
                self._user(message)
            case Role.SYSTEM | Role.DEVELOPER:
                self._settle()
                self._instruction(message)

    def finish(self) -> list[dict[str, Any]]:
        """Returns the messages, open calls answered and empty assistant turns at the end gone."""
        self._settle()
        while self.messages and _empty_assistant(self.messages[-1]):
            self.messages.pop()
        return self.messages

    def _lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(at, what, why, level))

    def _settle(self) -> None:
        """Answers calls that got no result, and shows what their tool messages could not hold."""
        self.ids.turn()
        for call in self._open:
            self._lose("messages", "tool result", "a call without its result got a placeholder", LossLevel.SILENT)
            self._tool_message(call, {"content": NO_RESPONSE})
        self._open.clear()
        if self._held:
            self.messages.append({"role": "user", "content": list(self._held)})
            self._held.clear()

    def _instruction(self, message: Message) -> None:
        role = message.role.value
        if self.target.capabilities.get("developer_role") is not True and CHAT not in message.extras:
            role = "system"
        if self.target.capabilities.get("developer_role") is False or "no-developer-role" in self.target.learned:
            role = "system"
        content = self._content(message.parts, AS_LIST in bag(message.extras, CHAT))
        if content:
            body = {"role": role, "content": content}
            unload(message.extras, CHAT, body)
            self.messages.append(body)

    def _user(self, message: Message) -> None:
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                rest += self._result(part)
            else:
                rest.append(part)
        if not rest:
            return
        self._settle()
        content = self._content(rest, AS_LIST in bag(message.extras, CHAT))
        if content:
            body: dict[str, Any] = {"role": "user", "content": content}
            unload(message.extras, CHAT, body)
            self.messages.append(body)

    def _content(self, parts: Iterable[Part], as_list: bool) -> str | list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for part in parts:
            made = self._part(part)
            if made is not None:
                out.append(made)
        if len(out) == 1 and not as_list and out[0].keys() == {"type", "text"}:
            return str(out[0]["text"])
        return out

    def _part(self, part: Part) -> dict[str, Any] | None:
        match part:
            case Text():
                if not part.text:
                    return None
                self._lose_mark(part)
                if part.citations and CHAT not in part.extras:
                    self._lose(part.at, "citations", "a request has no place for them", LossLevel.SILENT)
                return text_part(part, marks=self.marks)
            case Media():
                return self._media(part)
            case Opaque():
                return self._opaque(part)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text else None
            case Reasoning() | ToolCall() | ToolResult():
                return None

    def _lose_mark(self, part: Text | ToolResult | Media) -> None:
        if part.extras and not self.marks and CHAT not in part.extras:
            self.losses += luggage_losses(part.extras, CHAT, part.at)

    def _media(self, part: Media) -> dict[str, Any]:
        flag = {MediaKind.IMAGE: "image", MediaKind.DOCUMENT: "pdf", MediaKind.AUDIO: "audio_in"}.get(part.kind, "")
        refused = self.target.capabilities.get(flag) is False and part.source is not SourceKind.TEXT
        if part.source is SourceKind.URL and self.target.capabilities.get("image_url") is False:
            refused = True
        self._lose_mark(part)
        made = None if refused else media_part(part, marks=self.marks)
        if made is None:
            foreign = part.source is SourceKind.FILE_ID
            serious = (foreign or part.kind is MediaKind.DOCUMENT) and not refused
            why = "the file belongs to another vendor" if foreign else "the target cannot take it in this form"
            self._lose(part.at, part.kind.value, why, LossLevel.REJECT if serious else LossLevel.WARN)
            name = part.title or part.media_type or part.kind.value
            return {"type": "text", "text": f"[{part.kind.value} not shown: {name}]"}
        return made

    def _opaque(self, part: Opaque) -> dict[str, Any] | None:
        if part.format is CHAT and isinstance(part.raw, dict):
            return dict(part.raw)
        said = opaque_text(part, history=self.target.capabilities.get("carry_search_history") is True)
        if said:
            return {"type": "text", "text": said}
        kind = part.raw.get("type") if isinstance(part.raw, dict) else None
        self._lose(part.at, str(kind or "block"), f"only {part.format} has this block")
        return None

    def _result(self, part: ToolResult) -> list[Part]:
        """Answers an open call; returns the parts of a result that answers none, to be said by the user."""
        sent = self.ids.result(part.call_id)
        if sent is None or sent not in self._open:
            self._lose(part.at, "tool result", "no call it answers stands before it")
            return [each for each in part.parts if not isinstance(each, ToolResult)]
        del self._open[sent]
        lines: list[str] = []
        shown: list[Media] = []
        for each in part.parts:
            if isinstance(each, Media) and each.source is not SourceKind.TEXT:
                shown.append(each)
                continue
            words = plain_text(each)
            if words is None and isinstance(each, Opaque):
                made = self._opaque(each)
                words = str(made.get("text", "")) if made else None
            if words:
                lines.append(words)
        self._stubs(shown, lines)
        said = "\n".join(lines)
        if part.is_error and not said.lower().startswith("error"):
            said = f"Error: {said}"
        content: Any = said
        if AS_LIST in bag(part.extras, CHAT) and all(isinstance(each, Text) for each in part.parts):
            content = [text_part(each, marks=self.marks) for each in part.parts if isinstance(each, Text)]
        body: dict[str, Any] = {"content": content}
        self._lose_mark(part)
        attach(part.extras, body, marks=self.marks)
        self._tool_message(sent, body)
        return []

    def _stubs(self, shown: list[Media], lines: list[str]) -> None:
        for place, media in enumerate(shown):
            made = self._media(media)
            if made["type"] == "text":
                lines.append(made["text"])
                continue
            lines.append(f"[{media.kind.value} {place + 1} of {len(shown)}: see next user message]")
            self._held.append(made)

    def _tool_message(self, sent: str, body: dict[str, Any]) -> None:
        name = self._legacy.get(sent)
        if name is not None:
            self.messages.append({"role": "function", "name": name, **body})
        else:
            self.messages.append({"role": "tool", "tool_call_id": sent, **body})

    def _assistant(self, message: Message) -> None:
        content: list[Part] = []
        calls: list[ToolCall] = []
        reasoning: list[Reasoning] = []
        refusals: list[str] = []
        for part in message.parts:
            match part:
                case ToolCall():
                    calls.append(part)
                case Reasoning():
                    reasoning.append(part)
                case Refusal(extras={}) if CHAT in message.extras:
                    refusals.append(part.text)
                case _:
                    if calls:
                        self._lose(part.at, "order", "text after a call comes before it here", LossLevel.SILENT)
                    content.append(part)
        said = self._content(content, AS_LIST in bag(message.extras, CHAT))
        body: dict[str, Any] = {"role": "assistant", "content": said or ""}
        if not said and (calls or CONTENT_NULL in bag(message.extras, CHAT) or refusals):
            body["content"] = None
        if refusals:
            body["refusal"] = "".join(refusals)
        self._reasoning(reasoning, bool(calls), body)
        self._calls(calls, body)
        unload(message.extras, CHAT, body)
        if len(body) == 2 and not said and any(isinstance(part, Opaque | Reasoning) for part in message.parts):
            # All it said is lost here, by name; an empty turn would say that it was silent.
            return
        self.messages.append(body)

    def _calls(self, calls: list[ToolCall], body: dict[str, Any]) -> None:
        made = []
        for call in calls:
            sent = self.ids.call(call.id)
            self._open[sent] = None
            name = self.names.sent(call.name or call.kind.value, call.namespace)
            if LEGACY in bag(call.extras, CHAT):
                body["function_call"] = {"name": name, "arguments": call.arguments or "{}"}
                self._legacy[sent] = name
            else:
                made.append(self._call(call, sent, name))
        if made:
            body["tool_calls"] = made

    def _call(self, call: ToolCall, sent: str, name: str) -> dict[str, Any]:
        body: dict[str, Any]
        if call.kind is ToolKind.CUSTOM and self.custom:
            body = {"id": sent, "type": "custom", "custom": {"name": name, "input": call.arguments}}
        else:
            arguments = wrapped(call.arguments, call.kind) or "{}"
            body = {"id": sent, "type": "function", "function": {"name": name, "arguments": arguments}}
        if fits(call.seal, CHAT, self.target.issuer) and call.seal is not None and isinstance(call.seal.data, str):
            body["extra_content"] = sealed_call(call.seal.data)
        attach(call.extras, body, marks=self.marks)
        return body

    def _reasoning(self, reasoning: list[Reasoning], calls: bool, body: dict[str, Any]) -> None:
        """Reasoning goes back only to who wrote it, and there only where the server reads it."""
        if not reasoning:
            if calls and self._replay() == "required":
                body[self._field("")] = ""
            return
        replay = self._replay()
        said: list[str] = []
        signed: list[dict[str, Any]] = []
        field = ""
        for part in reasoning:
            own_field = text(bag(part.extras, CHAT).get(FIELD))
            own = bool(own_field) and (part.seal is None or part.seal.format is CHAT)
            fit = _fits(part, self.target.issuer) or (part.seal is None and own)
            data = _kept(part.seal, redacted=part.redacted) if fit and part.seal is not None else {}
            wanted = own or calls or replay or bool(data.keys() & _PROOFS)
            if replay == "forbidden" or not (fit or replay == "required") or not wanted:
                why = "this target does not want it back" if fit else "this target did not write it"
                self._lose(part.at, "reasoning", why, LossLevel.SILENT)
                continue
            words = part.text or "\n\n".join(part.summary)
            if fit and HASH in data and data[HASH] != text_hash(words):
                self._lose(part.at, "reasoning", "its text was changed", LossLevel.SILENT)
                continue
            details = data.get(DETAILS)
            if isinstance(details, list):
                body.setdefault("reasoning_details", []).extend(details)
                field = field or (own_field if own_field != "reasoning_details" else "")
                said += [words] if field else []
                continue
            block = thinking_block(words, data)
            signed += [block] if block is not None else []
            if BLOCK in bag(part.extras, CHAT) and not own_field:
                continue
            field = field or own_field or text(data.get(NAME))
            said += [words] if words or not part.redacted else []
        if said:
            body[self._field(field)] = "\n\n".join(said)
        if signed:
            body["thinking_blocks"] = signed

    def _replay(self) -> Any:
        learned = "required" if "reasoning:required" in self.target.learned else None
        return learned or self.target.capabilities.get("reasoning_replay")

    def _field(self, known: str) -> str:
        configured = self.target.capabilities.get("reasoning_field")
        return known or (configured if isinstance(configured, str) and configured else "reasoning_content")


def _fits(part: Reasoning, issuer: str) -> bool:
    """Returns whether a target of this issuer wrote a thought, or its client sent it here as its own."""
    if fits(part.seal, CHAT, issuer):
        return True
    return part.seal is not None and not part.seal.provider and BLOCK in bag(part.extras, CHAT)


def _kept(seal: Seal, *, redacted: bool) -> dict[str, Any]:
    """Returns what a seal of Chat reasoning holds; a client's own, and carriers of older releases, hold it bare."""
    if isinstance(seal.data, dict):
        return seal.data
    return {REDACTED if redacted else SIGNATURE: seal.data} if isinstance(seal.data, str) else {}


def custom_tools(target: Target, extras: Any) -> bool:
    """Returns whether free-text tools go out as such: the target has them, or the client wrote this format itself."""
    flag = target.capabilities.get("custom_tools")
    return flag is True or (flag is None and "~own" in bag(extras, CHAT))


def _empty_assistant(message: dict[str, Any]) -> bool:
    if message["role"] != "assistant" or message.get("tool_calls") or message.get("function_call"):
        return False
    content = message.get("content")
    if isinstance(content, list):
        return all(part.get("type") == "text" and not text(part.get("text")).strip() for part in content)
    return not (content or "").strip() and not message.get("refusal") and not message.get("audio")
