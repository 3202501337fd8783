"""Model entries of one provider."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.names import ModelRef, ProviderFormat
from llr.base.records import dataclass
from llr.config.cursor import Cursor
from llr.config.grammar import as_format
from llr.config.limits import read_timeouts
from llr.config.schema import Model
from llr.config.traits import read_traits

CAPABILITIES = (
    "supportsReasoning",
    "supportsThinking",
    "supportsResponseFormat",
    "supportsLogprobs",
    "supportsServiceTier",
    "supportsPrediction",
    "supportsStreamOptions",
)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as the file has it: names others may refer to, whether it serves, and what was read of it."""

    id: str
    place: Cursor
    enabled: bool
    model: Model


def model_id(value: JSON) -> str | None:
    """Returns the id of a model entry: the text itself, or the first non-empty of `id`, `name`, `model`."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict):
        for name in ("id", "name", "model"):
            if value.get(name):
                found = value[name]
                return found if isinstance(found, str) else None
    return None


def read_models(owner: str, place: Cursor, probe: Mapping[str, Any] | None) -> tuple[ModelEntry, ...]:
    """Returns every model entry that has an id, disabled ones included, the first of equal ids only."""
    found: dict[str, ModelEntry] = {}
    for item in place.each():
        own = model_id(item.value)
        if own is None:
            item.warn("model-malformed", f"provider {owner}: a model needs an id, this entry is ignored")
        elif own in found:
            item.warn("model-duplicate", f"provider {owner}: model {own} is listed twice, the first entry counts")
        else:
            found[own] = _entry(owner, own, item.of("model"), probe)
    return tuple(found.values())


def _entry(owner: str, own: str, item: Cursor, probe: Mapping[str, Any] | None) -> ModelEntry:
    label = f"provider {owner}, model {own}"
    if item.obj() is None:
        return ModelEntry(own, item, True, Model(id=own, formats=_probed(own, probe)))
    item.check_keys(label)
    configured = formats(item.key("formats"), label)
    metadata = item.key("metadata").obj() or {}
    output = item.llr("maxOutputTokens").bounded(1)
    model = Model(
        id=own,
        aliases=item.key("aliases").texts(),
        formats=_probed(own, probe) or configured,
        configured_formats=configured,
        variant=(item.key("variant").string() or "").strip() or None,
        context_window=_window(item.key("contextWindow"), label),
        max_output_tokens=output,
        cost=item.key("cost").value,
        fallback_models=tuple(ModelRef(ref) for ref in item.key("fallbackModels").texts()),
        capabilities=_capabilities(item.key("capabilities"), label),
        metadata=metadata,
        wire=item.llr("wire").one_of(("chat", "responses")),
        strict=item.llr("strict").tri(),
        timeouts=read_timeouts(item.llr("timeouts")),
        max_concurrency=item.llr("maxConcurrency").bounded(1, 100_000),
        traits=read_traits(item.llr("traits"), label),
    )
    return ModelEntry(own, item, item.key("enabled").not_false(), model)


def formats(place: Cursor, label: str) -> tuple[ProviderFormat, ...]:
    """Returns the known formats of a list in order, each once; unknown ones are reported."""
    found: dict[ProviderFormat, None] = {}
    for item in place.each():
        name = as_format(item.value)
        if name is not None:
            found[name] = None
        elif item.present:
            known = ", ".join(ProviderFormat)
            item.warn("format-unknown", f"{label}: unknown format {item.text() or '(not text)'}", f"known: {known}")
    return tuple(found)


def _probed(own: str, probe: Mapping[str, Any] | None) -> tuple[ProviderFormat, ...]:
    """Returns what the last probe found for a model: its preferred format alone, else all that worked."""
    if probe is None:
        return ()
    preferred = probe.get("modelPreferredFormat")
    found = as_format(preferred.get(own)) if isinstance(preferred, dict) else None
    if found is not None:
        return (found,)
    support = probe.get("modelSupport")
    listed = support.get(own) if isinstance(support, dict) else None
    if not isinstance(listed, list):
        return ()
    return tuple(dict.fromkeys(name for item in listed if (name := as_format(item)) is not None))


def _window(place: Cursor, label: str) -> int | None:
    found = place.finite()
    if place.present and (found is None or found <= 0):
        place.warn("context-window", f"{label}: contextWindow must be a positive number, it is ignored")
    return int(found) if found is not None and found >= 1 else None


def _capabilities(place: Cursor, label: str) -> Mapping[str, bool]:
    found = {}
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"{label}: capabilities must be an object")
    for key, item in place.members():
        if key not in CAPABILITIES:
            item.warn("unknown-key", f"{label}: unknown capability {key}", f"known: {', '.join(CAPABILITIES)}")
        elif isinstance(item.value, bool):
            found[key] = item.value
        else:
            item.warn("bad-value", f"{label}: capability {key} must be true or false")
    return found
