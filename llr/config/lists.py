"""Lists as people type them on a command line: models, targets with weights, windows, buckets.

Law: total functions; a text that does not fit is dropped or gives None, the caller says what is wrong.
"""

import json
import re
from collections.abc import Collection, Mapping

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.grammar import number, posint, slug
from llr.config.schema import Doc
from llr.config.windows import calendar_parts, window_parts

SEPARATORS = re.compile(r"[,;\s]+")
_OPEN, _CLOSE = "\"'`([{< \t", "\"'`)]}>.,;: \t"
_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}
_QUALIFIED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._:/@\[\]-]+\Z")
_UNIT_FIRST = re.compile(r"([a-z]+)\s*[:/x\s-]?\s*(\d+)\Z")
_SIZE_FIRST = re.compile(r"(\d+)\s*([a-z]+)\Z")
_UNITS: Mapping[str, str] = {
    word: unit
    for unit, words in {
        "second": "s sec secs second seconds",
        "minute": "m min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "w wk wks week weeks",
        "month": "mo mon month months",
    }.items()
    for word in words.split()
}


def loose_list(text: str) -> list[str]:
    """Returns the tokens of pasted text: split at commas, semicolons and blanks, outer marks removed, each once."""
    tokens = (_bare(token) for token in SEPARATORS.split(text))
    return list(dict.fromkeys(token for token in tokens if token))


def _bare(token: str) -> str:
    """Returns a token without outer quotes and brackets; a closing bracket that belongs to the token stays."""
    token = token.lstrip(_OPEN)
    while token and token[-1] in _CLOSE:
        opening = _PAIRS.get(token[-1])
        if opening is not None and token.count(opening) >= token.count(token[-1]):
            break
        token = token[:-1]
    return token


def parse_targets(text: str, known: Collection[str] = ()) -> list[Doc]:
    """Returns alias targets: a JSON array or object of target objects, or tokens "ref@weight".

    `known` are refs that exist ("provider/model", alias ids): such a token is never split, and ":" introduces a weight
    only behind one of them. Entries with a weight that is no positive number and tokens with "://" are dropped, the
    first of equal refs counts.
    """
    stripped = text.strip()
    if stripped[:1] in ("[", "{"):
        try:
            return _json_targets(json.loads(stripped))
        except (ValueError, RecursionError):
            pass  # "[a/b]" is a bracketed token, not JSON
    found: dict[str, Doc] = {}
    for token in loose_list(stripped):
        if "://" in token:
            continue
        ref, weight = _weighted(token, known)
        found.setdefault(ref, {"ref": ref} if weight is None else {"ref": ref, "weight": weight})
    return list(found.values())


def _weighted(token: str, known: Collection[str]) -> tuple[str, float | None]:
    if token in known:
        return token, None
    for mark in "@:":
        ref, at, tail = token.rpartition(mark)
        weight = number(tail)
        if at and ref and weight is not None and weight > 0 and (mark == "@" or ref in known):
            return ref, _plain(weight)
    return token, None


def _plain(weight: float) -> float:
    return int(weight) if float(weight).is_integer() else weight


def _json_targets(value: JSON) -> list[Doc]:
    found: dict[str, Doc] = {}
    for one in Cursor(value).each():
        item = one.of("target") if isinstance(one.value, dict) else Cursor({"ref": one.value}, kind="target")
        ref = (item.key("ref").string() or "").strip()
        weight = item.key("weight")
        value_of = number(weight.value)
        if not ref or (weight.present and (value_of is None or value_of <= 0)):
            continue
        entry: Doc = {"ref": ref}
        if value_of is not None:
            entry["weight"] = _plain(value_of)
        metadata = item.key("metadata").obj()
        found.setdefault(ref, {**entry, "metadata": metadata} if metadata is not None else entry)
    return list(found.values())


def parse_qualified(text: str) -> tuple[list[str], list[str]]:
    """Returns the "provider/model" tokens of a text, and the tokens that are none."""
    tokens = loose_list(text)
    return [token for token in tokens if _QUALIFIED.match(token)], [
        token for token in tokens if not _QUALIFIED.match(token)
    ]


def parse_window(value: JSON) -> Doc | None:
    """Returns `{"unit", "size"}` from "month:1", "1 month", "2w" or an object; None when it is no window.

    An object may name `timezone` and `anchor` too; whether they are any is found out when the config is read.
    """
    if isinstance(value, dict):
        item = Cursor({"window": value, **value}, kind="bucket")
        unit, size = window_parts(item)
        found = _window(unit.text(), size.value)
        return found if found is None else {**found, **_calendar(item)}
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if text.startswith("{"):
        try:
            parsed: JSON = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return parse_window(parsed) if isinstance(parsed, dict) else None
    match = _UNIT_FIRST.match(text)
    if match and match.group(1) not in _UNITS and match.group(1)[:-1] in _UNITS and match.group(1)[-1] == "x":
        return _window(match.group(1)[:-1], match.group(2))  # "monthx1": the x belongs between
    if match:
        return _window(match.group(1), match.group(2))
    match = _SIZE_FIRST.match(text)
    return _window(match.group(2), match.group(1)) if match else None


def _window(unit: str, size: JSON) -> Doc | None:
    word, whole = _UNITS.get(unit.strip().lower()), posint(size)
    return {"unit": word, "size": whole} if word is not None and whole is not None else None


def _calendar(item: Cursor) -> Doc:
    zone, anchor = calendar_parts(item)
    return {name: place.value for name, place in (("timezone", zone), ("anchor", anchor)) if place.present}


class BucketProblem(ValueError):
    """Why a bucket cannot be made; the message is for the user."""


def parse_bucket(given: Mapping[str, JSON], taken: Collection[str] = ()) -> Doc:
    """Returns a bucket as it is stored, from the object form of the command line.

    Without an id one is made of the name, unique beside `taken`. Raises `BucketProblem`.
    """
    item = Cursor(dict(given), kind="bucket")
    name = item.first(("name", "bucket-name"))
    own = item.key("id").text()
    if name.present and not name.text():
        raise BucketProblem("bucket name cannot be empty")
    if not own and not name.text():
        raise BucketProblem("bucket id or bucket name is required")
    own = own or _unique(slug(name.text(), "bucket"), taken)
    models = item.first(("models", "model", "model-selector"))
    selectors = loose_list(models.value) if isinstance(models.value, str) else list(models.texts())
    selectors = ["all" if word.lower() == "all" else word for word in selectors]
    if not selectors:
        raise BucketProblem(f"bucket '{own}' requires models")
    requests = item.key("requests").posint()
    if requests is None:
        raise BucketProblem(f"bucket '{own}' requests must be a positive integer")
    window = parse_window(item.key("window").value)
    if window is None:
        unit, size = window_parts(item)
        window = _window(unit.text(), size.value)
        window = window if window is None else {**window, **_calendar(item)}
    if window is None:
        raise BucketProblem(f"bucket '{own}' window is invalid")
    metadata = item.key("metadata")
    if metadata.present and metadata.obj() is None:
        raise BucketProblem(f"bucket '{own}' metadata must be a JSON object")
    listed: list[JSON] = list(selectors)
    found: Doc = {"id": own, **({"name": name.text()} if name.text() else {}), "models": listed, "requests": requests}
    return {**found, "window": window, **({"metadata": metadata.value} if metadata.present else {})}


def _unique(base: str, taken: Collection[str]) -> str:
    found, suffix = base, 2
    while found in taken:
        found, suffix = f"{base}-{suffix}", suffix + 1
    return found


def parse_context_windows(text: str) -> dict[str, int]:
    """Returns model id to tokens, from a JSON object or "model=number" and "model:number" entries.

    An id may hold colons: "=" separates first, else the last ":" does. Values that are no positive integer are dropped.
    """
    stripped = text.strip()
    pairs: list[tuple[str, JSON]] = []
    if stripped.startswith("{"):
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            value = {}
        pairs = list(value.items()) if isinstance(value, dict) else []
    else:
        for entry in re.split(r"[,\n]+", stripped):
            name, mark, tail = entry.partition("=") if "=" in entry else entry.rpartition(":")
            if mark:
                pairs.append((name.strip(), tail.strip()))
    return {name: tokens for name, value in pairs if name and (tokens := posint(value)) is not None}
