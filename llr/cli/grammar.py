"""Words of a command line into flags: spelling, empty values and `help` anywhere; types come later.

Law: pure. Nothing here knows which commands exist; declarations come in as `Param`s.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from llr.base.names import FALSE_WORDS, TRUE_WORDS
from llr.base.records import dataclass
from llr.control.params import Kind, Param

_BOOL_WORDS = TRUE_WORDS | FALSE_WORDS
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Line:
    """A command line taken apart: `flags` are canonical `--name=value`, `words` the rest in order.

    `bare` are flags that need a value and stand without one.
    """

    flags: tuple[str, ...]
    words: tuple[str, ...]
    help: bool
    unknown: tuple[str, ...]
    bare: tuple[str, ...] = ()


def kebab(name: str) -> str:
    """Returns a camelCase flag name in kebab case; others unchanged."""
    return _HUMP.sub("-", name).lower() if _HUMP.search(name) else name


def flag_table(params: Iterable[Param]) -> dict[str, Param]:
    """Returns every spelling (without dashes) and its declaration; `no-NAME` stands for a BOOL's false."""
    table: dict[str, Param] = {}
    for param in params:
        if param.positional:
            continue
        for name in (param.name, *param.aliases):
            table[name] = param
            if param.kind is Kind.BOOL:
                table[f"no-{name}"] = param
    return table


def command_index(tokens: Sequence[str], bare: frozenset[str]) -> int | None:
    """Returns where the command word stands, flags before it skipped; None when there is none.

    `bare` names the flags that do not take the next word as their value.
    """
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token == "--":
            return None
        if token.startswith("--") and "=" not in token:
            following = tokens[at + 1] if at + 1 < len(tokens) else "-"
            takes_it = following.lower() in _BOOL_WORDS if kebab(token[2:]) in bare else not following.startswith("-")
            at += 2 if takes_it else 1
        elif (token.startswith("-") and token != "-") or token in ("help", "router"):
            at += 1
        else:
            return at
    return None


def _value(param: Param, following: str | None) -> tuple[str, bool]:
    """Returns the value of `--name` and whether the next token was taken for it."""
    if following is not None and (not following.startswith("-") or following == "-"):
        if param.kind is not Kind.BOOL:
            return following, True
        if following.lower() in _BOOL_WORDS:
            return following, True
    return "true", False


def read(tokens: Sequence[str], params: Iterable[Param]) -> Line:
    """Returns the line as canonical flags. The last of a repeated flag wins, kebab before camelCase."""
    params = tuple(params)
    table = flag_table(params)
    shorts = {f"-{param.short}": param for param in params if param.short}
    values: dict[str, tuple[bool, str]] = {}
    words: list[str] = []
    unknown: list[str] = []
    bare: list[str] = []
    wants_help = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token == "--":
            words.extend(tokens[at:])
            break
        short = shorts.get(token)
        if token in ("-h", "--help", "help"):
            wants_help = True
        elif short is not None:
            value, taken = _value(short, tokens[at] if at < len(tokens) else None)
            at += int(taken)
            bare += [short.name] if short.kind is not Kind.BOOL and not taken else []
            _keep(values, short, True, value)
        elif not token.startswith("--"):
            words.append(token)
        else:
            spelled, has_value, value = token[2:].partition("=")
            name = kebab(spelled)
            param = table.get(name)
            following = tokens[at] if at < len(tokens) else None
            if param is None:
                unknown.append(name)
                at += int(not has_value and following is not None and not following.startswith("-"))
                continue
            if not has_value:
                value, taken = _value(param, following)
                at += int(taken)
                bare += [name] if param.kind is not Kind.BOOL and not taken else []
            if name.startswith("no-") and name not in (param.name, *param.aliases):
                value = "false" if value.lower() in TRUE_WORDS else "true"
            _keep(values, param, spelled == name, value)
    flags = tuple(f"--{name}={value}" for name, (_, value) in values.items())
    return Line(flags, tuple(words), wants_help, tuple(unknown), tuple(bare))


def _keep(values: dict[str, tuple[bool, str]], param: Param, is_kebab: bool, value: str) -> None:
    if value == "" and not param.keep_empty:
        return
    before = values.get(param.name)
    if before is None or is_kebab or not before[0]:
        values[param.name] = (is_kebab, value)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word nearest to `word`, or None when none is near.

    Near is what few edits away is, then what has all its dashed parts (`remove-alias`: `remove-model-alias`).
    """
    known = tuple(known)
    limit = 1 if len(word) < 4 else 2 if len(word) < 8 else 3
    best: tuple[int, str] | None = None
    for candidate in known:
        distance = _distance(word, candidate)
        if candidate.startswith(word) and len(word) >= 3:
            distance = min(distance, limit)
        if distance <= limit and (best is None or distance < best[0]):
            best = (distance, candidate)
    if best is not None:
        return best[1]
    parts = set(word.split("-"))
    return next((found for found in known if len(parts) > 1 and parts <= set(found.split("-"))), None)


def _distance(left: str, right: str) -> int:
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b)))
        previous = current
    return previous[-1]


def suggestion(name: str, known: Mapping[str, object] | Iterable[str], prefix: str = "") -> str:
    """Returns ` (did you mean …?)` or nothing."""
    near = closest(name, known)
    return f" (did you mean {prefix}{near}?)" if near else ""
