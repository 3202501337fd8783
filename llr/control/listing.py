"""The operation `list`: what the config routes, with every secret masked."""

from llr.base.jsonio import JSON
from llr.base.names import AliasId, ProviderFormat
from llr.base.redact import Secret, mask, scrub
from llr.config.locate import providers
from llr.config.models import model_id
from llr.config.schema import Alias, AliasTarget, Bucket, Config, Model, Provider
from llr.config.windows import window_json, window_text
from llr.control import configfile
from llr.control.call import Call
from llr.control.configfile import ConfigSyntaxError, Loaded
from llr.control.listing_amp import amp_data, amp_sections
from llr.control.operation import Reading
from llr.control.report import Fields, Items, Outcome, Report, Section, Table, refuse

TITLE = "Current Router Configuration"

STRATEGIES = {
    "auto": "Auto",
    "ordered": "Ordered",
    "round-robin": "Round-robin",
    "weighted-rr": "Weighted round-robin",
    "quota-aware-weighted-rr": "Quota-aware weighted round-robin",
}
_FORMATS = {ProviderFormat.OPENAI: "OpenAI", ProviderFormat.CLAUDE: "Claude", ProviderFormat.GEMINI: "Gemini"}


def run(call: Call) -> Outcome:
    """Returns the report; a missing file gives empty tables. Raises `Refused` for a file that is no JSON."""
    loaded = read(call)
    sections, data = whole(loaded)
    return Outcome(report=Report(TITLE, sections), data=data)


def read(call: Call) -> Loaded:
    """Returns the config file of a call. Raises `Refused` for a file that is no config."""
    try:
        loaded = configfile.load(call.config_path, env=call.env)
    except ConfigSyntaxError as exc:
        raise refuse("bad-json", f"{exc}.", "See `llr config validate`.") from exc
    if loaded.parsed.config is None:
        raise refuse("bad-root", f"{loaded.path} holds no config.", "See `llr config validate`.")
    return loaded


def whole(loaded: Loaded) -> tuple[tuple[Section, ...], dict[str, JSON]]:
    """Returns the sections of the report and the same as JSON."""
    # Most operations on the file need no catalogue.
    from llr.control.catalogue import with_windows

    config = loaded.parsed.config
    assert config is not None
    off = _disabled(config)
    known = with_windows(config, loaded.path)[0].providers
    sections = (
        _overview(loaded, config),
        *amp_sections(config),
        _providers(config),
        *(section for pair in zip(config.providers, known, strict=True) for section in provider_sections(*pair)),
        _aliases(config),
        *((Items("Disabled", off),) if off else ()),
    )
    return sections, {**_data(loaded, config, known), "disabled": list(off)}


def _disabled(config: Config) -> tuple[str, ...]:
    """Returns providers and models that the file switches off, as refs."""
    found = []
    for own, entry in providers(dict(config.raw)):
        if entry.get("enabled") is False:
            found.append(own)
            continue
        models = entry.get("models")
        for one in models if isinstance(models, list) else ():
            if isinstance(one, dict) and one.get("enabled") is False:
                found.append(f"{own}/{model_id(one)}")
    return tuple(found)


def secret(value: Secret | None, missing: str = "(not set)") -> str:
    """Returns the masked key, or the words for none."""
    return mask(value.reveal()) if value else missing


def formats(listed: tuple[ProviderFormat, ...]) -> str:
    """Returns format labels, each family once."""
    labels = dict.fromkeys(_FORMATS.get(item.family, str(item)) for item in listed)
    return ", ".join(labels) or "Unknown"


def target(item: AliasTarget) -> str:
    """Returns `ref`, or `ref@weight`."""
    return item.ref if item.weight is None else f"{item.ref}@{item.weight:g}"


def kind(provider: Provider) -> str:
    """Returns the provider type's label."""
    return "Subscription (OAuth)" if provider.type == "subscription" else "Standard (API Key)"


def default_route(config: Config) -> str:
    """Returns where a request without a model goes: the first target of the default alias, and how many follow."""
    targets = config.aliases[AliasId("default")].targets
    if not targets:
        return "(not set)"
    more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
    return targets[0].ref + more


def _overview(loaded: Loaded, config: Config) -> Section:
    rows = (
        ("Config File", loaded.path),
        ("Schema Version", str(config.version)),
        ("Default Route", default_route(config)),
        ("Master Key", secret(config.master_key)),
    )
    return Fields("Overview", rows)


def _providers(config: Config) -> Section:
    rows = tuple(
        (
            provider.id,
            provider.name,
            kind(provider),
            formats(provider.formats),
            str(len(provider.models)),
            str(len(provider.rate_limits)),
        )
        for provider in config.providers
    )
    columns = ("Provider ID", "Name", "Type", "Request Formats", "Models", "Rate-Limit Buckets")
    return Table("Providers", columns, rows, "No providers configured.")


def provider_sections(provider: Provider, known: Provider) -> tuple[Section, ...]:
    """Returns what the report says of one provider; `known` is the same with what the catalogue adds."""
    details = [
        ("Provider ID", provider.id),
        ("Provider Name", provider.name),
        ("Provider Type", kind(provider)),
        ("Request Formats", formats(provider.formats)),
        ("API Credential", credential(provider)),
    ]
    if provider.subscription_type:
        details.append(("Subscription Type", provider.subscription_type))
        details.append(("Subscription Profile", provider.subscription_profile or "default"))
    return (
        Fields(f"Provider: {provider.name}\nProvider Details", tuple(details)),
        endpoints(provider),
        models(provider, known),
        buckets(provider),
    )


def models(provider: Provider, known: Provider | None = None) -> Section:
    """Returns the table of a provider's models; `known` is the same provider with what the catalogue adds."""
    columns = ("Model", "Context Window", "Request Format(s)", "Silent Fallbacks")
    pairs = zip(provider.models, (known or provider).models, strict=True)
    rows = tuple(_model(provider, *pair) for pair in pairs)
    return Table("Models", columns, rows, "No models configured.")


def buckets(provider: Provider, heading: str = "Rate-Limit Buckets") -> Section:
    """Returns the table of a provider's rate limits."""
    columns = ("Bucket", "Bucket ID", "Scope", "Request Limit", "Time Window")
    rows = tuple(_bucket(bucket) for bucket in provider.rate_limits)
    return Table(heading, columns, rows, "No rate-limit buckets configured.")


def credential(provider: Provider) -> str:
    """Returns the masked key, or how it comes."""
    if provider.type == "subscription":
        return "Managed by OAuth session"
    return secret(provider.api_key, "(from env/hidden)")


def endpoints(provider: Provider) -> Section:
    """Returns the table of a provider's addresses."""
    by_format = provider.base_url_by_format.items()
    found = [
        (f"{label} Endpoint", url) for family, label in _FORMATS.items() for of, url in by_format if of.family is family
    ]
    found.append(("Primary Endpoint", provider.base_url))
    seen: dict[str, tuple[str, str]] = {}
    for name, url in found:
        if url:
            seen.setdefault(url, (name, scrub(url)))
    managed = "Managed by OAuth subscription provider" if provider.type == "subscription" else "None."
    return Table("Endpoint Mapping", ("Endpoint Type", "URL"), tuple(seen.values()), managed)


def _model(provider: Provider, model: Model, known: Model) -> tuple[str, ...]:
    context = "Unknown" if known.context_window is None else f"{known.context_window:,}"
    if known.context_window != model.context_window:
        context += " (catalogue)"
    fallbacks = ", ".join(model.fallback_models) or "None"
    return model.id, context, formats(model.formats or provider.formats), fallbacks


def _bucket(bucket: Bucket) -> tuple[str, ...]:
    scope = "All models" if bucket.models == ("all",) else ", ".join(bucket.models)
    return bucket.name or bucket.id, bucket.id, scope, f"{bucket.requests:,} requests", window_text(bucket.window)


def _alias(alias: Alias) -> tuple[str, ...]:
    return (
        alias.id,
        STRATEGIES.get(alias.strategy, alias.strategy),
        ", ".join(map(target, alias.targets)) or "(none)",
        ", ".join(map(target, alias.fallback_targets)) or "(none)",
    )


def _aliases(config: Config) -> Section:
    rows = tuple(_alias(alias) for alias in config.aliases.values())
    columns = ("Alias ID", "Routing Strategy", "Primary Routes", "Fallback Routes")
    return Table("Model Aliases", columns, rows, "No model aliases configured.")


def _data(loaded: Loaded, config: Config, known: tuple[Provider, ...]) -> dict[str, JSON]:
    providers: list[JSON] = [provider_data(provider) for provider in config.providers]
    aliases: list[JSON] = [
        {
            "id": alias.id,
            "strategy": alias.strategy,
            "targets": [target(item) for item in alias.targets],
            "fallbackTargets": [target(item) for item in alias.fallback_targets],
        }
        for alias in config.aliases.values()
    ]
    return {
        "configFile": loaded.path,
        "exists": loaded.exists,
        "etag": loaded.etag,
        "schemaVersion": config.version,
        "defaultModel": config.default_model,
        "masterKey": mask(config.master_key.reveal()) if config.master_key else None,
        "providers": providers,
        "modelAliases": aliases,
        "amp": amp_data(config),
        "catalogueContextWindows": {
            f"{provider.id}/{model.id}": model.context_window
            for provider, filled in zip(config.providers, known, strict=True)
            for before, model in zip(provider.models, filled.models, strict=True)
            if model.context_window != before.context_window
        },
    }


def provider_data(provider: Provider) -> dict[str, JSON]:
    """Returns one provider as JSON, its key masked."""
    models: list[JSON] = [
        {
            "id": model.id,
            "contextWindow": model.context_window,
            "formats": [str(item) for item in model.formats or provider.formats],
            "fallbackModels": list(model.fallback_models),
        }
        for model in provider.models
    ]
    buckets: list[JSON] = [
        {
            "id": bucket.id,
            "name": bucket.name,
            "models": list(bucket.models),
            "requests": bucket.requests,
            "window": window_json(bucket.window),
        }
        for bucket in provider.rate_limits
    ]
    urls: dict[str, JSON] = {str(item): scrub(url) for item, url in provider.base_url_by_format.items()}
    return {
        "id": provider.id,
        "name": provider.name,
        "type": provider.type or "standard",
        "formats": [str(item) for item in provider.formats],
        "apiKey": mask(provider.api_key.reveal()) if provider.api_key else None,
        "apiKeyEnv": provider.api_key_env,
        "baseUrl": scrub(provider.base_url),
        "baseUrlByFormat": urls,
        "models": models,
        "rateLimits": buckets,
    }


LIST = Reading(run)
