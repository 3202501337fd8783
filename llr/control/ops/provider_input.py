"""What a call of `upsert-provider` means: flags, the entry as it is and a vendor's preset become one provider entry.

Law: pure. Checks come in a fixed order, and the first that fails refuses with the flags that mend it.
"""

import json
from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.build_provider import build_provider
from llr.config.grammar import is_provider_id, posint, slug, url
from llr.config.lists import loose_list, parse_context_windows
from llr.config.locate import find_provider, get, providers
from llr.config.models import model_id
from llr.config.schema import Doc
from llr.control.call import Args
from llr.control.pasted import parse_endpoints, parse_models
from llr.control.report import FAILED, refuse
from llr.providers.catalog import VENDORS, Vendor, find_vendor
from llr.providers.prepare import DEFAULT_USER_AGENT

SUBSCRIPTIONS = ("chatgpt-codex", "claude-code")
BASE_URLS = (("openai", "openai_base_url"), ("claude", "claude_base_url"), ("gemini", "gemini_base_url"))
# Flags after which an earlier probe says nothing any more.
PROBED = (
    *("endpoints", "base_url", "openai_base_url", "claude_base_url", "gemini_base_url", "api_key", "api_key_env"),
    *("models", "models_add", "format", "formats", "headers", "auth", "preset"),
)


@dataclass(frozen=True, slots=True)
class Input:
    """A checked call. `given` is the input of `build_provider`; `drop` are models to take out, references and all.

    `endpoints` and `models` are what a probe asks; `probes` whether one is due.
    """

    id: str
    name: str
    given: Doc
    drop: tuple[str, ...]
    endpoints: tuple[str, ...]
    models: tuple[str, ...]
    probes: bool


def read_input(doc: Doc, args: Args) -> Input:
    """Returns the call, checked. Raises `Refused`."""
    vendor = _vendor(args)
    wanted = args.text("provider_id")
    old = find_provider(doc, wanted) if wanted else None
    entry: Doc = old or {}
    name = _text(args.text("name")) or _text(entry.get("name")) or (wanted if old is not None else None)
    name = name or (vendor.name if vendor else None)
    if not name:
        raise refuse("provider-name", "Provider Friendly Name is required.", "Say --name=… or --preset=….")
    _refuse_subscription(args, entry)
    given = _connection(args, entry, vendor)
    models, drop = _models(args, entry, vendor)
    _refuse_incomplete(args, entry, given, models)
    own = wanted or _free_id(doc, vendor.id if vendor and not args.text("name") else slug(name, "provider"))
    if not is_provider_id(own):
        text = f"Invalid provider-id '{own}'."
        raise refuse(
            "provider-id", text, "It starts with a lower-case letter, then lower-case letters, digits, dashes."
        )
    _refuse_taken_name(doc, own, name)
    given |= {"providerId": own, "name": name, "models": models}
    enabled = args.choice("enabled")
    if enabled is not None:
        given["enabled"] = enabled
    probes = not args.flag("skip_probe") and (old is None or any(args.given(flag) for flag in PROBED))
    listed = tuple(str(one["id"]) for one in models if isinstance(one, dict))
    return Input(own, name, given, drop, _endpoints(given), listed, probes)


def entry_of(found: Input, old: Doc | None, probe: Mapping[str, Any] | None) -> Doc:
    """Returns the provider entry to merge: one built of the input, keys that the call replaced set to None."""
    given = found.given if probe is None else {**found.given, **_probed(found.given, probe)}
    entry = build_provider(given, probe)
    entry["id"], entry["name"] = found.id, found.name
    if probe is None and "format" not in entry and old is None:
        entry |= {"format": "openai", "formats": ["openai"]}
    if old is not None:
        before = get(old, "provider", "baseUrlByFormat")
        if found.given.get("endpoints") and "baseUrlByFormat" not in entry:
            entry["baseUrlByFormat"] = None
        elif isinstance(before, dict) and isinstance(entry.get("baseUrlByFormat"), dict) and "baseUrl" not in entry:
            entry["baseUrlByFormat"] = {**before, **_object(entry["baseUrlByFormat"])}
    if "apiKeyEnv" in found.given:
        entry["apiKey"] = None
    elif "apiKey" in found.given:
        entry["apiKeyEnv"] = None
    order = ("id", "name", "baseUrl", "baseUrlByFormat", "format", "formats", "apiKey", "apiKeyEnv", "auth", "headers")
    return {**{key: entry[key] for key in order if key in entry}, **entry}


def _probed(given: Doc, probe: Mapping[str, Any]) -> Doc:
    """Returns the addresses that a probe found to work, and how each takes the key unless the call said how."""
    names = ("baseUrlByFormat",) if "auth" in given else ("baseUrlByFormat", "authByFormat")
    return {name: dict(probe[name]) for name in names if probe.get(name)}


def _object(value: JSON) -> Doc:
    return value if isinstance(value, dict) else {}


def _text(value: JSON) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _vendor(args: Args) -> Vendor | None:
    wanted = args.text("preset")
    if wanted is None:
        return None
    found = find_vendor(wanted)
    if found is None:
        from llr.routing.suggest import suggestions

        near = suggestions(wanted, VENDORS, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(VENDORS)}."
        raise refuse("unknown-preset", f"Unknown preset '{wanted}'.", hint)
    return found


def _refuse_subscription(args: Args, entry: Doc) -> None:
    stated = args.text("type") or ("subscription" if args.text("subscription_type") else entry.get("type"))
    if stated != "subscription":
        return
    kind = args.text("subscription_type") or _text(get(entry, "provider", "subscriptionType")) or SUBSCRIPTIONS[0]
    if kind not in SUBSCRIPTIONS:
        text = f"Unsupported subscription-type '{kind}'. Supported: {', '.join(SUBSCRIPTIONS)}."
        raise refuse("subscription-type", text)
    raise refuse("not-built", "Subscription providers are not in this build yet.", exit_code=FAILED)


def _connection(args: Args, entry: Doc, vendor: Vendor | None) -> Doc:
    """Returns addresses, formats, key, auth and headers in the spelling that `build_provider` reads."""
    given: Doc = {}
    by_format: Doc = {}
    bare = parse_endpoints(args.text("endpoints") or "")
    base = args.text("base_url")
    if base:
        bare = [*parse_endpoints(base), *(one for one in bare if one not in parse_endpoints(base))]
    for name, flag in BASE_URLS:
        text = args.text(flag)
        if text:
            by_format[name] = (parse_endpoints(text) or [text])[0]
    if vendor is not None and vendor.template and not bare and not by_format and not endpoints_known(entry):
        text = f"The preset '{vendor.id}' needs your own address."
        raise refuse("missing-flag", text, f"Say --base-url={vendor.template}, filled in.")
    if vendor is not None and not vendor.template and not bare and not by_format:
        by_format = {str(name): address for name, address in vendor.base_urls.items()}
        given |= {"format": vendor.formats[0].value, "formats": [name.value for name in vendor.formats]}
        if len(by_format) == 1:
            bare, by_format = [next(iter(vendor.base_urls.values()))], {}
    preferred = args.text("format")
    if preferred:
        given["format"] = preferred
    if args.text("formats"):
        given["formats"] = list(loose_list(args.text("formats") or ""))
    if bare:
        given["baseUrl"] = bare[0]
        if preferred and len(bare) == 1 and not by_format:
            by_format[preferred] = bare[0]
    given["endpoints"] = list(bare)
    if by_format:
        given["baseUrlByFormat"] = by_format
    return {**given, **_secrets(args, entry, vendor), **_headers(args, entry)}


def endpoints_known(entry: Doc) -> bool:
    """Returns whether the entry has an address already."""
    return bool(get(entry, "provider", "baseUrl") or get(entry, "provider", "baseUrlByFormat"))


def _secrets(args: Args, entry: Doc, vendor: Vendor | None) -> Doc:
    found: Doc = {}
    has_key = bool(get(entry, "provider", "apiKey") or get(entry, "provider", "apiKeyEnv"))
    if args.text("api_key"):
        found["apiKey"] = args.text("api_key")
    elif args.text("api_key_env"):
        found["apiKeyEnv"] = args.text("api_key_env")
    elif vendor is not None and vendor.key_env and not has_key:
        found["apiKeyEnv"] = vendor.key_env
    if args.text("auth"):
        found["auth"] = {"type": args.text("auth")}
    elif vendor is not None and not vendor.key_env and not found and not has_key:
        found["auth"] = {"type": "none"}
    if vendor is not None and vendor.auth:
        found["authByFormat"] = {name.value: {"type": spec.kind.value} for name, spec in vendor.auth.items()}
    return found


def _headers(args: Args, entry: Doc) -> Doc:
    text = args.text("headers")
    if text is None:
        kept = get(entry, "provider", "headers")
        found = dict(kept) if isinstance(kept, dict) else {}
        if not any(name.lower() == "user-agent" for name in found):
            found["User-Agent"] = DEFAULT_USER_AGENT
        return {"headers": found}
    return {"headers": parse_headers(text)}


def parse_headers(text: str) -> Doc:
    """Returns the headers of a flag. Raises `Refused`, never quoting the text: it may hold a key."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as exc:
        where = f" (line {exc.lineno}, column {exc.colno})" if isinstance(exc, json.JSONDecodeError) else ""
        raise refuse("bad-json-flag", f"headers must be a JSON object string{where}.") from exc
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise refuse("bad-json-flag", "headers must be a JSON object string whose values are strings.")
    return value


def _models(args: Args, entry: Doc, vendor: Vendor | None) -> tuple[list[JSON], tuple[str, ...]]:
    """Returns the model entries of the provider, and the ids to take out of it."""
    listed = get(entry, "provider", "models")
    before = listed if isinstance(listed, list) else [listed] if listed else []
    known = [own for one in before if (own := model_id(one))]
    ids = _ids(args, "models") or known or list(vendor.models if vendor else ())
    ids = [*ids, *(own for own in _ids(args, "models_add") if own not in ids)]
    drop = tuple(_ids(args, "models_remove"))
    absent = [own for own in drop if own not in known]
    if absent:
        raise refuse("model-not-found", f"models-remove names what is not there: {', '.join(absent)}.")
    windows = parse_context_windows(args.text("model_context_windows") or "")
    found: list[JSON] = []
    for own in ids:
        if own not in drop:
            found.append({"id": own, **({"contextWindow": windows[own]} if own in windows else {})})
    stray = [own for own in windows if own not in ids]
    if stray:
        raise refuse("model-not-found", f"model-context-windows names no model of the provider: {', '.join(stray)}.")
    return found, drop


def _ids(args: Args, name: str) -> list[str]:
    found, wrong = parse_models(args.text(name) or "")
    if wrong:
        raise refuse("model-id", f"{name.replace('_', '-')}: no model id: {', '.join(wrong)}.")
    return found


def _refuse_incomplete(args: Args, entry: Doc, given: Doc, models: list[JSON]) -> None:
    endpoints = _endpoints(given)
    # An Ollama is at its usual address and asks for no key unless the entry says otherwise.
    ollama = entry.get("type") == "ollama"
    has_endpoint = bool(endpoints) or endpoints_known(entry) or ollama
    auth = given.get("auth") or get(entry, "provider", "auth")
    keyless = isinstance(auth, dict) and auth.get("type") == "none"
    stored = get(entry, "provider", "apiKey") or get(entry, "provider", "apiKeyEnv")
    has_key = bool(given.get("apiKey") or given.get("apiKeyEnv") or stored or keyless or ollama)
    typed = " ".join(filter(None, (args.text("endpoints"), *(args.text(flag) for _, flag in BASE_URLS))))
    wrong = [one for one in endpoints if not url(one)]
    if wrong or (typed.strip() and not endpoints) or (args.text("base_url") and not given.get("baseUrl")):
        raise refuse("bad-endpoint", f"No valid http(s) URL: {', '.join(wrong) or typed or args.text('base_url')}.")
    if not has_endpoint or not has_key:
        raise refuse(
            "provider-incomplete",
            "provider-id, name, api-key (or api-key-env) and at least one endpoint are required.",
            "Or take a vendor's: --preset=openrouter --api-key-env=OPENROUTER_API_KEY.",
        )
    if not models:
        raise refuse("provider-models", "At least one model is required.", "Say --models=id,id.")
    bare = given.get("endpoints")
    if args.flag("skip_probe") and isinstance(bare, list) and len(bare) > 1 and not given.get("baseUrlByFormat"):
        text = "With skip-probe and several endpoints, openai-base-url or claude-base-url must say which is which."
        raise refuse("bad-endpoint", text)


def _endpoints(given: Doc) -> tuple[str, ...]:
    bare, by_format = given.get("endpoints"), given.get("baseUrlByFormat")
    listed = [*(bare if isinstance(bare, list) else ()), *(by_format.values() if isinstance(by_format, dict) else ())]
    return tuple(dict.fromkeys(str(one) for one in listed))


def _free_id(doc: Doc, base: str) -> str:
    taken = {own for own, _ in providers(doc)}
    found, suffix = base, 2
    while found in taken:
        found, suffix = f"{base}-{suffix}", suffix + 1
    return found


def _refuse_taken_name(doc: Doc, own: str, name: str) -> None:
    for other, entry in providers(doc):
        named = entry.get("name")
        if other != own and isinstance(named, str) and named.strip().lower() == name.strip().lower():
            text = f"Provider Friendly Name '{name}' is taken by provider '{other}'."
            raise refuse("provider-name-taken", text, f"Edit it with --provider-id={other}, or say another --name.")


def probe_rpm(args: Args) -> int:
    """Returns how many probes a minute may be sent."""
    return min(1_000_000, posint(args.whole("probe_rpm")) or 30)
