"""Every `LLM_ROUTER_*` variable in one table: what it does, its default, its bounds, and whether this build uses it.

Status, help and the reference print this table; `settings` reads its bounds from here.
"""

from collections.abc import Mapping

from llr.base.records import dataclass

PREFIX = "LLM_ROUTER_"


@dataclass(frozen=True, slots=True)
class Knob:
    """One variable. `also` are older names, asked next; `low`/`high` bound a number; `config` allows it in the file.

    `used` says whether this build acts on it.
    """

    name: str
    kind: str
    default: str
    meaning: str
    low: int | None = None
    high: int | None = None
    also: tuple[str, ...] = ()
    config: bool = False
    used: bool = True

    @property
    def config_name(self) -> str:
        """Returns its name under `metadata.llr.routing`: the variable without prefix, in camelCase."""
        head, *tail = self.name.removeprefix(PREFIX).lower().split("_")
        return head + "".join(word.capitalize() for word in tail)

    @property
    def clamp(self) -> str:
        """Returns its bounds in words, "" when it has none."""
        if self.low is None and self.high is None:
            return ""
        return f"≥ {self.low}" if self.high is None else f"{self.low}…{self.high}"


def _ms(name: str, default: int, meaning: str, low: int = 0, high: int | None = None) -> Knob:
    return Knob(PREFIX + name, "int, ms", str(default), meaning, low, high, config=True)


_KNOBS = (
    Knob(
        "LLM_ROUTER_MAX_REQUEST_BODY_BYTES",
        "int, bytes",
        str(32 * 1024 * 1024),
        "largest request body, counted after decompression",
        4 * 1024,
        256 * 1024 * 1024,
        config=True,
    ),
    _ms("UPSTREAM_TIMEOUT_MS", 300_000, "wait for upstream response headers", 1_000, 3_600_000),
    Knob(
        "LLM_ROUTER_ALLOWED_IPS",
        "comma list",
        "off",
        "client addresses that are let in",
        also=("LLM_ROUTER_IP_ALLOWLIST",),
        config=True,
    ),
    Knob(
        "LLM_ROUTER_CORS_ALLOWED_ORIGINS",
        "comma list",
        "none",
        "origins that browsers may call from",
        also=("LLM_ROUTER_ALLOWED_ORIGINS",),
        config=True,
    ),
    Knob("LLM_ROUTER_CORS_ALLOW_ALL", "bool", "false", "every origin may call", config=True),
    Knob(
        "LLM_ROUTER_DEBUG_ROUTING",
        "bool",
        "false",
        "answers carry headers that explain the routing",
        also=("LLM_ROUTER_DEBUG",),
        config=True,
    ),
    Knob("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", "int", "3", "attempts on the selected candidate", 1, 10, config=True),
    _ms("ORIGIN_RETRY_BASE_DELAY_MS", 250, "first pause between attempts"),
    _ms("ORIGIN_RETRY_MAX_DELAY_MS", 3_000, "longest pause between attempts, at least the first"),
    _ms("ORIGIN_FALLBACK_COOLDOWN_MS", 45_000, "rest after configuration, not-found and memory failures"),
    _ms("ORIGIN_RATE_LIMIT_COOLDOWN_MS", 30_000, "rest after a 429 that names no time"),
    _ms("ORIGIN_BILLING_COOLDOWN_MS", 900_000, "rest after exhausted billing"),
    _ms("ORIGIN_AUTH_COOLDOWN_MS", 600_000, "rest after a refused key"),
    Knob(
        "LLM_ROUTER_ORIGIN_POLICY_COOLDOWN_MS",
        "int, ms",
        "120000",
        "rest after a policy block: nothing rests, the next prompt may pass",
        0,
        config=True,
        used=False,
    ),
    Knob(
        "LLM_ROUTER_ALLOW_POLICY_FALLBACK", "bool", "false", "a policy block moves to the next candidate", config=True
    ),
    Knob(
        "LLM_ROUTER_FALLBACK_CIRCUIT_FAILURES",
        "int",
        "2",
        "failures in a row that open a candidate's circuit, 0 = never",
        0,
        config=True,
    ),
    _ms("FALLBACK_CIRCUIT_COOLDOWN_MS", 30_000, "how long a circuit stays open, 0 = never"),
    Knob("LLM_ROUTER_STATE_BACKEND", "text", "file", "memory, file, sqlite or redis", config=True),
    Knob("LLM_ROUTER_STATE_FILE_PATH", "path", "~/.llm-router.state.json", "file of the routing state", config=True),
    Knob("LLM_ROUTER_STATE_URL", "URL", "none", "address of the redis backend", config=True),
    _ms("CANDIDATE_STATE_TTL_MS", 86_400_000, "how long a candidate's record outlives its last change", 1_000),
    _ms("CONFIG_RELOAD_DEBOUNCE_MS", 300, "quiet time after a config change before it is read", 0, 5_000),
    _ms("DRAIN_TIMEOUT_MS", 30_000, "how long a stop waits for open requests"),
    _ms("HANDOVER_DRAIN_TIMEOUT_MS", 3_600_000, "how long a hand-over waits for open requests"),
    _ms("BINARY_WATCH_INTERVAL_MS", 15_000, "how often the program file is looked at", 1_000),
    Knob("LLM_ROUTER_REQUEST_LOG", "bool", "false", "every request leaves a line in the request log"),
    Knob("LLM_ROUTER_PORT", "int", "8376", "port to listen on", 0, 65_535),
    Knob("LLM_ROUTER_RUNTIME_STATE_PATH", "path", "~/.llm-router.runtime.json", "runtime-state file"),
    Knob("LLM_ROUTER_CLI_PATH", "path", "own argv", "program used for relaunch and service"),
    Knob("LLM_ROUTER_MANAGED_BY_STARTUP", "bool", "false", "set by the OS service"),
    Knob("LLM_ROUTER_LISTEN_FD", "int", "none", "inherited listening socket, set for workers"),
    Knob("LLM_ROUTER_UPDATE_URL", "URL", "none", "release manifest that `llr update` reads"),
    Knob(
        "LLM_ROUTER_UPDATE_PUBKEY", "text", "none", "minisign key, or its file, that every update must be signed with"
    ),
    Knob("LLM_ROUTER_WEB_PORT", "int", "8788", "port of the web console", 0, 65_535, used=False),
    Knob("LLM_ROUTER_LOG_LARGE_REQUESTS", "bool", "false", "log large requests", used=False),
    Knob("LLM_ROUTER_LARGE_REQUEST_LOG_PATH", "path", "beside the config", "where they are logged", used=False),
    Knob("LLM_ROUTER_LARGE_REQUEST_LOG_THRESHOLD_BYTES", "int, bytes", "20971520", "what counts as large", used=False),
    Knob("LLM_ROUTER_DEBUG_AMP_VISIBLE_MODEL_OVERRIDE", "text", "none", "model name shown to AMP", used=False),
    Knob(
        "LLM_ROUTER_CONFIG_JSON",
        "JSON",
        "none",
        "the whole config, in a worker deployment",
        also=("ROUTE_CONFIG_JSON", "LLM_ROUTER_JSON"),
        used=False,
    ),
    Knob("LLM_ROUTER_MASTER_KEY", "text", "none", "master key, in a worker deployment", used=False),
    Knob("LLM_ROUTER_MASTER_KEY_PREVIOUS", "text", "none", "older master key, in a worker deployment", used=False),
    Knob("LLM_ROUTER_PUBLIC_HEALTH", "bool", "false", "health without a key, in a worker deployment", used=False),
    Knob("LLM_ROUTER_WORKER_SAFE_MODE", "bool", "true in a worker", "stateless routing", used=False),
    Knob(
        "LLM_ROUTER_WORKER_ALLOW_BEST_EFFORT_STATEFUL_ROUTING",
        "bool",
        "false",
        "stateful routing in a worker all the same",
        used=False,
    ),
)

# Variable name to knob, in the order status and reference print them.
KNOBS: Mapping[str, Knob] = {knob.name: knob for knob in _KNOBS}

# Names accepted under `metadata.llr.routing`, to their knobs.
CONFIG_NAMES: Mapping[str, Knob] = {knob.config_name: knob for knob in _KNOBS if knob.config}


def knob_of(variable: str) -> Knob | None:
    """Returns the knob that a variable belongs to, by any of its names; None for a variable nobody knows."""
    found = KNOBS.get(variable)
    return found or next((knob for knob in _KNOBS if variable in knob.also), None)


def unused(env: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the set `LLM_ROUTER_*` variables that this build does not act on, known or not, in name order."""
    names = sorted(name for name in env if name.startswith(PREFIX) or knob_of(name) is not None)
    return tuple(name for name in names if (knob := knob_of(name)) is None or not knob.used)
