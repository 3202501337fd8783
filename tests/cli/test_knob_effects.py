"""The routing knobs, from the environment and from the config file, seen through the built archive.

`SHOWN` here and `ELSEWHERE` at the end name every knob that this build acts on and the config may hold.
"""

import contextlib
import http.client
import time
from collections.abc import Callable
from typing import Any

import pytest

from llr.config.knobs import CONFIG_NAMES, PREFIX
from tests.cli.life import Gateway, Life
from tests.cli.providers import Providers, ask, write
from tests.conftest import ROOT

SHOWN: set[str] = set()
Start = Callable[..., Gateway]


@pytest.fixture(params=["environment", "config"])
def start(request: pytest.FixtureRequest, archived: Life, providers: Providers) -> Start:
    """Starts a gateway with knobs, named without their prefix, set in one of the two places."""

    def started(doc: dict[str, Any] | None = None, **knobs: str) -> Gateway:
        found = doc or providers.document()
        if request.param == "environment":
            archived.env.update({PREFIX + name: value for name, value in knobs.items()})
        else:
            named = {knob.name.removeprefix(PREFIX): key for key, knob in CONFIG_NAMES.items()}
            found["metadata"]["llr"]["routing"] |= {named[name]: value for name, value in knobs.items()}
        write(archived, found)
        return archived.start()

    return started


def shows(*names: str) -> Callable[[Any], Any]:
    """Marks a test as what shows these knobs."""
    SHOWN.update(names)
    return lambda test: test


def rest_of(life: Life, name: str) -> tuple[str, float]:
    """Returns why a candidate rests, and for how many seconds."""
    row = next(row for row in life.json("cooldowns")["data"]["cooldowns"] if row["name"].startswith(name))
    return row["reason"], row["secondsLeft"]


@shows(
    *("ORIGIN_RATE_LIMIT_COOLDOWN_MS", "ORIGIN_BILLING_COOLDOWN_MS", "ORIGIN_AUTH_COOLDOWN_MS"),
    "ORIGIN_FALLBACK_COOLDOWN_MS",
)
@pytest.mark.parametrize(
    ("status", "name"),
    [(429, "RATE_LIMIT"), (402, "BILLING"), (401, "AUTH"), (404, "FALLBACK")],
)
def test_how_long_a_failure_rests(start: Start, archived: Life, providers: Providers, status: int, name: str) -> None:
    providers.status["a"] = status
    assert ask(start(**{f"ORIGIN_{name}_COOLDOWN_MS": "7000000"}))[0] == 200
    assert 6900 < rest_of(archived, "a")[1] <= 7000


@shows("FALLBACK_CIRCUIT_FAILURES", "FALLBACK_CIRCUIT_COOLDOWN_MS")
def test_when_a_circuit_opens_and_for_how_long(start: Start, archived: Life, providers: Providers) -> None:
    providers.status["a"] = 500
    gateway = start(FALLBACK_CIRCUIT_FAILURES="1", FALLBACK_CIRCUIT_COOLDOWN_MS="7000000")
    assert [ask(gateway)[0] for _ in range(2)] == [200, 200]
    assert providers.counts() == [1, 2, 0]
    assert 6900 < rest_of(archived, "a")[1] <= 7000


@shows("ORIGIN_RETRY_ATTEMPTS", "ORIGIN_RETRY_BASE_DELAY_MS", "ORIGIN_RETRY_MAX_DELAY_MS", "DEBUG_ROUTING")
def test_how_often_and_how_soon_again(start: Start, providers: Providers) -> None:
    providers.status["a"] = 500
    doc = providers.document()
    doc["metadata"]["llr"]["routing"] = {}
    pauses = {"ORIGIN_RETRY_BASE_DELAY_MS": "1", "ORIGIN_RETRY_MAX_DELAY_MS": "2"}
    began = time.monotonic()
    status, told = ask(start(doc, ORIGIN_RETRY_ATTEMPTS="9", DEBUG_ROUTING="yes", **pauses))
    assert status == 200
    assert providers.counts() == [9, 1, 0]
    assert "a/m:500/temporary_error#8" in told["x-llm-router-attempts"]
    # Eight pauses of the default length would take eight seconds on average.
    assert time.monotonic() - began < 5


@shows("ALLOW_POLICY_FALLBACK")
@pytest.mark.parametrize(("value", "status"), [("on", 200), ("off", 403)])
def test_a_policy_block_moves_on_or_not(start: Start, providers: Providers, value: str, status: int) -> None:
    providers.status["a"], providers.says = 403, "blocked by the content policy"
    assert ask(start(ALLOW_POLICY_FALLBACK=value))[0] == status


@shows("UPSTREAM_TIMEOUT_MS")
def test_how_long_a_head_may_take(start: Start, providers: Providers) -> None:
    doc = providers.document(targets=["a/m"])
    providers.open.clear()
    began = time.monotonic()
    assert ask(start(doc, UPSTREAM_TIMEOUT_MS="1000"))[0] == 504
    assert time.monotonic() - began < 15


@shows("ALLOWED_IPS")
@pytest.mark.parametrize(("value", "status"), [("10.0.0.0/8", 403), ("10.0.0.1, 127.0.0.1", 200), ("*", 200)])
def test_who_is_let_in(start: Start, value: str, status: int) -> None:
    assert ask(start(ALLOWED_IPS=value))[0] == status


@shows("CORS_ALLOWED_ORIGINS", "CORS_ALLOW_ALL")
@pytest.mark.parametrize(
    ("knob", "value", "allowed"),
    [
        ("CORS_ALLOWED_ORIGINS", "https://a.example,https://b.example", "https://b.example"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example", None),
        ("CORS_ALLOW_ALL", "true", "*"),
    ],
)
def test_which_pages_may_call(start: Start, knob: str, value: str, allowed: str | None) -> None:
    gateway = start(**{knob: value})
    with contextlib.closing(http.client.HTTPConnection(*gateway.address, timeout=20)) as connection:
        asked = {"origin": "https://b.example", "access-control-request-method": "POST"}
        connection.request("OPTIONS", "/v1/chat/completions", headers=asked)
        answer = connection.getresponse()
        answer.read()
    assert answer.getheader("access-control-allow-origin") == allowed


@shows("MAX_REQUEST_BODY_BYTES")
def test_how_long_a_request_may_be(start: Start) -> None:
    gateway = start(MAX_REQUEST_BODY_BYTES="5000")
    assert gateway.get("/v1/chat/completions", method="POST", body=b" " * 6000)[0] == 413
    assert ask(gateway)[0] == 200


ELSEWHERE = {
    "STATE_BACKEND": "tests/cli/test_shared_limits.py",
    "STATE_FILE_PATH": "tests/cli/test_shared_limits.py",
    "STATE_URL": "tests/cli/test_shared_limits.py",
    "DRAIN_TIMEOUT_MS": "tests/cli/test_serve_config.py",
    "BINARY_WATCH_INTERVAL_MS": "tests/cli/test_life.py",
    "CONFIG_RELOAD_DEBOUNCE_MS": "tests/control/test_configwatch.py",
    "HANDOVER_DRAIN_TIMEOUT_MS": "tests/config/test_settings.py",
    "CANDIDATE_STATE_TTL_MS": "tests/config/test_settings.py",
}


def test_every_knob_is_shown_somewhere() -> None:
    knobs = {knob.name.removeprefix(PREFIX) for knob in CONFIG_NAMES.values() if knob.used}
    assert knobs == SHOWN | set(ELSEWHERE)
    assert all((ROOT / path).is_file() for path in ELSEWHERE.values())
