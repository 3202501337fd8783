"""Tool names that the target accepts, unique, and the way back.

Law: a legal name that is used once is never touched; the same tools give the same names.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

from llr.base.names import FormatId
from llr.base.records import dataclass


@dataclass(frozen=True, slots=True)
class NameRule:
    """Allowed characters (as a regular expression of the illegal ones), first character and length."""

    illegal: re.Pattern[str]
    longest: int
    letter_first: bool = False


_PLAIN = re.compile(r"[^a-zA-Z0-9_-]")
# Vendor references: 128 characters for Messages, 64 for both OpenAI formats; Gemini wants a letter or _ first.
RULES: Mapping[FormatId, NameRule] = {
    FormatId.MESSAGES: NameRule(_PLAIN, 128),
    FormatId.CHAT: NameRule(_PLAIN, 64),
    FormatId.COMPLETIONS: NameRule(_PLAIN, 64),
    FormatId.RESPONSES: NameRule(_PLAIN, 64),
    FormatId.GEMINI: NameRule(re.compile(r"[^a-zA-Z0-9_.:-]"), 64, letter_first=True),
}
# Between namespace and name where a target has no namespaces.
JOINT = "__"
# Between namespace and name in the way back: cannot occur in a name.
SEPARATOR = "\x1f"
# In the way back of a tool we added for structured output: its input is the answer's text.
AS_TEXT = SEPARATOR + SEPARATOR


def client_name(name: str, namespace: str = "") -> str:
    """Returns the key of a tool as its client knows it; `split` takes it apart."""
    return f"{namespace}{SEPARATOR}{name}" if namespace else name


def split(client: str) -> tuple[str, str]:
    """Returns (namespace, name) of a `client_name`."""
    namespace, found, name = client.partition(SEPARATOR)
    return (namespace, name) if found else ("", client)


def legal_name(name: str, rule: NameRule) -> str:
    """Returns `name` with illegal characters as `_`, cut to length with a hash when it is too long."""
    legal = rule.illegal.sub("_", name) or "tool"
    if rule.letter_first and not (legal[0].isalpha() or legal[0] == "_"):
        legal = "_" + legal
    if len(legal) > rule.longest:
        legal = f"{legal[: rule.longest - 9]}_{_digest(name)}"
    return legal


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class ToolNames:
    """The names of one request's tools at a target. `namespaces` says that the target has them itself."""

    def __init__(self, tools: Iterable[tuple[str, str]], rule: NameRule, *, namespaces: bool = False) -> None:
        """Takes (name, namespace) of every tool in order; names that are legal as they are get their own first."""
        self._rule = rule
        self._namespaces = namespaces
        self._sent: dict[str, str] = {}
        self._back: dict[str, str] = {}
        keys = [client_name(name, namespace) for name, namespace in tools]
        for key in sorted(dict.fromkeys(keys), key=lambda key: self._plain(key) != key):
            self._add(key)

    def _plain(self, key: str) -> str:
        namespace, name = split(key)
        if namespace and not self._namespaces:
            name = f"{namespace}{JOINT}{name}"
        return legal_name(name, self._rule)

    def _add(self, key: str) -> str:
        sent = self._plain(key)
        taken = self._back.get(sent)
        if taken is not None and not (self._namespaces and split(taken)[0] != split(key)[0]):
            sent = f"{sent[: self._rule.longest - 9]}_{_digest(key)}"
        self._sent[key] = sent
        self._back.setdefault(sent, key)
        return sent

    def sent(self, name: str, namespace: str = "") -> str:
        """Returns the name to send; one that is not among the tools (an old call in the history) is made legal too."""
        key = client_name(name, namespace)
        found = self._sent.get(key)
        return found if found is not None else self._add(key)

    def changed(self) -> dict[str, str]:
        """Returns sent name -> `client_name`, for those that differ."""
        return {sent: key for sent, key in self._back.items() if sent != key and not self._same(sent, key)}

    def _same(self, sent: str, key: str) -> bool:
        return self._namespaces and split(key)[1] == sent
