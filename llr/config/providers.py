"""Provider entries: each becomes a `Provider`, or none when an error makes it unusable."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat, ProviderId
from llr.base.records import dataclass
from llr.base.redact import Secret, scrub
from llr.config.cursor import Cursor
from llr.config.grammar import as_format, has_userinfo, is_header_name, is_provider_id, slug, url
from llr.config.limits import read_buckets, read_failure_rules, read_timeouts
from llr.config.models import ModelEntry, formats, read_models
from llr.config.quota import read_quota_probe
from llr.config.schema import AuthKind, AuthSpec, Model, Provider
from llr.config.traits import read_traits
from llr.config.windows import ZoneLookup, no_zones

OLLAMA_URL = "http://localhost:11434/v1"
SUBSCRIPTION_MODELS: Mapping[str, tuple[str, ...]] = {
    "chatgpt-codex": ("gpt-5.3-codex", "gpt-5.2-codex", "gpt-5.1-codex-mini"),
    "claude-code": ("claude-sonnet-4-6", "claude-opus-4-6", "claude-haiku-4-5"),
}
# Header names that can carry a credential of their own, lower case.
CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One provider as the file has it: what others may refer to, and what serves (None when nothing does)."""

    id: str
    place: Cursor
    enabled: bool
    models: tuple[ModelEntry, ...]
    provider: Provider | None


def provider_id(entry: Mapping[str, object], position: int) -> str:
    """Returns the id a provider entry goes by: slug of `id`, else of `name`, else `provider-<position>`, 1-based."""
    for name in ("id", "name"):
        text = entry.get(name)
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = str(text)
        if isinstance(text, str) and text.strip():
            return slug(text, "provider")
    return f"provider-{position}"


def read_providers(place: Cursor, env: Mapping[str, str], *, zone: ZoneLookup = no_zones) -> list[ProviderEntry]:
    """Returns every provider entry; `env` is only asked whether the variables named by `apiKeyEnv` are set."""
    if place.present and not isinstance(place.value, dict | list):
        place.error("providers-not-a-list", "providers must be an array")
        return []
    entries: list[ProviderEntry] = []
    for position, item in enumerate(place.each(), start=1):
        if item.obj() is None:
            item.warn("not-an-object", "a provider must be an object, this entry is ignored")
        elif item.first(("type",)).value != "local-runtime":
            entries.append(_entry(item.of("provider"), position, {entry.id for entry in entries}, env, zone=zone))
    return entries


def _entry(item: Cursor, position: int, taken: set[str], env: Mapping[str, str], *, zone: ZoneLookup) -> ProviderEntry:
    own = provider_id(item.obj() or {}, position)
    before = len(item.issues)
    models = read_models(own, item.key("models"), item.key("lastProbe").obj())
    if not item.key("enabled").not_false():
        del item.issues[before:]
        return ProviderEntry(own, item, False, models, None)
    _check_id(item, own, taken)
    item.check_keys(f"provider {own}")
    models = models or _seeded(item)
    usable = _read(item, own, models, env, zone=zone)
    broken = not is_provider_id(own) or own in taken
    return ProviderEntry(own, item, True, models, None if broken else usable)


def _check_id(item: Cursor, own: str, taken: set[str]) -> None:
    written = item.key("id")
    if not written.text() and not item.key("name").text():
        item.warn("provider-id-missing", f"provider missing id: {own} is used")
    elif written.text() and written.text() != own:
        written.warn("id-changed", f"provider id {written.text()} is used as {own}", f"write {own}")
    if not is_provider_id(own):
        written.error("provider-id", f"provider id {own} invalid, use lower-case slug", "start with a letter")
    if own in taken:
        written.error("provider-duplicate", f"duplicate provider id {own}, this entry is not used")


def _seeded(item: Cursor) -> tuple[ModelEntry, ...]:
    if item.first(("type",)).value != "subscription" or item.key("models").each():
        return ()
    seeds = SUBSCRIPTION_MODELS.get(item.key("subscriptionType").text(), ())
    place = Cursor(None, item.path, item.issues, "model")
    return tuple(ModelEntry(seed, place, True, Model(id=seed)) for seed in seeds)


def _read(
    item: Cursor, own: str, entries: tuple[ModelEntry, ...], env: Mapping[str, str], *, zone: ZoneLookup
) -> Provider | None:
    kind = item.key("type").string()
    preferred, listed = _formats(item, own)
    by_format = _urls(item.key("baseUrlByFormat"), own)
    base = _base_url(item, by_format, preferred, listed, kind)
    key = item.key("apiKey").string() if kind != "ollama" else (item.first(("apiKey",)).string() or "ollama")
    wanted = item.key("subscriptionType").text() if kind == "subscription" else None
    usable = _check_usable(item, own, kind, base, wanted)
    serving = tuple(entry.model for entry in entries if entry.enabled)
    if not serving:
        item.key("models").error("provider-models", f"provider {own} must define at least one model")
    ids = {model.id for model in serving}
    disabled = {entry.id for entry in entries if not entry.enabled}
    proxy = _proxy(item.llr("proxy"), own)
    read_quota_probe(item.key("quotaProbe"), own)
    provider = Provider(
        id=ProviderId(own),
        name=item.key("name").text() or item.key("id").text() or own,
        models=serving,
        type=kind,
        base_url=base,
        base_url_by_format=by_format,
        api_key=Secret(key) if key else None,
        api_key_env=item.key("apiKeyEnv").string() or None,
        format=preferred or _default_format(kind, wanted, listed),
        formats=listed or (preferred or _default_format(kind, wanted, listed),),
        auth=_auth(item.key("auth"), own),
        auth_by_format=_auths(item.key("authByFormat"), own),
        headers=_headers(item.key("headers"), own),
        anthropic_version=item.key("anthropicVersion").text() or None,
        anthropic_beta=item.key("anthropicBeta").text() or None,
        endpoint_paths={name: place.text() for name, place in item.llr("endpointPaths").members() if place.text()},
        rate_limits=read_buckets(own, item.key("rateLimits"), ids, disabled, zone=zone),
        metadata=item.key("metadata").obj() or {},
        last_probe=item.key("lastProbe").obj(),
        subscription_type=wanted or None,
        subscription_profile=(item.key("subscriptionProfile").text() or own) if kind == "subscription" else None,
        strict=item.llr("strict").tri(),
        timeouts=read_timeouts(item.llr("timeouts")),
        proxy=proxy or None,
        ca_file=item.llr("caFile").text() or None,
        max_concurrency=item.llr("maxConcurrency").bounded(1, 100_000),
        stream_only=item.llr("streamOnly").tri() or False,
        failure_rules=read_failure_rules(item.llr("failureRules")),
        traits=read_traits(item.llr("traits"), f"provider {own}"),
    )
    _check_credential(item, provider, env)
    return provider if usable and serving and proxy is not None else None


def _check_usable(item: Cursor, own: str, kind: str | None, base: str, wanted: str | None) -> bool:
    """Returns whether a provider has an address and, as a subscription, a known type; reports what is missing."""
    if kind == "subscription":
        if not wanted:
            item.key("subscriptionType").error(
                "subscription-type",
                f"subscription provider {own} missing subscriptionType",
                "chatgpt-codex or claude-code",
            )
        elif wanted not in SUBSCRIPTION_MODELS:
            item.key("subscriptionType").warn("subscription-type-unknown", f"provider {own}: unknown {wanted}")
        return bool(wanted)
    if not base:
        place = item.key("baseUrl")
        given = scrub(place.text())
        detail = f": {given} is not an http or https URL" if given else ""
        place.error("base-url", f"provider {own} missing baseUrl{detail}")
    if kind != "ollama" and not any(item.key(name).present for name in ("format", "formats", "baseUrlByFormat")):
        item.key("format").warn("format-missing", f"provider {own} missing detected format: openai is assumed")
    return bool(base)


def _formats(item: Cursor, own: str) -> tuple[ProviderFormat | None, tuple[ProviderFormat, ...]]:
    """Returns the preferred format, if any, and the supported ones with the preferred first."""
    label = f"provider {own}"
    preferred = next(iter(formats(item.key("format"), label)), None)
    explicit = formats(item.key("formats"), label)
    addressed = [
        name
        for key, place in item.key("baseUrlByFormat").members()
        if url(place.value) and (name := as_format(key)) is not None
    ]
    merged = dict.fromkeys([*explicit, *addressed, *([preferred] if preferred else [])])
    if preferred is not None:
        merged = dict.fromkeys([preferred, *merged])
    return preferred, tuple(merged)


def _default_format(kind: str | None, subscription: str | None, listed: tuple[ProviderFormat, ...]) -> ProviderFormat:
    if kind == "subscription":
        return ProviderFormat.CLAUDE if subscription == "claude-code" else ProviderFormat.OPENAI
    if kind == "ollama" or not listed:
        return ProviderFormat.OPENAI
    return listed[0]


def _urls(place: Cursor, own: str) -> Mapping[ProviderFormat, str]:
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"provider {own}: addresses by format must be an object")
    found: dict[ProviderFormat, str] = {}
    for key, item in place.members():
        name, address = as_format(key), url(item.value)
        if name is None:
            item.warn("format-unknown", f"provider {own}: unknown format {key}")
        elif address:
            found.setdefault(name, address)
        elif item.present and item.value != "":
            item.warn("url-invalid", f"provider {own}: the address for {key} is not an http or https URL")
    return found


def _base_url(
    item: Cursor,
    by_format: Mapping[ProviderFormat, str],
    preferred: ProviderFormat | None,
    listed: tuple[ProviderFormat, ...],
    kind: str | None,
) -> str:
    explicit = item.key("baseUrl").url()
    if explicit:
        return explicit
    order = [preferred, *listed[:1], ProviderFormat.OPENAI, ProviderFormat.CLAUDE, *by_format]
    for name in order:
        if name is not None and by_format.get(name):
            return by_format[name]
    return OLLAMA_URL if kind == "ollama" else ""


def _auth(place: Cursor, own: str) -> AuthSpec | None:
    """Returns how the key travels, None when the file says nothing usable."""
    if not place.present:
        return None
    item = place.of("auth")
    word = item.key("type").text().lower()
    if item.obj() is None or not word:
        place.warn("auth-malformed", f"provider {own}: auth needs a type, it is ignored")
        return None
    item.check_keys(f"provider {own}, auth")
    raw_header = item.key("headerName").string() or ""
    if "\r" in raw_header or "\n" in raw_header:
        place.warn("auth-malformed", f"provider {own}: auth header name has a line break, auth is ignored")
        return None
    header = raw_header.strip() or None
    if header is not None and not is_header_name(header):
        place.warn("auth-malformed", f"provider {own}: auth header name is not a legal header name")
        header = None
    if word not in tuple(AuthKind):
        place.warn("auth-type-unknown", f"provider {own}: auth type {word} is unknown, bearer is used")
        word = AuthKind.BEARER
    if word == AuthKind.HEADER and header is None:
        place.warn("auth-header-missing", f"provider {own}: auth type header has no headerName, Authorization is used")
    return AuthSpec(AuthKind(word), header, item.key("prefix").string())


def _auths(place: Cursor, own: str) -> Mapping[ProviderFormat, AuthSpec]:
    found = {}
    for key, item in place.members():
        name, spec = as_format(key), _auth(item, own)
        if name is not None and spec is not None:
            found[name] = spec
    return found


def _headers(place: Cursor, own: str) -> Mapping[str, JSON]:
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"provider {own}: headers must be an object")
    for name, item in place.members():
        if not is_header_name(name):
            item.warn("header-name", f"provider {own}: header name {name!r} is not legal, it is not sent")
        elif isinstance(item.value, str) and ("\r" in item.value or "\n" in item.value):
            item.warn("header-value", f"provider {own}: header {name} has a line break, it is not sent")
        elif isinstance(item.value, dict | list):
            item.warn("header-value", f"provider {own}: header {name} must be text, it is not sent")
    return place.obj() or {}


def _proxy(place: Cursor, own: str) -> str | None:
    """Returns "" for none, "direct", or the proxy URL with its user-info; None when it is unusable."""
    text = place.text()
    if not text or text.lower() == "direct":
        return text.lower()
    if text.lower().startswith("socks"):
        place.error("proxy-socks", f"provider {own}: socks proxies are not supported", "use an HTTP proxy")
        return None
    if not url(text):
        place.error("proxy-invalid", f"provider {own}: proxy must be an http or https URL or direct")
        return None
    return text if has_userinfo(text) else url(text)


def _check_credential(item: Cursor, provider: Provider, env: Mapping[str, str]) -> None:
    if provider.api_key or provider.type in {"subscription", "ollama"}:
        return
    if provider.api_key_env:
        if not env.get(provider.api_key_env):
            place = item.key("apiKeyEnv")
            place.warn("env-unset", f"provider {provider.id}: environment variable {provider.api_key_env} is not set")
        return
    specs = [spec for spec in (provider.auth, *provider.auth_by_format.values()) if spec is not None]
    if any(spec.kind is AuthKind.NONE for spec in specs):
        return
    if any(name.lower() in CREDENTIAL_HEADERS for name in provider.headers):
        return
    item.key("apiKey").warn(
        "credential-missing",
        f"provider {provider.id} has no credential: no key is sent",
        'set apiKey or apiKeyEnv, or auth {"type": "none"}',
    )
