"""The names a tool may ask for, and what is true of the models behind them."""

from collections.abc import Iterator, Mapping

from llr.base.names import ProviderFormat
from llr.base.records import dataclass, field
from llr.config.grammar import Direct, parse_ref
from llr.config.schema import Alias, Config, Model, Provider
from llr.providers.models import lookup

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """One name. Limits are the smallest of all models it may reach, None where one of them is unknown.

    `format` is the family of the first model that resolves. `targets` and `fallbacks` are refs as the config has them.
    """

    ref: str
    alias: bool
    context_window: int | None = None
    max_output_tokens: int | None = None
    reasoning: bool = True
    images: bool = True
    format: str = "openai"
    local: bool = False
    provider: str = ""
    provider_id: str = ""
    model: str = ""
    targets: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """Every name of one config, aliases first, in config order. `default` is what a tool gets that needs one."""

    by_ref: Mapping[str, Route] = field(default_factory=dict)
    default: str = ""

    def find(self, ref: str) -> Route | None:
        """Returns the route of a name, also of `alias:NAME`."""
        return self.by_ref.get(ref.removeprefix("alias:"))

    def has(self, ref: str) -> bool:
        """Returns whether the gateway knows the name."""
        return self.find(ref) is not None


def routes_of(config: Config | None) -> Routes:
    """Returns the names of a config; none for no config."""
    if config is None:
        return Routes()
    rows: dict[str, Route] = {}
    for alias in config.aliases.values():
        leads = bool(alias.targets or alias.fallback_targets)
        if leads:
            rows[alias.id] = _alias(alias, config)
    for provider in config.providers:
        for model in provider.models:
            ref = f"{provider.id}/{model.id}"
            rows[ref] = _direct(ref, provider, model)
    first_alias = next((alias for alias in rows if rows[alias].alias), "")
    first_model = next((ref for ref in rows if not rows[ref].alias), "")
    default = config.default_model if config.default_model in rows else None
    return Routes(rows, default or first_alias or first_model)


def _alias(alias: Alias, config: Config) -> Route:
    behind = list(_behind(alias, config, ()))
    first = behind[0] if behind else None
    return Route(
        alias.id,
        True,
        _smallest([_window(model) for _, model in behind]),
        _smallest([_output(model) for _, model in behind]),
        all(_reasons(model) for _, model in behind),
        all(_sees(model) for _, model in behind),
        family(*first) if first else "openai",
        first is not None and first[0].type == "local-runtime",
        targets=tuple(target.ref for target in alias.targets),
        fallbacks=tuple(target.ref for target in alias.fallback_targets),
    )


def _behind(alias: Alias, config: Config, path: tuple[str, ...]) -> Iterator[tuple[Provider, Model]]:
    for target in (*alias.targets, *alias.fallback_targets):
        ref = parse_ref(target.ref)
        if isinstance(ref, Direct):
            for provider in config.providers:
                if provider.id == ref.provider:
                    found = next((m for m in provider.models if ref.model in (m.id, *m.aliases)), None)
                    if found is not None:
                        yield provider, found
        elif ref is not None:
            nested = next((one for one in config.aliases.values() if one.id == ref.id), None)
            if nested is not None and nested.id not in path:
                yield from _behind(nested, config, (*path, alias.id, nested.id))


def _direct(ref: str, provider: Provider, model: Model) -> Route:
    return Route(
        ref,
        False,
        _window(model),
        _output(model),
        _reasons(model),
        _sees(model),
        family(provider, model),
        provider.type == "local-runtime",
        provider.name,
        provider.id,
        model.id,
        fallbacks=tuple(model.fallback_models),
    )


def _window(model: Model) -> int | None:
    if model.context_window:
        return model.context_window
    known = lookup(model.id)
    return known.context_window if known else None


def _output(model: Model) -> int | None:
    if model.max_output_tokens:
        return model.max_output_tokens
    known = lookup(model.id)
    return known.max_output_tokens if known else None


def _smallest(found: list[int | None]) -> int | None:
    # The smallest that is known: a window too small compacts early, one too large ends in refusals.
    return min((one for one in found if one), default=None)


def _reasons(model: Model) -> bool:
    return not (model.capabilities.get("supportsReasoning") is False or model.capabilities.get("reasoning") is False)


def _sees(model: Model) -> bool:
    return not any(model.capabilities.get(name) is False for name in ("supportsImages", "supportsVision", "vision"))


def family(provider: Provider, model: Model) -> str:
    """Returns `claude` or `openai`, the format in which a model is best asked: known formats, then its name, then

    the provider's formats and id.
    """
    families = [one.family for one in model.formats]
    if families:
        return _known(families[0])
    name = model.id.lower()
    if any(word in name for word in ("claude", "opus", "sonnet", "haiku")):
        return "claude"
    if "gpt" in name:
        return "openai"
    if provider.formats:
        return _known(provider.formats[0].family)
    return "claude" if provider.id == "anthropic" else "openai"


def _known(one: ProviderFormat) -> str:
    return "claude" if one is ProviderFormat.CLAUDE else "openai"
