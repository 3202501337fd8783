"""Knobs: environment before config before default, parsed leniently, moved into their bounds."""

from typing import Any

import pytest

from llr.config.knobs import CONFIG_NAMES, KNOBS, knob_of, unused
from llr.config.parse import parse_config
from llr.config.schema import Config, Settings
from llr.config.settings import settings


def config(**routing: Any) -> Config:
    found = parse_config({"metadata": {"llr": {"routing": routing}}}, {}).config
    assert found is not None
    return found


def test_nothing_set_gives_the_defaults() -> None:
    assert settings(None, {}) == settings(config(), {}) == Settings()


P = "LLM_ROUTER_"
CASES: list[tuple[str, str, str, Any]] = [
    ("MAX_REQUEST_BODY_BYTES", "1", "max_body_bytes", 4096),
    ("MAX_REQUEST_BODY_BYTES", "99999999999", "max_body_bytes", 256 * 1024 * 1024),
    ("MAX_REQUEST_BODY_BYTES", "5000 bytes", "max_body_bytes", 5000),
    ("UPSTREAM_TIMEOUT_MS", "1", "upstream_first_byte_s", 1.0),
    ("UPSTREAM_TIMEOUT_MS", "9999999", "upstream_first_byte_s", 3600.0),
    ("UPSTREAM_TIMEOUT_MS", "-5", "upstream_first_byte_s", None),
    ("UPSTREAM_TIMEOUT_MS", "soon", "upstream_first_byte_s", None),
    ("ORIGIN_RETRY_ATTEMPTS", "0", "retry_attempts", 1),
    ("ORIGIN_RETRY_ATTEMPTS", "99", "retry_attempts", 10),
    ("ORIGIN_RETRY_ATTEMPTS", "2.9", "retry_attempts", 2),
    ("ORIGIN_RETRY_ATTEMPTS", "", "retry_attempts", 3),
    ("ORIGIN_RETRY_BASE_DELAY_MS", "0", "retry_base_s", 0.0),
    ("ORIGIN_RETRY_BASE_DELAY_MS", "9000", "retry_max_s", 9.0),
    ("ORIGIN_RETRY_MAX_DELAY_MS", "1", "retry_max_s", 0.25),
    ("ORIGIN_FALLBACK_COOLDOWN_MS", "0", "fallback_cooldown_s", 0.0),
    ("ORIGIN_RATE_LIMIT_COOLDOWN_MS", "1000", "rate_limit_cooldown_s", 1.0),
    ("ORIGIN_BILLING_COOLDOWN_MS", "1000", "billing_cooldown_s", 1.0),
    ("ORIGIN_AUTH_COOLDOWN_MS", "1000", "auth_cooldown_s", 1.0),
    ("ALLOW_POLICY_FALLBACK", "Yes", "allow_policy_fallback", True),
    ("ALLOW_POLICY_FALLBACK", "maybe", "allow_policy_fallback", False),
    ("FALLBACK_CIRCUIT_FAILURES", "0", "circuit_failures", 0),
    ("FALLBACK_CIRCUIT_COOLDOWN_MS", "0", "circuit_cooldown_s", 0.0),
    ("CONFIG_RELOAD_DEBOUNCE_MS", "0", "reload_debounce_s", 0.0),
    ("CONFIG_RELOAD_DEBOUNCE_MS", "9999", "reload_debounce_s", 5.0),
    ("CONFIG_RELOAD_DEBOUNCE_MS", "-1", "reload_debounce_s", 0.3),
    ("DRAIN_TIMEOUT_MS", "100", "drain_timeout_s", 0.1),
    ("HANDOVER_DRAIN_TIMEOUT_MS", "100", "handover_drain_timeout_s", 0.1),
    ("BINARY_WATCH_INTERVAL_MS", "1", "binary_watch_interval_s", 1.0),
    ("CANDIDATE_STATE_TTL_MS", "5000", "candidate_state_ttl_s", 5.0),
    ("STATE_BACKEND", "Memory", "state_backend", "memory"),
    ("STATE_BACKEND", "tape", "state_backend", "file"),
    ("STATE_FILE_PATH", "/s", "state_path", "/s"),
    ("STATE_URL", "redis://h", "state_url", "redis://h"),
    ("DEBUG_ROUTING", "on", "debug_routing", True),
    ("DEBUG", "1", "debug_routing", True),
    ("ALLOWED_IPS", " 10.0.0.1, ::1 ,", "allowed_ips", ("10.0.0.1", "::1")),
    ("IP_ALLOWLIST", "10.0.0.2", "allowed_ips", ("10.0.0.2",)),
    ("ALLOWED_IPS", "10.0.0.1,*", "allowed_ips", ()),
    ("CORS_ALLOWED_ORIGINS", "https://a,https://b", "cors_origins", ("https://a", "https://b")),
    ("ALLOWED_ORIGINS", "https://a,*", "cors_origins", ("*",)),
    ("CORS_ALLOW_ALL", "true", "cors_origins", ("*",)),
]


@pytest.mark.parametrize(("name", "text", "field", "value"), CASES)
def test_the_environment(name: str, text: str, field: str, value: Any) -> None:
    assert getattr(settings(None, {P + name: text}), field) == value


@pytest.mark.parametrize(("name", "text", "field", "value"), CASES)
def test_the_config_means_the_same(name: str, text: str, field: str, value: Any) -> None:
    knob = knob_of(P + name)
    assert knob is not None
    assert knob.config
    assert getattr(settings(config(**{knob.config_name: text}), {}), field) == value


def test_the_environment_wins() -> None:
    both = config(originRetryAttempts=5, allowedIps=["1.1.1.1"])
    assert settings(both, {}).retry_attempts == 5
    assert settings(both, {}).allowed_ips == ("1.1.1.1",)
    assert settings(both, {P + "ORIGIN_RETRY_ATTEMPTS": "7", P + "ALLOWED_IPS": "2.2.2.2"}).retry_attempts == 7
    assert settings(both, {P + "ORIGIN_RETRY_ATTEMPTS": "many"}).retry_attempts == 5


def test_the_older_name_is_asked_second() -> None:
    env = {P + "DEBUG": "true", P + "DEBUG_ROUTING": "false"}
    assert settings(None, env).debug_routing is False


def test_state_may_stand_in_its_own_block() -> None:
    found = parse_config({"state": {"backend": "redis", "url": "redis://h"}}, {}).config
    assert found is not None
    assert settings(found, {}).state_backend == "redis"
    assert settings(found, {P + "STATE_BACKEND": "memory"}).state_backend == "memory"
    assert settings(found, {}).state_url == "redis://h"


def test_every_knob_is_explained_and_readable_in_camel_case() -> None:
    assert all(knob.meaning and knob.default for knob in KNOBS.values())
    assert all(knob.name.startswith(P) for knob in KNOBS.values())
    assert "originRetryBaseDelayMs" in CONFIG_NAMES
    assert KNOBS[P + "ORIGIN_RETRY_ATTEMPTS"].clamp == "1…10"


def test_variables_that_do_nothing_here_are_listed() -> None:
    env = {P + "WEB_PORT": "1", P + "NONSENSE": "1", P + "PORT": "1", "PATH": "/bin", "ROUTE_CONFIG_JSON": "{}"}
    assert unused(env) == (P + "NONSENSE", P + "WEB_PORT", "ROUTE_CONFIG_JSON")
