"""`amp`: the parts of AMP routing that name models of this config. Checked here, kept in the raw document."""

import re

from llr.config.cursor import Cursor
from llr.config.keys import AMP_FROM, AMP_OVERRIDE_TO, AMP_TO
from llr.config.links import Names, check_ref

_KEY = ("id", "key", "name", "agent", "subagent", "signature")
_REGEX = re.compile(r"/(.*)/[a-z]*\Z", re.DOTALL)


def check_amp(root: Cursor, names: Names) -> None:
    """Records the issues of `amp`: broken references as errors, those of the older keys as warnings."""
    place = root.key("amp")
    if not place.present:
        return
    if place.obj() is None:
        place.warn("not-an-object", "amp must be an object, it is ignored")
        return
    item = place.of("amp")
    item.check_keys("amp")
    address = item.key("upstreamUrl")
    if address.text() and not address.url():
        address.warn("url-invalid", "amp.upstreamUrl is not an http or https URL, it is ignored")
    _ref(item.key("defaultRoute"), "AMP defaultRoute", names)
    _routes(item.key("routes"), names)
    for one in item.key("rawModelRoutes").each():
        source = one.first(AMP_FROM).text()
        _pattern(one.first(AMP_FROM), source)
        _ref(one.first(AMP_TO), f"AMP rawModelRoute '{source}'", names)
    for kind, word in (("entities", "entity"), ("signatures", "signature")):
        _overrides(item.key("overrides").first((kind,)), word, names)
    _legacy(item, names)


def _ref(place: Cursor, label: str, names: Names, *, soft: bool = False) -> None:
    text = place.string()
    if text is not None and text.strip():
        check_ref(place, label, text.strip(), names, soft=soft)


def _routes(place: Cursor, names: Names) -> None:
    if isinstance(place.value, dict):
        for key, one in place.members():
            _ref(one, f"AMP route '{key}'", names)
        return
    for one in place.each():
        _ref(one.first(AMP_TO), f"AMP route '{one.first(_KEY).text()}'", names)


def _overrides(place: Cursor, word: str, names: Names) -> None:
    named = place.members() if isinstance(place.value, dict) else [("", one) for one in place.each()]
    for key, one in named:
        own = one.first(_KEY).text() or key
        _ref(one.first(AMP_OVERRIDE_TO), f"AMP override {word} '{own}'", names)


def _legacy(item: Cursor, names: Names) -> None:
    for one in item.key("modelMappings").each():
        source = one.first(AMP_FROM).text()
        _pattern(one.first(AMP_FROM), source)
        _ref(one.first(AMP_TO), f"AMP modelMapping '{source}'", names, soft=True)
    mappings = item.key("subagentMappings")
    if isinstance(mappings.value, dict):
        for key, one in mappings.members():
            _ref(one, f"AMP subagentMapping '{key}'", names, soft=True)
        return
    for one in mappings.each():
        own = one.first(("agent", "subagent", "name", "id")).text()
        _ref(one.first(AMP_TO), f"AMP subagentMapping '{own}'", names, soft=True)


def _pattern(place: Cursor, text: str) -> None:
    match = _REGEX.match(text)
    if match is None:
        return
    try:
        re.compile(match.group(1))
    except (re.error, RecursionError, OverflowError) as exc:
        place.warn("pattern-invalid", f"AMP pattern {text} is not a regular expression: {exc}")
