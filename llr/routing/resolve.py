"""From the model name a client sends to the candidates that may answer it.

Law: pure, and everything that depends on the config alone is computed once per `Resolver`. One bad target never takes
an alias down: it is skipped with a reason, and only a name that leaves nothing at all is an error.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2s
from typing import NamedTuple

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.names import AliasId, FormatId, ModelRef
from llr.base.records import dataclass, replace
from llr.config.grammar import Direct, ToAlias, parse_ref
from llr.config.schema import Alias, AliasTarget, Config, Model, Provider, Settings
from llr.routing.choose import applying_buckets, unfit, wire_choice
from llr.routing.keys import NO_CREDENTIAL
from llr.routing.policy import retry_policy
from llr.routing.route import Candidate, Kind, Route, RouteType, Tier
from llr.routing.suggest import suggestions

SMART = "smart"
DEFAULT = AliasId("default")
# What a config or a caller may write, and what planning and reports call it.
STRATEGY_NAMES: Mapping[str, str] = {
    "ordered": "ordered",
    "auto": "quota-aware-weighted-rr",
    "automatic": "quota-aware-weighted-rr",
    "smart": "quota-aware-weighted-rr",
    "quota-aware-weighted-round-robin": "quota-aware-weighted-rr",
    "quota-aware-weighted-rr": "quota-aware-weighted-rr",
    "rr": "round-robin",
    "round-robin": "round-robin",
    "weighted-round-robin": "weighted-rr",
    "weighted_rr": "weighted-rr",
    "weighted-rr": "weighted-rr",
}


class _Ask(NamedTuple):
    """One resolution: the name as asked, the client's wire format, what it wants."""

    name: str
    client: FormatId
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One model reached through an alias, with the weight the innermost positive one of its path gives."""

    provider: Provider
    model: Model
    weight: float | None

    @property
    def ref(self) -> ModelRef:
        return ModelRef(f"{self.provider.id}/{self.model.id}")


# Before an alias in the list that Claude Code reads: it keeps only ids that begin with `claude` or `anthropic`.
CLAUDE_PREFIX = "claude:"
# What of the names that clients send is remembered: so many, and none that is longer.
MOST_ROUTES = 10_000
LONGEST_NAME = 256

_Expansion = tuple[list[_Leaf], list[tuple[str, str]]]


class Resolver:
    """Resolves names against one config; every route is built once and kept as long as the config is."""

    def __init__(
        self, config: Config, *, env: Mapping[str, str] | None = None, settings: Settings | None = None
    ) -> None:
        self.config = config
        self.policy = retry_policy(settings or Settings(), config)
        self._env = env or {}
        self._providers: dict[str, Provider] = {provider.id: provider for provider in config.providers}
        self._credentials = {provider.id: fingerprint(provider, self._env) for provider in config.providers}
        self._routes: dict[_Ask, Route] = {}

    @property
    def credentials(self) -> Mapping[str, str]:
        """Returns the fingerprint of each provider's key, without providers whose key is not known here."""
        return {name: found for name, found in self._credentials.items() if found != NO_CREDENTIAL}

    def resolve(self, model: str, client: FormatId, *, kind: Kind = Kind.GENERATE) -> Route:
        """Returns the route of a requested name; a blank one means `smart`.

        Raises `GatewayError`: MODEL_NOT_FOUND (with close names) for an unknown or malformed name, CONFIGURATION for a
        known one that leads nowhere.
        """
        ask = _Ask(model.strip() or SMART, client, kind)
        route = self._routes.get(ask)
        if route is None:
            route = self._find(ask)
            # Only names the config knows get this far, but "provider,  model" has as many spellings as blanks.
            if len(self._routes) < MOST_ROUTES and len(ask.name) <= LONGEST_NAME:
                self._routes[ask] = route
        return route

    def _find(self, ask: _Ask) -> Route:
        if not self.config.providers:
            raise fail(ErrorKind.CONFIGURATION, "no providers configured: add one to the config", status=503)
        aliases = self.config.aliases
        fixed = ask.name == DEFAULT or (ask.name == SMART and SMART not in aliases)
        ref = ToAlias(DEFAULT) if fixed else parse_ref(ask.name)
        try:
            if isinstance(ref, ToAlias):
                return self._alias(ask, AliasId(ref.id), fixed)
            if isinstance(ref, Direct):
                return self._direct(ask, ref)
            raise self._unknown(ask.name, f"'{_short(ask.name)}' must be an alias id or provider/model")
        except GatewayError:
            found = self._bare(ask) or self._comma(ask) or self._picked(ask)
            if found is None:
                raise
            return found

    # --- alias ---------------------------------------------------------------------------------------------------

    def _alias(self, ask: _Ask, alias_id: AliasId, fixed: bool) -> Route:
        status = 500 if fixed else 400
        alias = self.config.aliases.get(alias_id)
        if alias is None:
            if fixed:
                raise fail(ErrorKind.CONFIGURATION, "no default model is configured", status=500)
            raise self._unknown(ask.name, f"alias '{_short(alias_id)}' not found")
        if not alias.targets and not alias.fallback_targets and not alias.left_out:
            text = f"alias '{alias_id}' has no target candidates configured"
            raise fail(ErrorKind.CONFIGURATION, text, status=status, param="model")
        candidates, skipped = self._alias_candidates(ask, alias)
        if not candidates:
            why = "; ".join(f"{ref}: {reason}" for ref, reason in skipped[:8])
            text = f"alias '{alias_id}' has no resolvable target candidates ({why})"
            raise fail(ErrorKind.CONFIGURATION, text, status=status, param="model")
        return self._route(ask, RouteType.ALIAS, alias_id, candidates, tuple(skipped))

    def _alias_candidates(self, ask: _Ask, alias: Alias) -> tuple[list[Candidate], list[tuple[str, str]]]:
        seen: dict[ModelRef, Candidate] = {}
        skipped = [*alias.left_out]
        memo: dict[str, _Expansion] = {}
        for tier, targets in ((Tier.PRIMARY, alias.targets), (Tier.FALLBACK, alias.fallback_targets)):
            for target in targets:
                leaves, bad = self._expand(target, (alias.id,), memo)
                skipped.extend(bad)
                for leaf in leaves:
                    if leaf.ref in seen:
                        continue
                    candidate = self._candidate(ask, leaf.provider, leaf.model)
                    if candidate is None:
                        skipped.append((leaf.ref, "format-incompatible"))
                        continue
                    seen[leaf.ref] = replace(candidate, weight=leaf.weight, tier=tier, target_ref=target.ref)
        return list(seen.values()), list(dict.fromkeys(skipped))

    def _expand(self, target: AliasTarget, path: tuple[str, ...], memo: dict[str, _Expansion]) -> _Expansion:
        """Returns the models behind one target, depth first, and what had to be left out with its reason.

        Nested aliases lend their targets, not their strategy. `memo` keeps a diamond of aliases from being walked once
        per path.
        """
        ref = parse_ref(target.ref)
        if isinstance(ref, Direct):
            provider = self._providers.get(ref.provider)
            model = find_model(provider, ref.model) if provider is not None else None
            if provider is None or model is None:
                return [], [(target.ref, "unknown-target")]
            return [_Leaf(provider, model, _positive(target.weight))], []
        nested = self.config.aliases.get(AliasId(ref.id)) if ref is not None else None
        if nested is None:
            return [], [(target.ref, "invalid-target" if ref is None else "unknown-target")]
        if nested.id in path:
            cycle = path[path.index(nested.id) :]
            return [], [(target.ref, "alias-cycle " + " -> ".join((*cycle, nested.id)))]
        if nested.id not in memo:
            memo[nested.id] = self._expand_all(nested, (*path, nested.id), memo)
        leaves, bad = memo[nested.id]
        weight = _positive(target.weight)
        return ([replace(leaf, weight=weight) for leaf in leaves] if weight is not None else leaves), bad

    def _expand_all(self, alias: Alias, path: tuple[str, ...], memo: dict[str, _Expansion]) -> _Expansion:
        leaves: dict[ModelRef, _Leaf] = {}
        bad = [*alias.left_out]
        for target in (*alias.targets, *alias.fallback_targets):
            found, skipped = self._expand(target, path, memo)
            bad.extend(skipped)
            for leaf in found:
                leaves.setdefault(leaf.ref, leaf)
        if not leaves and not bad:
            bad.append((alias.id, "alias-without-targets"))
        return list(leaves.values()), bad

    # --- provider/model and bare model ---------------------------------------------------------------------------

    def _direct(self, ask: _Ask, ref: Direct) -> Route:
        provider = self._providers.get(ref.provider)
        if provider is None:
            raise self._unknown(ask.name, f"provider '{_short(ref.provider)}' not found")
        model = find_model(provider, ref.model)
        if model is None:
            raise self._unknown(
                ask.name, f"model '{_short(ref.model)}' is not configured under provider '{provider.id}'"
            )
        primary = self._candidate(ask, provider, model)
        if primary is None:
            text = f"model '{model.id}' has unsupported endpoint formats under provider '{provider.id}'"
            raise fail(ErrorKind.CONFIGURATION, text, status=400, param="model")
        candidates = {primary.ref: primary}
        skipped: list[tuple[str, str]] = []
        for fallback in model.fallback_models:
            found = self._exact(fallback)
            candidate = self._candidate(ask, *found) if found is not None else None
            if candidate is not None:
                candidates.setdefault(candidate.ref, candidate)
            else:
                skipped.append((fallback, "format-incompatible" if found is not None else "unknown-target"))
        return self._route(ask, RouteType.DIRECT, primary.ref, list(candidates.values()), tuple(skipped))

    def _exact(self, ref: ModelRef) -> tuple[Provider, Model] | None:
        provider_id, _, model_id = ref.partition("/")
        provider = self._providers.get(provider_id)
        found = next((model for model in provider.models if model.id == model_id), None) if provider else None
        return (provider, found) if provider is not None and found is not None else None

    def _bare(self, ask: _Ask) -> Route | None:
        """Returns the route over every provider that has the bare model name, exact ids before model aliases."""
        name = ask.name
        if "/" in name or name.startswith("alias:"):
            return None
        by_id = [(p, m) for p in self.config.providers for m in p.models if m.id == name]
        by_alias = [(p, m) for p in self.config.providers for m in p.models if m.id != name and name in m.aliases]
        found: dict[ModelRef, Candidate] = {}
        for provider, model in (*by_id, *by_alias):
            candidate = self._candidate(ask, provider, model)
            if candidate is not None:
                found.setdefault(candidate.ref, candidate)
        return self._route(ask, RouteType.BARE_MODEL, name, list(found.values()), ()) if found else None

    def _picked(self, ask: _Ask) -> Route | None:
        """Returns the route of an alias under the name that Claude Code's own list has for it."""
        alias = AliasId(ask.name.removeprefix(CLAUDE_PREFIX))
        if alias == ask.name or alias not in self.config.aliases:
            return None
        return self._alias(ask, alias, fixed=False)

    def _comma(self, ask: _Ask) -> Route | None:
        """Returns the route of "provider,model", the spelling of another popular router."""
        provider, comma, model = ask.name.partition(",")
        known = self._providers.get(provider.strip())
        if not comma or known is None or find_model(known, model.strip()) is None:
            return None
        return self._direct(ask, Direct(known.id, model.strip()))

    # --- parts ---------------------------------------------------------------------------------------------------

    def _candidate(self, ask: _Ask, provider: Provider, model: Model) -> Candidate | None:
        native = ask.kind is Kind.NATIVE
        choice = wire_choice(provider, model, ask.client, native=native)
        if choice is None:
            return None
        target, wire = choice
        return Candidate(
            ModelRef(f"{provider.id}/{model.id}"),
            provider,
            model,
            target,
            wire,
            unfit=unfit(provider, target, ask.client, native=native),
            credential=self._credentials[provider.id],
            buckets=applying_buckets(provider, model),
        )

    def _route(
        self,
        ask: _Ask,
        route_type: RouteType,
        ref: str,
        candidates: list[Candidate],
        skipped: tuple[tuple[str, str], ...],
    ) -> Route:
        alias = self.config.aliases.get(AliasId(ref)) if route_type is RouteType.ALIAS else None
        deadline_s = alias.deadline_s if alias is not None else None
        # A direct route names its first choice, so a conversation never sticks to one of its fallbacks.
        sticky = "off" if route_type is RouteType.DIRECT else "thread"
        return Route(
            ask.name,
            route_type,
            ref,
            STRATEGY_NAMES.get(alias.strategy, "ordered") if alias is not None else "ordered",
            tuple(candidates),
            skipped,
            deadline_s if deadline_s is not None else self.config.deadline_s,
            ask.client,
            ask.kind,
            self.policy,
            max_concurrency=alias.max_concurrency if alias is not None else None,
            first_token_s=alias.first_token_s if alias is not None else None,
            slow_stream=alias.slow_stream if alias is not None else None,
            affinity=alias.affinity if alias is not None else sticky,
            affinity_ttl_s=alias.affinity_ttl_s if alias is not None else 3600.0,
        )

    def _unknown(self, name: str, text: str) -> GatewayError:
        close = suggestions(name, self._names())
        hint = f"; did you mean {' or '.join(repr(word) for word in close)}?" if close else ""
        return fail(ErrorKind.MODEL_NOT_FOUND, text + hint, param="model")

    def _names(self) -> Iterable[str]:
        yield from self.config.aliases
        for provider in self.config.providers:
            for model in provider.models:
                yield f"{provider.id}/{model.id}"


def find_model(provider: Provider, name: str) -> Model | None:
    """Returns the provider's model of this id, else the first one with this alias."""
    for model in provider.models:
        if model.id == name:
            return model
    return next((model for model in provider.models if name in model.aliases), None)


def fingerprint(provider: Provider, env: Mapping[str, str]) -> str:
    """Returns 8 hex digits that change when the provider's key does; too few to test guesses of a key against."""
    if provider.type == "subscription":
        return _digest(f"profile {provider.subscription_profile or provider.id}")
    key = provider.key(env)
    return _digest(key.reveal()) if key is not None else NO_CREDENTIAL


def _digest(text: str) -> str:
    return blake2s(text.encode("utf-8", "replace"), digest_size=4, person=b"llr-cred").hexdigest()


def _positive(weight: float | None) -> float | None:
    return weight if weight is not None and weight > 0 else None


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"
