"""Call ids that the other side accepts and that do not repeat, in requests and in answers.

Law: the same history gives the same ids, and a longer history gives the same ids for its beginning, so that prompt
caches hold.
"""

import re
from collections import deque
from collections.abc import Mapping
from hashlib import sha256

from llr.base.names import FormatId
from llr.base.records import dataclass, replace
from llr.formats.base import Meta
from llr.ir.parts import ToolCall


@dataclass(frozen=True, slots=True)
class IdRule:
    """What a target takes as a call id: allowed characters and length; `exact` is a fixed length of alphanumerics."""

    pattern: re.Pattern[str]
    longest: int
    exact: int = 0


_PLAIN = re.compile(r"[a-zA-Z0-9_-]+")
_ANY = re.compile(r"[\x21-\x7e]+")
_ALNUM = re.compile(r"[a-zA-Z0-9]+")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
# Vendor references: tool_use ids match [a-zA-Z0-9_-]+; Chat ids have at most 40 characters, Responses ids 64.
RULES: Mapping[FormatId, IdRule] = {
    FormatId.MESSAGES: IdRule(_PLAIN, 128),
    FormatId.CHAT: IdRule(_ANY, 40),
    FormatId.COMPLETIONS: IdRule(_ANY, 40),
    FormatId.RESPONSES: IdRule(_PLAIN, 64),
    FormatId.GEMINI: IdRule(_ANY, 128),
}
# How ids made here begin, where it is not with "call_".
_PREFIXES: Mapping[FormatId, str] = {FormatId.MESSAGES: "tool_"}
# Mistral's chat endpoint takes exactly nine alphanumerics.
NINE = IdRule(_ALNUM, 9, exact=9)


def _digest(text: str, length: int) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def legal_id(original: str, rule: IdRule) -> str:
    """Returns `original` when the rule allows it, else a readable form with a hash of the original at its end."""
    if rule.exact:
        if len(original) == rule.exact and rule.pattern.fullmatch(original):
            return original
        return _digest(original, rule.exact)
    if len(original) <= rule.longest and rule.pattern.fullmatch(original):
        return original
    stem = _ILLEGAL.sub("_", original)[: rule.longest - 9]
    return f"{stem or 'call'}_{_digest(original, 8)}"


class CallIds:
    """Ids of one conversation on its way to a target: calls first, then the results that answer them."""

    def __init__(self, rule: IdRule) -> None:
        self._rule = rule
        self._sent: set[str] = set()
        # The calls of one id that no result answered yet, and the turn they were made in.
        self._waiting: dict[str, tuple[int, deque[str]]] = {}
        # Where to go on with numbers for an id that comes again.
        self._numbers: dict[str, int] = {}
        self._turn = 0

    def call(self, original: str) -> str:
        """Returns the id to send for a new call; an id used before in this history gets a number."""
        sent = legal_id(original, self._rule)
        again = self._numbers.get(original, 2)
        while sent in self._sent:
            sent = legal_id(f"{original}_{again}", self._rule)
            again += 1
        self._numbers[original] = again
        self._sent.add(sent)
        turn, waiting = self._waiting.get(original, (-1, deque[str]()))
        if turn != self._turn:
            waiting = deque()
            self._waiting[original] = (self._turn, waiting)
        waiting.append(sent)
        return sent

    def turn(self) -> None:
        """Ends the turn: a result that comes later answers later calls of its id, if there are any."""
        self._turn += 1

    def result(self, original: str) -> str | None:
        """Returns the id sent for the call a result answers, None when there was none.

        Results of calls that share an id answer them in their order; one more than there are calls gets the last one's.
        """
        self._turn += 1
        _, waiting = self._waiting.get(original, (0, deque[str]()))
        if len(waiting) > 1:
            return waiting.popleft()
        return waiting[0] if waiting else None


class FreshIds:
    """Ids for the calls of one answer: the upstream's own where they are legal and new to the client.

    Some servers give no ids, or the same ones in every answer; a client that knows an id takes its call for done.
    """

    __slots__ = ("_client", "_meta", "_taken")

    def __init__(self, meta: Meta, client: FormatId) -> None:
        self._meta = meta
        self._client = client
        self._taken: set[str] | None = None

    def of(self, call: ToolCall) -> ToolCall:
        """Returns the call with an id that neither the conversation nor this answer had before."""
        if self._taken is None:
            turns = self._meta.request.messages
            self._taken = {part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall)}
        ident = legal_id(call.id, RULES[self._client]) if call.id else ""
        while not ident or ident in self._taken:
            ident = self._meta.ids.new(_PREFIXES.get(self._client, "call_"))
        self._taken.add(ident)
        return call if ident == call.id else replace(call, id=ident)
