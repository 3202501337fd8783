"""Call ids that the target accepts and that do not repeat.

Law: the same history gives the same ids, and a longer history gives the same ids for its beginning, so that prompt
caches hold.
"""

import re
from collections.abc import Mapping
from hashlib import sha256

from llr.base.names import FormatId
from llr.base.records import dataclass


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
        self._latest: dict[str, str] = {}
        self._sent: dict[str, str] = {}

    def call(self, original: str) -> str:
        """Returns the id to send for a new call; an id used before in this history gets a number."""
        sent = legal_id(original, self._rule)
        again = 2
        while sent in self._sent:
            sent = legal_id(f"{original}_{again}", self._rule)
            again += 1
        self._sent[sent] = original
        self._latest[original] = sent
        return sent

    def result(self, original: str) -> str | None:
        """Returns the id sent for the latest call of that name, None when there was none."""
        return self._latest.get(original)

    def changed(self) -> dict[str, str]:
        """Returns sent id -> the client's id, for those that differ."""
        return {sent: original for sent, original in self._sent.items() if sent != original}
