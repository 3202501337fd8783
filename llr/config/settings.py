"""Effective knobs: environment, else `metadata.llr.routing` of the config, else the default.

Law: integers are read from their leading digits; what is missing, negative or no number gives the next source;
what is out of bounds is moved into them.
"""

import re
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.names import FALSE_WORDS, TRUE_WORDS
from llr.config.grammar import scalar_text
from llr.config.knobs import KNOBS, PREFIX, Knob
from llr.config.schema import Config, Settings

_DIGITS = re.compile(r"\+?(\d{1,15})")


def settings(config: Config | None, env: Mapping[str, str]) -> Settings:
    """Returns every knob's effective value; without a config only environment and defaults count."""
    read = _Reader(config.routing if config is not None else {}, env)
    defaults = Settings()
    base = read.seconds("ORIGIN_RETRY_BASE_DELAY_MS", defaults.retry_base_s)
    timeout = read.integer("UPSTREAM_TIMEOUT_MS")
    state = config.state if config is not None else {}
    return Settings(
        max_body_bytes=read.integer("MAX_REQUEST_BODY_BYTES") or defaults.max_body_bytes,
        upstream_first_byte_s=None if timeout is None else timeout / 1000,
        allowed_ips=_allow_list(read.listed("ALLOWED_IPS")),
        cors_origins=_origins(read),
        debug_routing=read.boolean("DEBUG_ROUTING", defaults.debug_routing),
        retry_attempts=read.integer("ORIGIN_RETRY_ATTEMPTS") or defaults.retry_attempts,
        retry_base_s=base,
        retry_max_s=max(base, read.seconds("ORIGIN_RETRY_MAX_DELAY_MS", defaults.retry_max_s)),
        fallback_cooldown_s=read.seconds("ORIGIN_FALLBACK_COOLDOWN_MS", defaults.fallback_cooldown_s),
        rate_limit_cooldown_s=read.seconds("ORIGIN_RATE_LIMIT_COOLDOWN_MS", defaults.rate_limit_cooldown_s),
        billing_cooldown_s=read.seconds("ORIGIN_BILLING_COOLDOWN_MS", defaults.billing_cooldown_s),
        auth_cooldown_s=read.seconds("ORIGIN_AUTH_COOLDOWN_MS", defaults.auth_cooldown_s),
        allow_policy_fallback=read.boolean("ALLOW_POLICY_FALLBACK", defaults.allow_policy_fallback),
        circuit_failures=_or(read.integer("FALLBACK_CIRCUIT_FAILURES"), defaults.circuit_failures),
        circuit_cooldown_s=read.seconds("FALLBACK_CIRCUIT_COOLDOWN_MS", defaults.circuit_cooldown_s),
        reload_debounce_s=read.seconds("CONFIG_RELOAD_DEBOUNCE_MS", defaults.reload_debounce_s),
        drain_timeout_s=read.seconds("DRAIN_TIMEOUT_MS", defaults.drain_timeout_s),
        handover_drain_timeout_s=read.seconds("HANDOVER_DRAIN_TIMEOUT_MS", defaults.handover_drain_timeout_s),
        binary_watch_interval_s=read.seconds("BINARY_WATCH_INTERVAL_MS", defaults.binary_watch_interval_s),
        state_backend=_backend(read, state) or defaults.state_backend,
        state_path=read.text("STATE_FILE_PATH") or scalar_text(state.get("path")) or None,
        state_url=read.text("STATE_URL") or scalar_text(state.get("url")) or None,
        candidate_state_ttl_s=read.seconds("CANDIDATE_STATE_TTL_MS", defaults.candidate_state_ttl_s),
        request_log=read.boolean("REQUEST_LOG", config is not None and config.request_log),
    )


def parse_integer(text: str) -> int | None:
    """Returns the leading digits of a text as a number, None when it starts with none or is negative."""
    found = _DIGITS.match(text.strip())
    return int(found.group(1)) if found else None


def parse_boolean(text: str) -> bool | None:
    """Returns what a word means, None for any other word."""
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    return False if word in FALSE_WORDS else None


class _Reader:
    """Looks one knob up: its variable, its older names, then the config."""

    def __init__(self, routing: Mapping[str, JSON], env: Mapping[str, str]) -> None:
        self._routing, self._env = routing, env

    def integer(self, name: str) -> int | None:
        knob = KNOBS[PREFIX + name]
        for text in self._texts(knob):
            found = parse_integer(text)
            if found is not None:
                found = found if knob.low is None else max(knob.low, found)
                return found if knob.high is None else min(knob.high, found)
        return None

    def seconds(self, name: str, default: float) -> float:
        found = self.integer(name)
        return default if found is None else found / 1000

    def boolean(self, name: str, default: bool) -> bool:
        for text in self._texts(KNOBS[PREFIX + name]):
            found = parse_boolean(text)
            if found is not None:
                return found
        return default

    def text(self, name: str) -> str:
        return next(iter(self._texts(KNOBS[PREFIX + name])), "")

    def listed(self, name: str) -> tuple[str, ...]:
        value = self._routing.get(KNOBS[PREFIX + name].config_name)
        from_env = next(iter(self._variables(KNOBS[PREFIX + name])), "")
        if from_env:
            parts = from_env.split(",")
        elif isinstance(value, list):
            parts = [item for item in value if isinstance(item, str)]
        else:
            parts = scalar_text(value).split(",")
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def _variables(self, knob: Knob) -> list[str]:
        return [text for name in (knob.name, *knob.also) if (text := self._env.get(name, "").strip())]

    def _texts(self, knob: Knob) -> list[str]:
        written = scalar_text(self._routing.get(knob.config_name)) if knob.config else ""
        return [*self._variables(knob), *([written] if written else [])]


def _or(found: int | None, default: int) -> int:
    return default if found is None else found


def _allow_list(listed: tuple[str, ...]) -> tuple[str, ...]:
    return () if "*" in listed else listed


def _origins(read: _Reader) -> tuple[str, ...]:
    if read.boolean("CORS_ALLOW_ALL", False):
        return ("*",)
    listed = read.listed("CORS_ALLOWED_ORIGINS")
    return ("*",) if "*" in listed else listed


def _backend(read: _Reader, state: Mapping[str, JSON]) -> str | None:
    for word in (read.text("STATE_BACKEND").lower(), scalar_text(state.get("backend"))):
        if word in {"memory", "file", "sqlite", "redis"}:
            return word
    return None
