"""Reading raw JSON with a path: a cursor converts, records an issue and goes on, so that every issue comes at once.

Law: never raises on any JSON value; the coercions are the ones hand-edited files need, named once here.
"""

import json
import re
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field, replace
from llr.config import grammar
from llr.config.keys import KEYS, known, spellings
from llr.config.schema import Issue, Level

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def _folded(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")


def member_path(path: str, key: str) -> str:
    """Returns the path of member `key`: `.key`, or `["key"]` where the key is not a plain word."""
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


@dataclass(frozen=True, slots=True)
class Cursor:
    """One place in the document: its value, its path, the kind of object read there, and where issues go."""

    value: JSON
    path: str = "$"
    issues: list[Issue] = field(default_factory=list)
    kind: str = ""

    # Moving.

    def key(self, name: str) -> "Cursor":
        """Returns the member under the first spelling of `name` that is present and not null; its value may be None."""
        return self.first(spellings(self.kind, name) if self.kind else (name,))

    def first(self, names: tuple[str, ...]) -> "Cursor":
        """Returns the first of these members that is present and not null, else one without a value."""
        found: JSON = None
        name = names[0]
        if isinstance(self.value, dict):
            for spelling in names:
                if self.value.get(spelling) is not None:
                    found, name = self.value[spelling], spelling
                    break
        return Cursor(found, member_path(self.path, name), self.issues)

    def llr(self, name: str) -> "Cursor":
        """Returns a key of this router: from `metadata.llr`, else from the object itself."""
        inner = self.first(("metadata",)).first(("llr",)).first((name,))
        if inner.value is not None:
            return inner
        direct = self.first((name,))
        return direct if direct.value is not None else inner

    def each(self) -> list["Cursor"]:
        """Returns the elements of an array; null gives none, any other single value one."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            return [self]
        return [Cursor(item, f"{self.path}[{index}]", self.issues) for index, item in enumerate(self.value)]

    def members(self) -> list[tuple[str, "Cursor"]]:
        """Returns the members of an object in order; none for any other value."""
        if not isinstance(self.value, dict):
            return []
        return [(key, Cursor(value, member_path(self.path, key), self.issues)) for key, value in self.value.items()]

    def of(self, kind: str) -> "Cursor":
        """Returns this place as an object of `kind`, so that `key` knows its spellings."""
        return replace(self, kind=kind)

    @property
    def present(self) -> bool:
        """Returns whether there is a value that is not null."""
        return self.value is not None

    # Reporting.

    def error(self, code: str, message: str, hint: str = "") -> None:
        """Records an error here: the named entry is left out of service."""
        self.issues.append(Issue(self.path, code, message, Level.ERROR, hint))

    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Records a warning here."""
        self.issues.append(Issue(self.path, code, message, Level.WARNING, hint))

    def check_keys(self, owner: str) -> None:
        """Records a warning for every member that is not a key of this kind; `owner` opens the message."""
        if isinstance(self.value, dict):
            self._check(self.value, known(self.kind), owner)
            inner = self.first(("metadata",)).first(("llr",))
            if f"{self.kind}.llr" in KEYS and isinstance(inner.value, dict):
                inner._check(inner.value, frozenset(KEYS[f"{self.kind}.llr"]), owner)

    def _check(self, members: Mapping[str, JSON], names: frozenset[str], owner: str) -> None:
        for key in members:
            if key not in names:
                from difflib import get_close_matches  # slow to import, and right files never need it

                # Case and joints are what people get wrong; of several spellings the plain one is told.
                spelt = {_folded(name): name for name in sorted(names, key=lambda name: (name.isalnum(), name))}
                near = get_close_matches(_folded(key), list(spelt), n=1, cutoff=0.75)
                hint = f"did you mean {spelt[near[0]]}?" if near else ""
                place = Cursor(members[key], member_path(self.path, key), self.issues)
                place.warn("unknown-key", f"{owner}: unknown key {key}, kept and ignored", hint)

    # Values. Each coercion is one rule of the file format.

    def obj(self) -> dict[str, JSON] | None:
        """Returns an object, None for any other value."""
        return self.value if isinstance(self.value, dict) else None

    def string(self) -> str | None:
        """Returns a string verbatim, None for any other value."""
        return self.value if isinstance(self.value, str) else None

    def text(self) -> str:
        """Returns a text or number as trimmed text, "" when absent."""
        return grammar.scalar_text(self.value)

    def flag(self, default: bool) -> bool:
        """Returns a bool or a word that means one; `default` for anything else."""
        return grammar.flag(self.value, default)

    def tri(self) -> bool | None:
        """Returns a bool or a word that means one, None when it says nothing; other values are reported."""
        if self.value is None:
            return None
        if grammar.flag(self.value, True) == grammar.flag(self.value, False):
            return grammar.flag(self.value, True)
        self.warn("bad-value", f"{self.path} must be true or false")
        return None

    def not_false(self) -> bool:
        """Returns true unless the value is literally false."""
        return self.value is not False

    def posint(self) -> int | None:
        """Returns a whole number of at least 1, None for anything else."""
        return grammar.posint(self.value)

    def finite(self) -> float | None:
        """Returns a JSON number, None for anything else; numeric text does not count."""
        return None if isinstance(self.value, str) else grammar.number(self.value)

    def bounded(self, low: int, high: int | None = None) -> int | None:
        """Returns a whole number moved into the bounds, None when absent; no number or a moved one is reported."""
        if self.value is None:
            return None
        found = grammar.number(self.value)
        if found is None:
            self.warn("bad-value", f"{self.path} must be a whole number")
            return None
        whole = int(found)
        moved = max(low, whole if high is None else min(high, whole))
        if moved != whole:
            self.warn("out-of-range", f"{self.path} is {whole}, {moved} is used", f"allowed: {low} to {high or 'any'}")
        return moved

    def seconds(self, low_ms: int, high_ms: int) -> float | None:
        """Returns milliseconds moved into the bounds, as seconds; None when absent."""
        found = self.bounded(low_ms, high_ms)
        return None if found is None else found / 1000

    def texts(self) -> tuple[str, ...]:
        """Returns the non-empty trimmed strings of a list, first occurrence of each."""
        found = (item.value.strip() for item in self.each() if isinstance(item.value, str))
        return tuple(dict.fromkeys(text for text in found if text))

    def url(self) -> str:
        """Returns an absolute http(s) URL in normal form, "" for anything else; user-info in it is reported."""
        found = grammar.url(self.value)
        if found and grammar.has_userinfo(self.value):
            self.warn("url-userinfo", f"{self.path}: user name and password in a URL are ignored", "use apiKey or auth")
        return found

    def one_of(self, words: tuple[str, ...]) -> str | None:
        """Returns one of `words` (trimmed, lower case), None when absent; another value is reported."""
        if self.value is None:
            return None
        word = self.text().lower()
        if word in words:
            return word
        self.warn("bad-value", f"{self.path} must be one of {', '.join(words)}")
        return None

    def only_objects(self, what: str) -> list["Cursor"]:
        """Returns the elements that are objects; others are reported as malformed `what`."""
        found = []
        for item in self.each():
            if isinstance(item.value, dict):
                found.append(item)
            else:
                item.warn("not-an-object", f"{what} must be an object, this entry is ignored")
        return found
