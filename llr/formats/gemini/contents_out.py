"""Turns written as Gemini contents.

Law: user and model take turns, the user begins; every call is answered in the content right after it, responses in the
order of their calls; nothing is empty. A Gemini history that is legal goes back as it came.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.formats import reading
from llr.formats.base import Target
from llr.formats.carrier import fits, is_carrier
from llr.formats.fields import NO_SIGNATURE, luggage_losses
from llr.formats.foreign import NO_RESPONSE, opaque_text, plain_text
from llr.formats.gemini import parts_out
from llr.formats.gemini.models import Rules
from llr.formats.gemini.parts_in import OWN
from llr.formats.ids import CallIds
from llr.formats.repair import NO_THINKING_HISTORY
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import arguments_object, wrapped
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Media, Message, Opaque, Part, Reasoning, Refusal, Role, Text, ToolCall, ToolResult

_OPENING = "."
_SPEAKERS = {Role.USER: "user", Role.ASSISTANT: "model"}


@dataclass(slots=True)
class Turn:
    """One content in the making; `calls` are its calls as (sent id, sent name, whether the id is written)."""

    role: str
    parts: list[JSON] = field(default_factory=list)
    calls: tuple[tuple[str, str, bool], ...] = ()
    luggage: dict[str, Any] | None = None
    answers: bool = False

    def body(self) -> JSON:
        """Returns the content."""
        out: dict[str, JSON] = {"role": self.role, "parts": self.parts} if self.role else {"parts": self.parts}
        if self.luggage:
            out.update(self.luggage)
        return out


@dataclass(slots=True)
class Conversation:
    """Turns messages into contents; `losses` fills on the way."""

    target: Target
    rules: Rules
    names: ToolNames
    ids: CallIds
    own: bool
    losses: list[Loss]
    turns: list[Turn] = field(default_factory=list)
    _named: dict[str, str] = field(default_factory=dict)
    _originals: dict[str, str] = field(default_factory=dict)
    # A turn, the number of its calls, and which of them wait for a response.
    _asked: tuple[int, int, dict[str, deque[str]]] = (0, 0, {})

    def lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        """Records a loss."""
        self.losses.append(Loss(at, what, why, level))

    def add(self, message: Message) -> None:
        """Adds one message."""
        if message.role is not Role.ASSISTANT:
            self.ids.turn()
        bare, speaker = reading.bare_text(message, OWN), _SPEAKERS.get(message.role)
        if bare and speaker is not None:
            self._turn(speaker, message).parts.append({"text": bare})
            return
        if message.extras:
            self.losses += luggage_losses(message.extras, OWN, message.at)
        for part in message.parts:
            if not isinstance(part, Opaque) and part.extras and OWN not in part.extras:
                self.losses += luggage_losses(part.extras, OWN, part.at)
        if message.role is Role.ASSISTANT:
            self._model(message)
        elif message.role in (Role.SYSTEM, Role.DEVELOPER) and not self.own:
            words = "\n".join(said for part in message.parts if (said := plain_text(part)))
            if words.strip():
                text: JSON = {"text": f"<system-instruction>\n{words}\n</system-instruction>"}
                self._turn("user", message).parts.append(text)
        else:
            self._user(message)

    def _turn(self, role: str, message: Message) -> Turn:
        """Returns the turn to add to: the open one for other formats, always a new one for our own."""
        if not self.own and self.turns:
            last = self.turns[-1]
            if last.role == role and not last.answers:
                return last
        elif not self.own and role == "model":
            self.turns.append(Turn("user", [{"text": _OPENING}]))
            self.lose(message.at or "messages", "first turn", "the conversation has to begin with the user")
        turn = Turn(role)
        if message.extras:
            notes = reading.bag(message.extras, OWN)
            if "~role" in notes:
                # A content without a role is the user's.
                turn.role = reading.text(notes["~role"])
            turn.luggage = {}
            reading.unload(message.extras, OWN, turn.luggage)
        self.turns.append(turn)
        return turn

    # The model's side

    def _model(self, message: Message) -> None:
        parts: list[JSON] = []
        calls: list[tuple[str, str, bool]] = []
        pending = ""
        for part in message.parts:
            match part:
                case ToolCall():
                    parts.append(self._call(part, pending, calls))
                    pending = ""
                case Reasoning():
                    pending = self._thought(part, parts)
                case _:
                    self._content(part, parts)
        if not parts and not self.own:
            return
        raw = self._raw(message)
        if raw is not None and self.own:
            for content in raw:
                self.turns.append(Turn(content.get("role") or "model", content.get("parts") or []))
            self.turns[-1].calls = tuple(calls)
            return
        turn = self._turn("model", message)
        turn.parts += parts
        turn.calls += tuple(calls)

    @staticmethod
    def _raw(message: Message) -> list[Any] | None:
        """Returns the contents a merged turn was sent as, unless one holds what only we can read."""
        contents: list[Any] | None = reading.bag(message.extras, OWN).get("~contents")
        if contents is None:
            return None
        for content in contents:
            for _, part in reading.tables(content.get("parts")):
                if is_carrier(reading.text(part.get("thoughtSignature"))):
                    return None
        return contents

    def _call(self, part: ToolCall, pending: str, calls: list[tuple[str, str, bool]]) -> JSON:
        notes = reading.bag(part.extras, OWN)
        args, legal = arguments_object(wrapped(part.arguments, part.kind))
        if not legal:
            self.lose(part.at, "arguments", "not a JSON object", LossLevel.SILENT)
        ident = self.ids.call(part.id)
        name = self.names.sent(part.name or part.kind.value, part.namespace)
        self._named[ident], self._originals[ident] = name, part.id
        signature = pending
        if part.seal is not None and fits(part.seal, OWN, self.target.issuer):
            signature = reading.text(part.seal.data)
        if not signature and not calls and self.rules.signed:
            signature = NO_SIGNATURE
            self.lose(part.at, "thought signature", "another model made this call", LossLevel.SILENT)
        calls.append((ident, name, not notes.get("~noid")))
        out = parts_out.call(name, args, "" if notes.get("~noid") else ident, signature)
        inner = out["functionCall"]
        if isinstance(inner, dict):
            if notes.get("~noargs"):
                del inner["args"]
            inner.update(notes.get("~call", {}))
        reading.unload(part.extras, OWN, out)
        return out

    def _thought(self, part: Reasoning, parts: list[JSON]) -> str:
        """Adds a thought of this vendor's and returns a signature that waits for the call after it."""
        refused = NO_THINKING_HISTORY in self.target.learned
        sealed = not refused and part.seal is not None and fits(part.seal, OWN, self.target.issuer)
        signature = reading.text(part.seal.data) if sealed and part.seal is not None else ""
        if self.own and not refused and (signature or part.seal is None):
            out: dict[str, JSON] = {"text": part.text, "thought": True}
            if signature:
                out["thoughtSignature"] = signature
            reading.unload(part.extras, OWN, out)
            parts.append(out)
            return ""
        if not signature:
            self.lose(part.at, "thinking", "its seal is not this vendor's", LossLevel.SILENT)
        return signature

    def _content(self, part: Part, parts: list[JSON]) -> None:
        match part:
            case Text():
                if part.citations:
                    self.lose(part.at, "citations", "a request has no place for them", LossLevel.SILENT)
                if part.text or self.own:
                    parts.append(parts_out.text(part))
            case Refusal():
                if part.text:
                    parts.append({"text": part.text})
            case Media():
                out = parts_out.media(part, self.losses, own=self.own)
                if out is not None:
                    parts.append(out)
            case Opaque():
                self._opaque(part, parts)
            case _:
                pass

    def _opaque(self, part: Opaque, parts: list[JSON]) -> None:
        if part.format is OWN:
            parts.append(part.raw)
            return
        words = opaque_text(part, history=self.target.capabilities.get("carry_search_history") is True)
        if words:
            parts.append({"text": words})
        else:
            kind = reading.text(reading.table(part.raw).get("type")) or "block"
            self.lose(part.at, kind, f"only {part.format} has this block")

    # The user's side

    def _user(self, message: Message) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if self.own:
            turn = self._turn("user", message)
            for part in message.parts:
                if isinstance(part, ToolResult):
                    turn.parts.append(self._own_result(part))
                else:
                    self._content(part, turn.parts)
            return
        rest: list[JSON] = []
        if results:
            rest = self._answers(results)
        for part in message.parts:
            if not isinstance(part, ToolResult):
                self._content(part, rest)
        if rest:
            self._turn("user", message).parts.extend(rest)

    def _answers(self, results: list[ToolResult]) -> list[JSON]:
        """Adds the content of responses and returns what of the results goes as the user's words."""
        last = self.turns[-1] if self.turns else None
        rest: list[JSON] = []
        joins = last is not None and last.answers
        turn = last if last is not None and joins else Turn("user", answers=True)
        open_calls = self._open_calls()
        for part in results:
            waiting = open_calls.get(part.call_id)
            if not waiting:
                self.lose(part.at, "tool result", "no call it answers stands before it")
                for each in part.parts:
                    self._content(each, rest)
                continue
            turn.parts.append(self._result(part, waiting.popleft(), rest))
        if turn is not last and turn.parts:
            self.turns.append(turn)
        return rest

    def _open_calls(self) -> dict[str, deque[str]]:
        """Returns the calls of the latest model turn that have no response yet, by the ids the client gave them."""
        turns = self.turns
        place = -2 if turns and turns[-1].answers else -1
        turn = turns[place] if len(turns) >= -place else None
        if turn is None or turn.role != "model":
            return {}
        # Once for each turn, not for each result: a result takes its call out.
        if self._asked[:2] != (id(turn), len(turn.calls)):
            waiting: dict[str, deque[str]] = {}
            for ident, _, _ in turn.calls:
                waiting.setdefault(self._originals[ident], deque()).append(ident)
            self._asked = (id(turn), len(turn.calls), waiting)
        return self._asked[2]

    def _result(self, part: ToolResult, ident: str, rest: list[JSON]) -> JSON:
        words: list[str] = []
        shown: list[JSON] = []
        for each in part.parts:
            said = plain_text(each)
            if said is not None:
                words.append(said)
            elif isinstance(each, Media):
                out = parts_out.media(each, self.losses, own=False)
                if out is not None:
                    shown.append(out)
            else:
                self._content(each, shown)
        if shown and not self.rules.rich_results:
            words.append(f"[{len(shown)} attachment(s): see the user's next message]")
            rest += shown
            shown = []
        response: JSON = {"error" if part.is_error else "output": "\n".join(words)}
        inner: dict[str, JSON] = {"id": ident, "name": self._named.get(ident, part.name), "response": response}
        if shown:
            inner["parts"] = shown
        return {"functionResponse": inner}

    def _own_result(self, part: ToolResult) -> JSON:
        notes = reading.bag(part.extras, OWN)
        ident = self.ids.result(part.call_id) or part.call_id
        inner: dict[str, JSON] = {} if notes.get("~noid") else {"id": ident}
        inner["name"] = self._named.get(ident, part.name)
        if "~response" not in notes:
            return self._result(part, ident, self.turns[-1].parts)
        if notes["~response"] is not None:
            inner["response"] = notes["~response"]
        media = [each for each in part.parts if not isinstance(each, Text)]
        if media:
            shown: list[JSON] = []
            for each in media:
                self._content(each, shown)
            inner["parts"] = shown
        inner.update(notes.get("~result", {}))
        out: dict[str, JSON] = {"functionResponse": inner}
        reading.unload(part.extras, OWN, out)
        return out

    def finish(self) -> list[JSON]:
        """Returns the contents, every call answered."""
        if self.own:
            return [turn.body() for turn in self.turns]
        out: list[JSON] = []
        if not self.turns:
            self.turns.append(Turn("user", [{"text": _OPENING}]))
            self.lose("messages", "empty conversation", "the user has to say something", LossLevel.SILENT)
        for place, turn in enumerate(self.turns):
            out.append(turn.body())
            if not turn.calls:
                continue
            following = self.turns[place + 1] if place + 1 < len(self.turns) else None
            if following is not None and following.answers:
                self._complete(turn, following)
            else:
                missing = Turn("user", answers=True)
                self._complete(turn, missing)
                out.append(missing.body())
        return out

    def _complete(self, calls: Turn, answers: Turn) -> None:
        """Puts the responses in the order of their calls, with placeholders for missing ones."""
        by_id: Mapping[str, JSON] = {_answered(part): part for part in answers.parts}
        ordered: list[JSON] = []
        for ident, name, _ in calls.calls:
            found = by_id.get(ident)
            if found is None:
                self.lose("messages", "tool result", "a call without its result got a placeholder", LossLevel.SILENT)
                found = {"functionResponse": {"id": ident, "name": name, "response": {"output": NO_RESPONSE}}}
            ordered.append(found)
        answers.parts = ordered


def _answered(part: JSON) -> str:
    return reading.text(reading.table(reading.table(part).get("functionResponse")).get("id"))
