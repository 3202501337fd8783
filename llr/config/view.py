"""The normal form of a config: every default spelled out, one spelling per key, in the order files are written in.

For reports and exports. Saving never goes through here: it writes the document, so that nothing is lost.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import asdict
from llr.config.aliases import read_aliases
from llr.config.cursor import Cursor
from llr.config.document import clone
from llr.config.features import read_claude_code, read_ollama
from llr.config.grammar import flag, url
from llr.config.links import names_of
from llr.config.locate import find_provider, get
from llr.config.parse import parse_config
from llr.config.providers import read_providers
from llr.config.quota import read_quota_probe
from llr.config.schema import Alias, AliasTarget, AuthSpec, Bucket, Config, Doc, LocalServer, Model, Provider
from llr.config.websearch import read_web_search
from llr.config.windows import window_json


def written(doc: Doc, env: Mapping[str, str]) -> Doc:
    """Returns the normal form of a document; entries with errors and disabled ones are not in it.

    Raises ValueError when the document gives no config at all.
    """
    parsed = parse_config(doc, env)
    if parsed.config is None:
        raise ValueError(parsed.issues[0].message)
    config = parsed.config
    root = Cursor(doc, kind="root")
    names = names_of(read_providers(root.key("providers"), env), read_aliases(root))
    search = read_web_search(root, names)
    found: Doc = {
        "version": config.version,
        "masterKey": config.master_key.reveal() if config.master_key is not None else None,
        "defaultModel": config.default_model,
        "providers": [provider_view(one, doc) for one in config.providers if one.type != "local-runtime"],
        "modelAliases": {own: alias_view(one) for own, one in config.aliases.items()},
        "amp": _amp(get(doc, "root", "amp")),
        "webSearch": search,
        "claudeCode": read_claude_code(root, search),
        "ollama": read_ollama(root),
        "metadata": _metadata(doc, config) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def provider_view(provider: Provider, doc: Doc) -> Doc:
    """Returns one provider in normal form; `doc` gives the blocks that have no typed form."""
    entry = find_provider(doc, provider.id) or {}
    found: Doc = {
        "id": provider.id,
        "name": provider.name,
        "type": provider.type,
        "enabled": True,
        "baseUrl": provider.base_url,
        "baseUrlByFormat": _plain(provider.base_url_by_format),
        "apiKey": provider.api_key.reveal() if provider.api_key is not None else None,
        "apiKeyEnv": provider.api_key_env,
        "format": provider.format.value,
        "formats": [name.value for name in provider.formats],
        "auth": auth_view(provider.auth),
        "authByFormat": {name.value: auth_view(spec) for name, spec in provider.auth_by_format.items()} or None,
        "headers": dict(provider.headers),
        "anthropicVersion": provider.anthropic_version,
        "anthropicBeta": provider.anthropic_beta,
        "models": [model_view(model) for model in provider.models],
        "rateLimits": [bucket_view(bucket) for bucket in provider.rate_limits],
        "metadata": dict(provider.metadata) or None,
        "lastProbe": clone(get(entry, "provider", "lastProbe")),
        "quotaProbe": read_quota_probe(Cursor(entry.get("quotaProbe")), provider.id),
        "subscriptionType": provider.subscription_type,
        "subscriptionProfile": provider.subscription_profile,
    }
    always = {"type", "auth", "quotaProbe"}
    return {key: value for key, value in found.items() if value is not None or key in always}


def _plain(urls: Mapping[Any, str]) -> JSON:
    return {name.value: address for name, address in urls.items()} or None


def auth_view(spec: AuthSpec | None) -> JSON:
    """Returns an auth object in normal form, None for none."""
    if spec is None:
        return None
    found: Doc = {"type": spec.kind.value, "headerName": spec.header_name, "prefix": spec.prefix}
    return {key: value for key, value in found.items() if value is not None}


def model_view(model: Model) -> Doc:
    """Returns one model in normal form."""
    found: Doc = {
        "id": model.id,
        "aliases": list(model.aliases),
        "formats": [name.value for name in model.configured_formats],
        "enabled": True,
        "variant": model.variant,
        "contextWindow": model.context_window,
        "cost": clone(model.cost),
        "metadata": dict(model.metadata) or None,
        "fallbackModels": [str(ref) for ref in model.fallback_models] or None,
        "capabilities": dict(model.capabilities) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def bucket_view(bucket: Bucket) -> Doc:
    """Returns one rate-limit bucket in normal form."""
    found: Doc = {
        "id": bucket.id,
        "name": bucket.name,
        "models": list(bucket.models),
        "requests": bucket.requests,
        "window": window_json(bucket.window),
        "metadata": {"llr": {"tokens": bucket.tokens}} if bucket.tokens is not None else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def alias_view(alias: Alias) -> Doc:
    """Returns one alias in normal form."""
    found: Doc = {
        "id": alias.id,
        "strategy": alias.strategy,
        "targets": [_target(target) for target in alias.targets],
        "fallbackTargets": [_target(target) for target in alias.fallback_targets],
    }
    return {**found, "metadata": dict(alias.metadata)} if alias.metadata else found


def _target(target: AliasTarget) -> JSON:
    found: Doc = {"ref": target.ref}
    if target.weight is not None:
        found["weight"] = target.weight
    return {**found, "metadata": dict(target.metadata)} if target.metadata else found


def _amp(value: JSON) -> Doc:
    raw = value if isinstance(value, dict) else {}
    kept = {key: clone(item) for key, item in raw.items() if key not in {"webSearch", "web-search"}}
    return {
        **kept,
        "upstreamUrl": url(get(raw, "amp", "upstreamUrl")),
        "restrictManagementToLocalhost": flag(get(raw, "amp", "restrictManagementToLocalhost"), False),
        "forceModelMappings": flag(get(raw, "amp", "forceModelMappings"), False),
        "modelMappings": get(raw, "amp", "modelMappings") or [],
        "subagentMappings": get(raw, "amp", "subagentMappings") or {},
    }


_SERVER_KEYS = {
    "host": "host",
    "port": "port",
    "watch_config": "watchConfig",
    "watch_binary": "watchBinary",
    "require_auth": "requireAuth",
}


def _metadata(doc: Doc, config: Config) -> Doc:
    raw = doc.get("metadata")
    found = {key: clone(item) for key, item in raw.items()} if isinstance(raw, dict) else {}
    defaults = asdict(LocalServer())
    server: Doc = {
        _SERVER_KEYS[name]: value for name, value in asdict(config.local_server).items() if value != defaults[name]
    }
    log: Doc = {} if config.activity_log else {"enabled": False}
    for key, value in (("localServer", server), ("activityLog", log)):
        found.pop(key, None)
        if value:
            found[key] = value
    return found
