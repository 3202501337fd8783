"""Blocks that features of their own use: checked here, kept in the raw document, given in normal form on request."""

import re

from llr.base.jsonio import JSON
from llr.config.amp import check_amp
from llr.config.cursor import Cursor
from llr.config.grammar import SEARCH_BACKENDS, number
from llr.config.links import Names
from llr.config.websearch import read_web_search

OLLAMA_URL = "http://localhost:11434"
KEEP_ALIVE = "5m"

_KEEP_ALIVE = re.compile(r"-1\Z|0\Z|\d+[smh]\Z")


def check(root: Cursor, names: Names) -> None:
    """Records the issues of `webSearch`, `amp`, `claudeCode` and `ollama`."""
    search = read_web_search(root, names)
    check_amp(root, names)
    read_claude_code(root, search)
    read_ollama(root)


def read_claude_code(root: Cursor, search: dict[str, JSON] | None) -> dict[str, JSON] | None:
    """Returns `claudeCode` in normal form, None when it says nothing; an unconfigured search provider is an issue."""
    place = root.key("claudeCode")
    if not place.present:
        return None
    if place.obj() is None:
        place.warn("not-an-object", "claudeCode must be an object, it is ignored")
        return None
    item = place.of("claudeCode")
    item.check_keys("claudeCode")
    chosen = item.key("webSearchProvider")
    text = chosen.text()
    if not text:
        return None
    wanted = text.lower() if text.lower() in SEARCH_BACKENDS else text
    listed = search.get("providers") if search is not None else None
    ids = [entry.get("id") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if wanted not in ids:
        message = f"claudeCode.webSearchProvider {wanted} must reference a configured webSearch provider"
        chosen.error("claude-search-provider", message)
    return {"webSearchProvider": wanted}


def read_ollama(root: Cursor) -> dict[str, JSON]:
    """Returns `ollama` in normal form; switched off when the block is absent."""
    place = root.key("ollama")
    item = place.of("ollama")
    if place.present and place.obj() is None:
        place.warn("not-an-object", "ollama must be an object, it is ignored")
    item.check_keys("ollama")
    return {
        "enabled": place.obj() is not None and item.key("enabled").not_false(),
        "baseUrl": item.key("baseUrl").url().rstrip("/") or OLLAMA_URL,
        "autoConnect": item.key("autoConnect").not_false(),
        "defaultKeepAlive": _keep_alive(item.key("defaultKeepAlive")),
        "managedModels": {name: _managed(one) for name, one in item.key("managedModels").members() if one.obj()},
        "autoLoadModels": list(item.key("autoLoadModels").texts()),
    }


def _keep_alive(place: Cursor) -> str:
    text = place.text()
    if _KEEP_ALIVE.match(text):
        return text
    if place.present:
        place.warn("keep-alive", f"{place.path} must be -1, 0 or a number with s, m or h; {KEEP_ALIVE} is used")
    return KEEP_ALIVE


def _managed(item: Cursor) -> dict[str, JSON]:
    length = number(item.first(("contextLength",)).value)
    found: dict[str, JSON] = {"keepAlive": _keep_alive(item.first(("keepAlive",)))}
    if length is not None and length > 0:
        found["contextLength"] = round(length)
    return {
        **found,
        "pinned": item.first(("pinned",)).value is True,
        "autoLoad": item.first(("autoLoad",)).value is True,
    }
