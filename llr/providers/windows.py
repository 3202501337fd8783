"""Context windows of the models in a config, from what is publicly known of them where the config says nothing.

Law: pure; what the config says is never touched, and a server whose windows are its owner's choice is left alone.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.config.models import model_id
from llr.config.schema import Config, Issue, Level, Model, Provider
from llr.providers.models import Catalogue, ModelFacts

# GitHub documents smaller windows than the models have:
# https://docs.github.com/en/github-models/use-github-models/prototyping-with-ai-models#rate-limits
_CUTTING = ("models.github.ai", "models.inference.ai.azure.com", "api.githubcopilot.com")
_TYPES = (None, "standard")
# Makers of the models they sell: there the catalogue's list prices are what is paid.
_MAKERS = frozenset(
    (
        *("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "api.deepseek.com"),
        *("api.x.ai", "api.mistral.ai", "api.moonshot.ai", "api.z.ai", "api.minimax.io"),
    )
)


def decides_itself(provider: Provider) -> bool:
    """Returns whether the provider serves windows of its own: local and private servers, hosts known to cut them."""
    if provider.type not in _TYPES:
        return True
    return any(is_private_host(host) or host in _CUTTING for host in _hosts(provider))


def _hosts(provider: Provider) -> set[str]:
    return {_host(one) for one in (provider.base_url, *provider.base_url_by_format.values()) if one}


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def is_private_host(host: str) -> bool:
    """Returns whether only this machine or a private network can be meant: RFC 1918 and the like, bare names."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return "." not in name or name.endswith((".localhost", ".local", ".lan", ".internal", ".home.arpa"))
    return not address.is_global and not address.is_multicast


def with_known_windows(config: Config, catalogue: Catalogue) -> Config:
    """Returns the config with context windows, and at makers of models with prices, that only the catalogue has."""
    return replace(config, providers=tuple(_provider(one, catalogue) for one in config.providers))


def lacks_windows(config: Config) -> bool:
    """Returns whether a catalogue could add anything: else it need not be read."""
    return any(
        not model.context_window
        for provider in config.providers
        if not decides_itself(provider)
        for model in provider.models
    )


def _provider(provider: Provider, catalogue: Catalogue) -> Provider:
    if all(model.context_window for model in provider.models) or decides_itself(provider):
        return provider
    hosts = _hosts(provider)
    sells = bool(hosts) and hosts <= _MAKERS
    return replace(provider, models=tuple(_model(one, catalogue.lookup(one.id), sells) for one in provider.models))


def _model(model: Model, known: ModelFacts | None, sells: bool) -> Model:
    if known is None:
        return model
    price = {"input": known.input_price, "cacheRead": known.cached_price, "output": known.output_price}
    cost: JSON = {name: value for name, value in price.items() if value is not None}
    return replace(
        model,
        context_window=model.context_window or known.context_window,
        cost=cost if model.cost is None and sells and cost else model.cost,
    )


def window_issues(config: Config, catalogue: Catalogue) -> tuple[Issue, ...]:
    """Returns a warning for every model that the config gives more context than its vendor documents."""
    pairs = ((provider, model) for provider in config.providers for model in provider.models)
    found = (_issue(config, provider, model, catalogue.lookup(model.id)) for provider, model in pairs)
    return tuple(issue for issue in found if issue is not None)


def _issue(config: Config, provider: Provider, model: Model, known: ModelFacts | None) -> Issue | None:
    if known is None or not known.context_window or not model.context_window:
        return None
    # Some count the output in: that is no mistake.
    if model.context_window <= known.context_window + (known.max_output_tokens or 0):
        return None
    text = (
        f"provider {provider.id}, model {model.id}: contextWindow {model.context_window:,} is more than the"
        f" {known.context_window:,} tokens that are documented for {known.id}"
    )
    hint = "longer requests may be routed to it and fail there"
    place = _place(config, provider, model)
    return Issue(place, "context-window-above-known", text, Level.WARNING, hint)


def _place(config: Config, provider: Provider, model: Model) -> str:
    """Returns the JSON path of a model's window in the document the config came from."""
    at, entry = _find(config.raw.get("providers"), provider.id)
    inside, _ = _find(entry.get("models") if isinstance(entry, dict) else None, model.id)
    return f"$.providers[{at}].models[{inside}].contextWindow"


def _find(entries: Any, own: str) -> tuple[int, Any]:
    listed = entries if isinstance(entries, list) else []
    return next(((at, one) for at, one in enumerate(listed) if model_id(one) == own), (0, None))
