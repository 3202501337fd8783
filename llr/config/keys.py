"""Every key of the config file in one table: spellings, type, default, meaning.

Readers look spellings up here, the unknown-key check and the generated reference are made from it. A key that is
not in this table is a validation warning; a new key is added here in the change that needs it.
"""

from collections.abc import Mapping

from llr.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one kind of object; `also` are further spellings, in order of precedence after `name`."""

    name: str
    type: str
    meaning: str
    default: str = ""
    also: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        """Returns every accepted spelling, the written one first."""
        return (self.name, *self.also)


def _table(*keys: Key) -> Mapping[str, Key]:
    return {key.name: key for key in keys}


_LLR = Key("llr", "object", "keys of this router; the reference router keeps them because they sit in `metadata`")
_STRICT = Key("strict", "bool", "a translation that would lose something is refused with 400", "false")
_TIMEOUTS = Key("timeouts", "object", "`connectMs`, `firstByteMs`, `idleMs`")
_CONCURRENCY = Key("maxConcurrency", "int, 1…100000", "requests at once; over it the candidate is skipped", "none")
_RULES = Key("failureRules", "list, at most 100", "first match wins over the built-in failure table", "[]")
_FROM = "a relative path begins at the config's folder"
_TRAITS = Key("traits", "object", "what translations must know of an upstream; listed below", "by vendor")
_METADATA = Key("metadata", "object", "free-form; `metadata.llr` holds keys of this router", "{}")
_ENABLED = Key("enabled", "bool", "a disabled entry stays in the file and is not used", "true")

ROOT = _table(
    Key("version", "int", "schema version", "2"),
    Key("masterKey", "text", "key that clients must present when auth is required", "none", ("master-key",)),
    Key("defaultModel", "text", "seed of the alias `default` while that alias is absent", "none", ("default-model",)),
    Key("providers", "list", "upstream providers", "[]"),
    Key("modelAliases", "object", "alias id to alias", "{}", ("model-aliases",)),
    Key("amp", "object", "AMP routing", "{}", ("ampcode", "amp-code")),
    Key("webSearch", "object", "web search shared by AMP and other tools", "none", ("web-search",)),
    Key("claudeCode", "object", "Claude Code extras", "none", ("claude-code",)),
    Key("ollama", "object", "Ollama connection", "disabled"),
    _METADATA,
)
ROOT_LLR = _table(
    _STRICT,
    _TIMEOUTS,
    Key("deadlineMs", "int, ms, 1000…3600000", "all attempts of a request until its answer begins", "900000"),
    _RULES,
    Key("state", "object", "`backend` (memory, file, sqlite, redis), `path`, `url`", "file"),
    Key("routing", "object", "the routing knobs in camelCase; the environment wins", "{}"),
    Key("allowedHosts", "list", "further names accepted in `Host`", "[]"),
    Key("responsesStore", "object", "`maxEntries`, `maxBytes`, `ttlMs` of the local response history"),
    Key("requestLog", "object", "`enabled`: a line for every request, `llr logs --requests` shows them", "disabled"),
    Key("carrierKeyFile", "path", f"key that signs reasoning carriers; {_FROM}", ".llr-carrier.key"),
)
PROVIDER = _table(
    Key("id", "slug", "name in `provider/model`", "slug of `name`"),
    Key("name", "text", "display name", "the id"),
    Key("type", "text", "`subscription`, `ollama` or nothing", "null"),
    _ENABLED,
    Key("baseUrl", "URL", "upstream address", "", ("base-url", "endpoint")),
    Key(
        "baseUrlByFormat",
        "object",
        "upstream address per format",
        "{}",
        ("base-url-by-format", "endpointByFormat", "endpoint-by-format", "endpoints"),
    ),
    Key("apiKey", "text", "upstream key", "none", ("credential",)),
    Key("apiKeyEnv", "text", "environment variable that holds the upstream key", "none"),
    Key("format", "format", "preferred wire format", "first of `formats`", ("responseFormat", "response-format")),
    Key("formats", "list", "wire formats: openai, claude, openai-chat, openai-responses, gemini", "[format]"),
    Key("auth", "object", "`type` (bearer, x-api-key, header, none), `headerName`, `prefix`", "by format"),
    Key("authByFormat", "object", "`auth` per wire format", "{}"),
    Key("headers", "object", "further upstream headers", "{}"),
    Key("anthropicVersion", "text", "`anthropic-version` header", "2023-06-01", ("anthropic-version",)),
    Key("anthropicBeta", "text", "`anthropic-beta` header", "none", ("anthropic-beta",)),
    Key("models", "list", "models: ids or objects", "[]"),
    Key("rateLimits", "list", "rate-limit buckets", "[]", ("rate-limits",)),
    _METADATA,
    Key("lastProbe", "object", "result of the last probe, kept as it is"),
    Key("quotaProbe", "object", "upstream budget probe", "null"),
    Key("subscriptionType", "text", "`chatgpt-codex` or `claude-code`", "", ("subscription_type",)),
    Key("subscriptionProfile", "text", "token profile", "the provider id", ("subscription_profile",)),
)
PROVIDER_LLR = _table(
    _STRICT,
    _TIMEOUTS,
    Key("proxy", 'URL or "direct"', "HTTP proxy for this provider", "from the environment"),
    Key("caFile", "path", f"further trusted roots, PEM; {_FROM}", "none"),
    _CONCURRENCY,
    Key("streamOnly", "bool", "the upstream is always asked to stream", "false"),
    _RULES,
    _TRAITS,
    Key("endpointPaths", "object", "path per kind: chat, completions, responses, messages, countTokens, models"),
)
MODEL = _table(
    Key("id", "text", "upstream model id", "", ("name", "model")),
    Key("aliases", "list", "further names valid as `provider/<alias>`", "[]", ("alias",)),
    Key("formats", "list", "wire formats of this model", "as the provider", ("format",)),
    _ENABLED,
    Key("variant", "text", "reasoning effort of a subscription model: high, medium, low", "none"),
    Key("contextWindow", "number, tokens", "context window", "unknown"),
    Key("cost", "any", "echoed in the model list"),
    _METADATA,
    Key(
        "fallbackModels",
        "list",
        "`provider/model` to try when this model was asked for directly",
        "[]",
        ("fallback-models", "silentFallbacks", "silent-fallbacks", "fallbacks"),
    ),
    Key("capabilities", "object of bools", "false removes the request fields of that capability", "{}"),
)
MODEL_LLR = _table(
    _STRICT,
    _TIMEOUTS,
    _CONCURRENCY,
    Key("wire", "`chat` or `responses`", "OpenAI wire format for clients of another format", "by client"),
    Key("maxOutputTokens", "int, tokens", "output limit", "of a known model"),
    _TRAITS,
)
ALIAS = _table(
    Key("id", "text", "always the map key"),
    Key("strategy", "text", "auto, ordered, round-robin, weighted-rr, quota-aware-weighted-rr", "ordered"),
    Key("targets", "list", "routes of the first tier", "[]"),
    Key("fallbackTargets", "list", "routes of the second tier", "[]", ("fallback-targets", "fallbacks")),
    _METADATA,
)
ALIAS_LLR = _table(
    Key("deadlineMs", "int, ms, 1000…3600000", "all attempts of a request until its answer begins", "900000"),
    _CONCURRENCY,
    Key("firstTokenMs", "int, ms, 100…600000", "a first event later than this moves to the next candidate", "none"),
    Key("slowStream", "object", "`minCharsPerSecond`, `windowMs`; judged before the answer begins", "none"),
    Key("affinity", "off, thread or cache", "what makes requests stick to a candidate", "thread"),
    Key("affinityTtlMs", "int, ms, 1000…86400000", "how long they stick", "3600000"),
)
TARGET = _table(
    Key("ref", "route", "`provider/model`, alias id or `alias:id`", "", ("target", "route", "model")),
    Key("weight", "number", "share under weighted strategies", "1"),
    _METADATA,
)
BUCKET = _table(
    Key("id", "text", "bucket id, unique in the provider", "slug of `name`"),
    Key("name", "text", "label", "none"),
    Key("models", "list", '`["all"]` or model ids of the provider', "", ("model",)),
    Key("requests", "int", "requests per window", "", ("limit", "requests-per-window")),
    Key("window", "object", "`unit` (second, minute, hour, day, week, month), `size`, `timezone`, `anchor`"),
    Key("windowUnit", "text", "flat form of `window.unit`", "", ("window.unit", "window-unit")),
    Key("windowSize", "int", "flat form of `window.size`", "", ("window.size", "window.value", "window-size")),
    _METADATA,
)
BUCKET_LLR = _table(
    Key("tokens", "int, tokens", "input and output tokens per window", "none"),
    Key("window", "object", "`timezone` and `anchor`, in a file that the reference router writes too"),
)
WINDOW = _table(
    Key("unit", "text", "unit of the window"),
    Key("size", "int", "number of units", "", ("value",)),
    Key("timezone", "IANA name", "whose days, weeks and months are counted", "UTC"),
    Key("anchor", "date or time", "when a window begins, e.g. 2026-01-15T09:00, on the clock of the zone", "none"),
)
AUTH = _table(
    Key("type", "text", "bearer, x-api-key, header or none", "", ("kind",)),
    Key("headerName", "text", "header of type `header`", "", ("header",)),
    Key("prefix", "text", "text before the key", '"Bearer " for bearer'),
)
TIMEOUTS = _table(
    Key("connectMs", "int, ms, 100…120000", "TCP, proxy and TLS together", "10000"),
    Key("firstByteMs", "int, ms, 1000…3600000", "until response headers", "300000"),
    Key("idleMs", "int, ms, 1000…3600000", "between body bytes", "240000"),
)
FAILURE_RULE = _table(
    Key("status", "int", "upstream status that must match"),
    Key("contains", "text", "text the error must contain"),
    Key("regex", "text", "regular expression the error must match"),
    Key("phase", "text", "prepare, connect, headers, body or stream"),
    Key("action", "text", "stop, retry, next or next-and-cool"),
    Key("cooldownMs", "int, ms", "how long `next-and-cool` rests the candidate"),
)
SLOW_STREAM = _table(
    Key("minCharsPerSecond", "number", "slowest acceptable rate"), Key("windowMs", "int, ms", "time it is judged over")
)
STATE = _table(
    Key("backend", "text", "memory, file, sqlite or redis", "file"),
    Key("path", "path", f"file of the backends file and sqlite; {_FROM}"),
    Key("url", "URL", "address of the backend redis"),
)
RESPONSES_STORE = _table(
    Key("maxEntries", "int", "stored responses", "1000"),
    Key("maxBytes", "int, bytes", "their size together", "67108864"),
    Key("ttlMs", "int, ms", "how long each is kept", "604800000"),
)
LOCAL_SERVER = _table(
    Key("host", "text", "address to listen on", "127.0.0.1"),
    Key("port", "int, 1…65535", "port to listen on", "8376"),
    Key("watchConfig", "bool", "reload when the config file changes", "true"),
    Key("watchBinary", "bool", "restart when the program file changes", "true"),
    Key("requireAuth", "bool", "clients must present the master key", "false"),
)
ACTIVITY_LOG = _table(Key("enabled", "bool", "write the activity log", "true"))
REQUEST_LOG = _table(Key("enabled", "bool", "write the request log", "false"))
LOCAL_MODELS = _table(
    Key("runtime", "object", "local runtime"),
    Key("library", "object", "model files"),
    Key("variants", "object", "how they are offered"),
    Key("capacity", "object", "memory of the machine"),
)
ROOT_METADATA = _table(
    Key("localServer", "object", "how the gateway listens"),
    Key("activityLog", "object", "activity log switch"),
    Key("localModels", "object", "local models"),
    _LLR,
)
WEB_SEARCH = _table(
    Key("strategy", "text", "`ordered` or `quota-balance`", "ordered"),
    Key("count", "int, 1…20", "results per search", "5"),
    Key("providers", "list or object", "search backends and hosted routes", "[]"),
    Key("interceptInternalSearch", "bool", "answer built-in search tools", "false", ("intercept-internal-search",)),
)
SEARCH_BACKEND = _table(
    Key("id", "text", "brave, tavily, exa, searxng or provider/model", "", ("provider", "backend", "name")),
    Key("apiKey", "text", "key of the backend", "", ("api-key", "key")),
    Key("url", "URL", "searxng address", "", ("baseUrl", "base-url", "searxngUrl", "searxng-url")),
    Key(
        "count",
        "int, 1…20",
        "results per search",
        "",
        ("resultCount", "result-count", "resultsPerCall", "results-per-call"),
    ),
    Key("limit", "int", "searches per month", "", ("monthlyLimit", "monthly-limit", "quota")),
    Key(
        "remaining",
        "int",
        "searches left this month",
        "limit",
        ("remainingQuota", "remaining-quota", "remainingQueries", "remaining-queries"),
    ),
    Key("providerId", "text", "provider of a hosted route", "", ("routeProviderId", "provider-id")),
    Key("model", "text", "model of a hosted route", "", ("modelId", "routeModelId", "model-id")),
)
CLAUDE_CODE = _table(
    Key(
        "webSearchProvider",
        "text",
        "search provider of Claude Code",
        "",
        ("web-search-provider", "searchProvider", "search-provider"),
    ),
)
AMP = _table(
    Key("upstreamUrl", "URL", "AMP service", "", ("upstream-url", "baseUrl", "base-url")),
    Key("upstreamApiKey", "text", "key of the AMP service", "none", ("upstream-api-key",)),
    Key(
        "restrictManagementToLocalhost",
        "bool",
        "management paths only from this machine",
        "false",
        ("restrict-management-to-localhost",),
    ),
    Key("forceModelMappings", "bool", "mappings win over models", "false", ("force-model-mappings",)),
    Key("proxyWebSearchToUpstream", "bool", "web search goes to AMP", "", ("proxy-web-search-to-upstream",)),
    Key("modelMappings", "list", "older: model pattern to route", "[]", ("model-mappings",)),
    Key("subagentMappings", "object", "older: sub-agent to route", "{}", ("subagent-mappings",)),
    Key("subagentDefinitions", "list", "older: sub-agent patterns", "built in", ("subagent-definitions",)),
    Key("preset", "text", "builtin or none", "builtin"),
    Key("defaultRoute", "route", "route of what nothing else matches", "none", ("default-route",)),
    Key("routes", "object", "entity or @signature to route", "{}"),
    Key("rawModelRoutes", "list", "model pattern to route", "[]", ("raw-model-routes",)),
    Key("overrides", "object", "`entities`, `signatures`"),
    Key("fallback", "object", "`onUnknown`, `onAmbiguous`, `proxyUpstream`"),
    Key("webSearch", "object", "older place of the web search", "none", ("web-search",)),
)
OLLAMA = _table(
    _ENABLED,
    Key("baseUrl", "URL", "Ollama address", "http://localhost:11434", ("base-url",)),
    Key("autoConnect", "bool", "connect by itself", "true"),
    Key("defaultKeepAlive", "-1, 0 or a duration", "how long a model stays loaded", "5m"),
    Key("managedModels", "object", "per model: keepAlive, contextLength, pinned, autoLoad", "{}"),
    Key("autoLoadModels", "list", "models loaded at start", "[]", ("auto-load-models",)),
)
QUOTA_PROBE = _table(
    Key("enabled", "bool", "must be literally true"),
    Key("capKind", "text", "dollars, tokens or requests"),
    Key("combinator", "text", "AND, OR or REPLACE", "AND"),
    Key("enforce", "text", "gate or observe", "gate"),
    Key("mode", "text", "http, command or custom", "http"),
    Key("safetyMargin", "object", "`dollars`, `percent`", "0, 0"),
    Key("http", "object", "method, url, headers, body, timeoutMs, mapping"),
    Key("custom", "object", "source, timeoutMs; kept, not run"),
    Key("command", "object", "argv, timeoutMs"),
    Key("refreshTriggers", "object", "when the probe runs"),
)

TRAITS = _table(
    Key("allowed_tools", "bool", "a Chat server takes a choice among some of the tools"),
    Key("audio_in", "bool", "takes audio"),
    Key("cache_control", "bool", "a Chat server takes Anthropic's cache marks"),
    Key("carry_search_history", "bool", "is told as text what an earlier model's own search found"),
    Key("custom_tools", "bool", "takes tools whose argument is free text"),
    Key("developer_role", "bool", "takes the role `developer`"),
    Key("effort_api", "bool", "a Messages server takes an effort"),
    Key("image", "bool", "takes images"),
    Key("image_url", "bool", "fetches images by their address"),
    Key("json_schema", "bool", "holds its answer to a schema"),
    Key("max_completion_tokens", "bool", "is told its output limit under this name instead of `max_tokens`"),
    Key("mid_system", "bool", "a Messages server takes system messages within the conversation"),
    Key("pdf", "bool", "takes PDFs"),
    Key("prefill", "bool", "goes on from an assistant's message that comes last"),
    Key("prompt_cache_key", "bool", "a Chat server takes it"),
    Key("sampling", "bool", "a Messages server takes `temperature`, `top_p` and `top_k`"),
    Key("stream_usage", "bool", "a Chat server takes `stream_options.include_usage`"),
    Key("strict_tools", "bool", "takes `strict` on tools"),
    Key("think_tags", "bool", "writes its thoughts as `<think>…</think>` into the text"),
    Key("tools_via_chat", "bool", "Messages clients' requests with tools go to its Chat endpoint first, with losses"),
    Key("top_k", "bool", "a Chat server takes it"),
    Key("web_search", "bool", "searches the web by itself when asked to"),
    Key("reasoningStyle", "text", "flat or nested: `reasoning_effort`, or `reasoning: {effort}`"),
    Key("reasoning_field", "text", "reasoning_content or reasoning: where a Chat message keeps its thoughts"),
    Key("reasoning_replay", "text", "required, allowed or forbidden: thoughts in the history"),
    Key("thinking_mode", "text", "budget, adaptive or none: how a Messages server is asked to think"),
    Key("tool_id", "text", "nine (ids of tool calls have nine letters or digits) or any"),
    Key("efforts", "list", "the efforts it takes"),
    Key("dropFields", "list", "fields that are left out of translated requests"),
    Key("passthroughFields", "list", "fields of the client's request that are handed on though the formats differ"),
    Key("forceFields", "object", "fields that are set in translated requests"),
    Key("renameFields", "object", "fields that go under another name in translated requests"),
)

# Kind of object to its keys; "<kind>.llr" are the keys under `metadata.llr`, accepted on the object itself too.
KEYS: Mapping[str, Mapping[str, Key]] = {
    "root": ROOT,
    "root.llr": ROOT_LLR,
    "root.metadata": ROOT_METADATA,
    "provider": PROVIDER,
    "provider.llr": PROVIDER_LLR,
    "model": MODEL,
    "model.llr": MODEL_LLR,
    "traits": TRAITS,
    "alias": ALIAS,
    "alias.llr": ALIAS_LLR,
    "target": TARGET,
    "bucket": BUCKET,
    "bucket.llr": BUCKET_LLR,
    "window": WINDOW,
    "auth": AUTH,
    "timeouts": TIMEOUTS,
    "failureRule": FAILURE_RULE,
    "slowStream": SLOW_STREAM,
    "state": STATE,
    "responsesStore": RESPONSES_STORE,
    "localServer": LOCAL_SERVER,
    "activityLog": ACTIVITY_LOG,
    "requestLog": REQUEST_LOG,
    "localModels": LOCAL_MODELS,
    "webSearch": WEB_SEARCH,
    "searchBackend": SEARCH_BACKEND,
    "claudeCode": CLAUDE_CODE,
    "amp": AMP,
    "ollama": OLLAMA,
    "quotaProbe": QUOTA_PROBE,
}


def spellings(kind: str, name: str) -> tuple[str, ...]:
    """Returns every spelling of key `name` in an object of this kind, in order of precedence."""
    return KEYS[kind][name].spellings


def known(kind: str) -> frozenset[str]:
    """Returns every spelling that an object of this kind may use, its `metadata.llr` keys included."""
    keys = [*KEYS[kind].values(), *KEYS.get(f"{kind}.llr", {}).values()]
    return frozenset(spelling for key in keys for spelling in key.spellings)


# What an entry of the AMP mappings matches, and the route it leads to.
AMP_FROM = ("from", "match", "pattern", "model")
AMP_TO = ("to", "target", "route", "ref")
AMP_OVERRIDE_TO = ("route", "to", "target", "ref")


def provider_key(spelling: str) -> str | None:
    """Returns the name a provider's key is written under, whichever spelling is given; None for a key it lacks."""
    return next((key.name for key in PROVIDER.values() if spelling in key.spellings), None)
