"""The conversation as the Messages format wants it: alternating turns, calls answered, nothing empty.

Law: what comes out is legal for any history; every repair is named as a loss; the same history gives the same turns,
and a longer one the same beginning.
"""

from typing import Any

from llr.base.records import dataclass, field
from llr.formats.anthropic_messages import blocks
from llr.formats.anthropic_messages.blocks import AS_LIST, MESSAGES
from llr.formats.anthropic_messages.request import OWN_ROLE
from llr.formats.base import Target
from llr.formats.carrier import fits
from llr.formats.fields import luggage_losses
from llr.formats.foreign import NO_RESPONSE, media_words, opaque_text, plain_text
from llr.formats.ids import RULES, CallIds
from llr.formats.models_rules import MessagesRules
from llr.formats.reading import bag, bare_text, unload
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import arguments_object, wrapped
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import (
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    SourceKind,
    Text,
    ToolCall,
    ToolResult,
)

# Stands before an assistant turn where the format wants the user to begin.
_OPENING = "."
_SPEAKERS = {Role.USER: "user", Role.ASSISTANT: "assistant"}


@dataclass(slots=True)
class Turn:
    """One turn in the making. `plain` says that one string may stand for its only text, `tools` that it may have calls
    or results."""

    role: str
    content: list[dict[str, Any]] = field(default_factory=list)
    plain: bool = True
    tools: bool = False
    luggage: dict[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """Returns the turn as a message of the body."""
        content: Any = self.content
        if self.plain and len(content) == 1 and len(content[0]) == 2 and "text" in content[0]:
            # Nothing but a type, which every block has, and a text.
            content = content[0]["text"]
        body = {"role": self.role, "content": content}
        if self.luggage:
            body.update(self.luggage)
        return body


@dataclass(slots=True)
class Conversation:
    """Turns a request's messages into turns; `losses` fills on the way."""

    target: Target
    rules: MessagesRules
    names: ToolNames
    losses: list[Loss]
    ids: CallIds = field(default_factory=lambda: CallIds(RULES[MESSAGES]))
    turns: list[Turn] = field(default_factory=list)

    def add(self, message: Message) -> None:
        """Adds one message: to the open turn when it has the same role, else as a new one."""
        if message.role is not Role.ASSISTANT:
            self.ids.turn()
        said, speaker = bare_text(message, MESSAGES), _SPEAKERS.get(message.role)
        if said and speaker is not None:
            if not said.isspace():
                self._say(speaker, said)
            return
        own_system = message.role is Role.SYSTEM and OWN_ROLE in bag(message.extras, MESSAGES)
        if message.role in (Role.SYSTEM, Role.DEVELOPER) and not (own_system and self._takes_system()):
            self._instruct(message)
            return
        role = "system" if own_system else message.role.value
        content: list[dict[str, Any]] = []
        for part in message.parts:
            self._part(part, content)
        if not content:
            return
        turn = self._turn(role)
        turn.tools = True
        turn.plain = turn.plain and not turn.content and AS_LIST not in bag(message.extras, MESSAGES)
        turn.content += content
        if message.extras:
            turn.luggage = turn.luggage or {}
            unload(message.extras, MESSAGES, turn.luggage)
            self.losses += luggage_losses(message.extras, MESSAGES, message.at)

    def _takes_system(self) -> bool:
        return self.target.capabilities.get("mid_system") is not False and "no-system-role" not in self.target.learned

    def _turn(self, role: str) -> Turn:
        if not self.turns or self.turns[-1].role != role:
            if not self.turns and role == "assistant":
                self.turns.append(Turn("user", [{"type": "text", "text": _OPENING}]))
                self._lose("messages", "first turn", "the conversation has to begin with the user")
            self.turns.append(Turn(role))
        return self.turns[-1]

    def _say(self, role: str, words: str) -> None:
        """Adds a text that one string may stand for when nothing else is said."""
        block = {"type": "text", "text": words}
        if self.turns and self.turns[-1].role != role:
            self.turns.append(Turn(role, [block]))
            return
        turn = self._turn(role)
        turn.plain = turn.plain and not turn.content
        turn.content.append(block)

    def _instruct(self, message: Message) -> None:
        """A later instruction keeps its place as marked text of the user's turn."""
        words = "\n".join(text for part in message.parts if (text := plain_text(part)))
        if words.strip():
            self._say("user", f"<system-instruction>\n{words}\n</system-instruction>")

    def _lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(at, what, why, level))

    def _part(self, part: Part, content: list[dict[str, Any]]) -> None:
        if not isinstance(part, Opaque) and part.extras:
            self.losses += luggage_losses(part.extras, MESSAGES, part.at)
        match part:
            case Text():
                if part.text.strip():
                    content.append(self._text(part))
            case Refusal():
                if part.text.strip():
                    content.append({"type": "text", "text": part.text})
            case ToolCall():
                self._call(part, content)
            case ToolResult():
                content.append(self._result(part))
            case Reasoning():
                self._reasoning(part, content)
            case Media():
                content.append(self._media(part))
            case Opaque():
                self._opaque(part, content)

    def _text(self, part: Text) -> dict[str, Any]:
        """A citation without the vendor's own index would be refused: another vendor's are left out."""
        block = blocks.text_block(part)
        cited = block.get("citations", ())
        kept = [each for each in cited if each.get("encrypted_index", True)]
        if len(kept) < len(part.citations):
            self._lose(part.at, "citations", "another vendor cited here", LossLevel.SILENT)
            block.pop("citations", None)
            if kept:
                block["citations"] = kept
        return block

    def _call(self, part: ToolCall, content: list[dict[str, Any]]) -> None:
        arguments = wrapped(part.arguments, part.kind)
        if not arguments_object(arguments)[1]:
            self._lose(part.at, "arguments", "not a JSON object", LossLevel.SILENT)
        name = self.names.sent(part.name or part.kind.value, part.namespace)
        content.append(blocks.call_block(self.ids.call(part.id), name, arguments, part.extras))

    def _result(self, part: ToolResult) -> dict[str, Any]:
        sent = self.ids.result(part.call_id) or part.call_id
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": sent}
        inner: list[dict[str, Any]] = []
        for each in part.parts:
            self._part(each, inner)
        if blocks.simple_text(part.parts) and AS_LIST not in bag(part.extras, MESSAGES):
            block["content"] = inner[0]["text"] if inner else ""
            if not inner:
                del block["content"]
        elif inner:
            block["content"] = inner
        if part.is_error:
            block["is_error"] = True
        unload(part.extras, MESSAGES, block)
        return block

    def _reasoning(self, part: Reasoning, content: list[dict[str, Any]]) -> None:
        if "drop:thinking-history" in self.target.learned:
            self._lose(part.at, "thinking", "this model refused replayed thinking", LossLevel.SILENT)
            return
        if fits(part.seal, MESSAGES, self.target.issuer) and part.seal is not None:
            content.append(blocks.thinking_block(part, part.seal.data if isinstance(part.seal.data, str) else ""))
        elif part.seal is None and part.text and not self.rules.known:
            content.append(blocks.thinking_block(part, ""))
        else:
            self._lose(part.at, "thinking", "its seal is not this vendor's", LossLevel.SILENT)

    def _media(self, part: Media) -> dict[str, Any]:
        flag = {"image": "image", "document": "pdf"}.get(part.kind.value, "")
        refused = self.target.capabilities.get(flag) is False and part.source is not SourceKind.TEXT
        plain_http = part.source is SourceKind.URL and not part.value.lower().startswith("https:")
        block = None if refused or plain_http else blocks.media_block(part)
        if block is None:
            if part.source is not SourceKind.TEXT:
                foreign = part.source is SourceKind.FILE_ID and not refused
                level = LossLevel.REJECT if foreign else LossLevel.WARN
                why = "the file belongs to another vendor" if foreign else "the target cannot take it in this form"
                self._lose(part.at, part.kind.value, why, level)
            return {"type": "text", "text": media_words(part)}
        return block

    def _opaque(self, part: Opaque, content: list[dict[str, Any]]) -> None:
        if part.format is MESSAGES and isinstance(part.raw, dict) and "type" in part.raw:
            content.append(dict(part.raw))
            return
        words = opaque_text(part, history=self.target.capabilities.get("carry_search_history") is True)
        if words:
            content.append({"type": "text", "text": words})
        else:
            kind = part.raw.get("type") if isinstance(part.raw, dict) else None
            self._lose(part.at, str(kind or "block"), f"only {part.format} has this block")

    def finish(self) -> list[dict[str, Any]]:
        """Returns the messages: results in front of their turn, every call answered, orphans as text."""
        calls: list[str] = []
        turns = self.turns
        # Turns put in on the way come next.
        for place, turn in enumerate(turns):
            if turn.role == "user":
                if calls or turn.tools:
                    self._pair(turn, calls)
                    calls = []
            elif turn.tools and turn.role == "assistant":
                calls = [block["id"] for block in turn.content if block["type"] == "tool_use"]
                following = turns[place + 1].role if place + 1 < len(turns) else ""
                if calls and following != "user":
                    turns.insert(place + 1, Turn("user"))
        return [turn.body() for turn in turns]

    def _pair(self, turn: Turn, calls: list[str]) -> None:
        if not calls and not any(block["type"] == "tool_result" for block in turn.content):
            return
        asked = frozenset(calls)
        results: dict[str, dict[str, Any]] = {}
        rest: list[dict[str, Any]] = []
        for block in turn.content:
            if block["type"] != "tool_result":
                rest.append(block)
            elif block["tool_use_id"] in asked and block["tool_use_id"] not in results:
                results[block["tool_use_id"]] = block
            else:
                self._lose("messages", "tool result", "no call it answers stands before it")
                rest += _orphan(block)
        for call in calls:
            if call not in results:
                results[call] = {"type": "tool_result", "tool_use_id": call, "content": NO_RESPONSE}
                self._lose("messages", "tool result", "a call without its result got a placeholder", LossLevel.SILENT)
        # A turn of which nothing is left would bring two turns of the assistant together.
        turn.content = [*results.values(), *rest] or [{"type": "text", "text": NO_RESPONSE}]


def _orphan(block: dict[str, Any]) -> list[dict[str, Any]]:
    content = block.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    return list(content or ())
