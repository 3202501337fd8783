"""What an upstream can and cannot do, as translations need to know it: the keys of `metadata.llr.traits`.

Law: an unknown name or a value of the wrong kind is reported and left out; a trait that is not set is not guessed here.
"""

from collections.abc import Mapping
from typing import Any

from llr.config.cursor import Cursor

# Name -> what its value may be: True or False, one of some words, a list of texts, or an object.
_SWITCHES = (
    *("allowed_tools", "audio_in", "cache_control", "carry_search_history", "custom_tools", "developer_role"),
    *("effort_api", "image", "image_url", "json_schema", "max_completion_tokens", "mid_system", "pdf", "prefill"),
    *("prompt_cache_key", "sampling", "stream_usage", "strict_tools", "think_tags"),
    *("tools_via_chat", "top_k", "web_search"),
)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "reasoningStyle": ("flat", "nested"),
    "reasoning_field": ("reasoning_content", "reasoning"),
    "reasoning_replay": ("required", "allowed", "forbidden"),
    "thinking_mode": ("budget", "adaptive", "none"),
    "tool_id": ("nine", "any"),
}
_LISTS = ("dropFields", "efforts", "passthroughFields")
_OBJECTS = ("forceFields", "renameFields")
TRAITS: tuple[str, ...] = (*_SWITCHES, *_WORDS, *_LISTS, *_OBJECTS)


def read_traits(place: Cursor, label: str) -> Mapping[str, Any]:
    """Returns the traits that were set."""
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"{label}: traits must be an object")
    found = {}
    for name, item in place.members():
        wanted = _wrong(name, item.value)
        if wanted is None:
            found[name] = item.value
        elif name in TRAITS:
            item.warn("bad-value", f"{label}: trait {name} must be {wanted}")
        else:
            item.warn("unknown-key", f"{label}: unknown trait {name}", f"known: {', '.join(TRAITS)}")
    return found


def _wrong(name: str, value: Any) -> str | None:
    """Returns what a value must be, None when it is that."""
    if name in _SWITCHES:
        return None if isinstance(value, bool) else "true or false"
    if name in _WORDS:
        return None if value in _WORDS[name] else f"one of {', '.join(_WORDS[name])}"
    if name in _LISTS:
        fine = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return None if fine else "a list of texts"
    return None if name in _OBJECTS and isinstance(value, dict) else "an object"
