"""A provider entry made from what a user or a probe says: the input of an upsert."""

import re
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.grammar import as_format, posint, slug, url
from llr.config.lists import SEPARATORS
from llr.config.schema import Doc

_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
# Input name of an address to the format it belongs to.
_ADDRESSES = (
    ("openai", ("openaiBaseUrl", "openai-base-url")),
    ("claude", ("claudeBaseUrl", "claude-base-url", "anthropicBaseUrl", "anthropic-base-url")),
    ("gemini", ("geminiBaseUrl", "gemini-base-url")),
)
# Members handed on as they are.
_VERBATIM = ("auth", "authByFormat", "headers", "anthropicVersion", "anthropicBeta", "metadata", "enabled")
_PROBE_KEYS = (
    "ok",
    "at",
    "formats",
    "workingFormats",
    "models",
    "modelSupport",
    "modelPreferredFormat",
)
_ROW_KEYS = ("endpoint", "supportedFormats", "workingFormats", "modelsByFormat", "authByFormat")


def build_provider(given: Mapping[str, JSON], probe: Mapping[str, JSON] | None = None) -> Doc:
    """Returns a provider entry: `given` in input spelling, `probe` the result of its diagnostics.

    Models come from `given`, else from the probe, each with the formats that the probe found for it; formats are those
    of probe, addresses and input together. Nothing absent is written, so that a merge keeps what is there.
    """
    item = Cursor(dict(given))
    found: Doc = {"id": slug(item.first(("providerId", "provider-id", "id", "name")).text(), "provider")}
    for name in ("name", "type", "subscriptionType", "subscriptionProfile", "apiKey", "apiKeyEnv"):
        text = item.first((name,)).text()
        if text:
            found[name] = text
    if found.get("type") == "subscription":
        found.setdefault("subscriptionProfile", found["id"])
    addresses = _addresses(item)
    base = url(item.first(("baseUrl", "base-url", "endpoint")).value)
    if base:
        found["baseUrl"] = base
    if addresses:
        found["baseUrlByFormat"] = dict(addresses)
    formats = _formats(item, addresses, probe)
    preferred = as_format(item.first(("format",)).value) or (as_format(probe.get("preferredFormat")) if probe else None)
    if preferred is not None or formats:
        found["format"] = str(preferred or formats[0])
    if formats:
        found["formats"] = list(dict.fromkeys([str(found["format"]), *formats]))
    for name in _VERBATIM:
        if given.get(name) is not None:
            found[name] = given[name]
    models = _models(item, probe)
    if models:
        found["models"] = models
    if probe is not None:
        found["lastProbe"] = {
            **{key: probe[key] for key in _PROBE_KEYS if key in probe},
            **({"endpointMatrix": _kept_rows(probe["endpointMatrix"])} if "endpointMatrix" in probe else {}),
            "warnings": probe.get("warnings", []),
        }
    return found


def _kept_rows(matrix: JSON) -> list[JSON]:
    """Returns what is kept of each endpoint: not every call, nor the hundreds of models that some list."""
    rows = matrix if isinstance(matrix, list) else []
    return [{key: one[key] for key in _ROW_KEYS if key in one} for one in rows if isinstance(one, dict)]


def credential(text: str) -> Doc:
    """Returns `apiKeyEnv` for text shaped like an environment variable, else `apiKey`."""
    return {"apiKeyEnv": text} if _ENV_NAME.match(text) else {"apiKey": text}


def _addresses(item: Cursor) -> dict[str, str]:
    found = {name: address for name, keys in _ADDRESSES if (address := url(item.first(keys).value))}
    for key, one in item.first(("baseUrlByFormat", "endpoints")).members():
        name, address = as_format(key), url(one.value)
        if name is not None and address:
            found.setdefault(name.value, address)
    return found


def _formats(item: Cursor, addresses: Mapping[str, str], probe: Mapping[str, JSON] | None) -> list[str]:
    probed = Cursor(probe.get("workingFormats") or probe.get("formats")).texts() if probe else ()
    given = [text for one in item.first(("formats",)).each() for text in SEPARATORS.split(one.text())]
    preferred = item.first(("format",)).text()
    named = [as_format(text) for text in (*probed, *addresses, *given, preferred)]
    return list(dict.fromkeys(name.value for name in named if name is not None))


def _models(item: Cursor, probe: Mapping[str, JSON] | None) -> list[JSON]:
    place = item.first(("models",))
    listed: list[JSON] = []
    for one in place.each():
        if isinstance(one.value, dict):
            listed.append(dict(one.value))
        else:
            words = [one.text()] if isinstance(place.value, list) else SEPARATORS.split(one.text())
            listed.extend({"id": text} for text in words if text)
    if not listed and probe is not None:
        listed = [{"id": text} for text in Cursor(probe.get("models")).texts()]
    windows = item.first(("modelContextWindows", "model-context-windows")).obj() or {}
    found: dict[str, JSON] = {}
    for entry in listed:
        if not isinstance(entry, dict):
            continue
        own = str(entry.get("id") or entry.get("name") or "")
        window, formats = posint(windows.get(own)), _probed(own, probe)
        extra: Doc = {
            **({"formats": list(formats)} if formats else {}),
            **({"contextWindow": window} if window else {}),
        }
        if own:
            found.setdefault(own, {**entry, **extra})
    return list(found.values())


def _probed(own: str, probe: Mapping[str, JSON] | None) -> list[str]:
    preferred = Cursor((probe or {}).get("modelPreferredFormat")).first((own,)).text()
    if preferred:
        return [preferred]
    return list(Cursor((probe or {}).get("modelSupport")).first((own,)).texts())
