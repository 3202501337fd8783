"""From the raw document to a frozen `Config`: two passes, every issue at once.

Law: never raises on any JSON value. The first pass reads each entry where it stands, the second looks references up.
The smallest entry that an error names is left out (a target, a bucket, a provider), the rest serves; only a root that
is no object gives no config at all.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.base.redact import Secret
from llr.config import features
from llr.config.aliases import read_aliases
from llr.config.cursor import Cursor, member_path
from llr.config.knobs import CONFIG_NAMES
from llr.config.limits import read_failure_rules, read_timeouts
from llr.config.links import link_aliases, link_fallbacks, names_of, warn_shadows
from llr.config.localmodels import local_provider
from llr.config.migrate import CURRENT_VERSION
from llr.config.providers import read_providers
from llr.config.schema import Config, Issue, LocalServer, Parsed, ResponsesStoreSpec
from llr.config.windows import ZoneLookup, no_zones

STATE_BACKENDS = ("memory", "file", "sqlite", "redis")


def parse_config(raw: JSON, env: Mapping[str, str], *, zone: ZoneLookup = no_zones) -> Parsed:
    """Returns the config that `raw` means and every issue in document order; the config is None when one is fatal.

    `env` is only asked whether variables named by `apiKeyEnv` are set; it never changes what is parsed. `zone` looks up
    the time zones that rate-limit windows name.
    """
    if not isinstance(raw, dict):
        message = "config missing or invalid: the config root must be a JSON object"
        return Parsed(None, (Issue("$", "root-not-an-object", message, fatal=True),))
    root = Cursor(raw, kind="root")
    config = _read(root, raw, env, zone)
    return Parsed(config, _in_document_order(raw, root.issues))


def _read(root: Cursor, raw: dict[str, JSON], env: Mapping[str, str], zone: ZoneLookup) -> Config:
    root.check_keys("config")
    version = _version(root.key("version"))
    entries = read_providers(root.key("providers"), env, zone=zone)
    local = local_provider(root)
    if local is not None:
        entries.append(local)
    aliases = read_aliases(root)
    names = names_of(entries, aliases)
    linked = link_aliases(aliases, names)
    providers = tuple(found for entry in entries if (found := link_fallbacks(entry, names)) is not None)
    warn_shadows(aliases, entries)
    features.check(root, names)
    master = root.key("masterKey").string()
    return replace(
        _root_keys(root),
        version=version,
        providers=providers,
        aliases=linked,
        master_key=Secret(master) if master else None,
        default_model=(root.key("defaultModel").string() or "").strip() or None,
        raw=MappingProxyType(raw),
    )


def _version(place: Cursor) -> int:
    found = place.posint()
    if place.present and found is None:
        place.warn("version", "version must be a positive integer, it is ignored")
    return max(found or CURRENT_VERSION, CURRENT_VERSION)


def _root_keys(root: Cursor) -> Config:
    """Returns a config without providers and aliases: the keys of the root and of its `metadata`."""
    metadata = root.key("metadata").of("root.metadata")
    if metadata.present and metadata.obj() is None:
        metadata.warn("not-an-object", "metadata must be an object, it is ignored")
    return Config(
        version=CURRENT_VERSION,
        providers=(),
        aliases={},
        local_server=_local_server(metadata.key("localServer").of("localServer")),
        activity_log=_checked(metadata.key("activityLog").of("activityLog")).key("enabled").flag(True),
        strict=root.llr("strict").tri() or False,
        timeouts=read_timeouts(root.llr("timeouts")),
        deadline_s=root.llr("deadlineMs").seconds(1_000, 3_600_000) or 900.0,
        allowed_hosts=root.llr("allowedHosts").texts(),
        failure_rules=read_failure_rules(root.llr("failureRules")),
        routing=_routing(root.llr("routing")),
        state=_state(root.llr("state").of("state")),
        responses_store=_responses_store(root.llr("responsesStore").of("responsesStore")),
        carrier_key_file=root.llr("carrierKeyFile").text() or None,
        request_log=_checked(root.llr("requestLog").of("requestLog")).key("enabled").flag(False),
    )


def _checked(item: Cursor) -> Cursor:
    """Returns the same place, its type and its keys checked."""
    if item.present and item.obj() is None:
        item.warn("not-an-object", f"{item.path} must be an object, it is ignored")
    item.check_keys(item.kind)
    return item


def _local_server(item: Cursor) -> LocalServer:
    _checked(item)
    port = item.key("port")
    number = port.posint()
    if port.present and (number is None or number > 65_535):
        port.warn("port", f"{port.path} must be 1 to 65535, the default is used")
        number = None
    return LocalServer(
        host=item.key("host").text() or None,
        port=number,
        watch_config=item.key("watchConfig").flag(True),
        watch_binary=item.key("watchBinary").flag(True),
        require_auth=item.key("requireAuth").flag(False),
    )


def _routing(place: Cursor) -> Mapping[str, JSON]:
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"{place.path} must be an object, it is ignored")
    for key, item in place.members():
        if key not in CONFIG_NAMES:
            item.warn("unknown-key", f"routing: unknown key {key}, kept and ignored")
    return place.obj() or {}


def _state(item: Cursor) -> Mapping[str, JSON]:
    _checked(item)
    found: dict[str, JSON] = {}
    backend = item.key("backend").one_of(STATE_BACKENDS)
    if backend is not None:
        found["backend"] = backend
    for name in ("path", "url"):
        text = item.key(name).text()
        if text:
            found[name] = text
    return found


def _responses_store(item: Cursor) -> ResponsesStoreSpec:
    _checked(item)
    entries, size = item.key("maxEntries").bounded(1), item.key("maxBytes").bounded(1)
    ttl = item.key("ttlMs").seconds(1, 365 * 86_400_000)
    spec = ResponsesStoreSpec()
    return ResponsesStoreSpec(entries or spec.max_entries, size or spec.max_bytes, ttl or spec.ttl_s)


def _in_document_order(raw: dict[str, JSON], issues: Iterable[Issue]) -> tuple[Issue, ...]:
    """Returns the issues by where they stand, one per place and code."""
    unique = {(issue.path, issue.code, issue.message): issue for issue in issues}
    if not unique:
        return ()
    wanted = {prefix for path, _, _ in unique for prefix in _prefixes(path)}
    order = {"$": 0}
    stack: list[tuple[str, JSON]] = [("$", raw)]
    while stack:
        path, value = stack.pop()
        order[path] = len(order)
        children: list[tuple[str, JSON]] = []
        if isinstance(value, dict):
            children = [(member_path(path, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            children = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        stack.extend(child for child in reversed(children) if child[0] in wanted)
    return tuple(sorted(unique.values(), key=lambda issue: max(order.get(step, -1) for step in _prefixes(issue.path))))


def _prefixes(path: str) -> list[str]:
    """Returns the path and every path above it; a step starts with `.` or `[`."""
    return [path[:end] for end in range(1, len(path)) if path[end] in ".["] + [path]
