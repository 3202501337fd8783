"""`llr ai-help`: the brief for coding agents. The gateway is asked what is free to ask; the paid probe is opt-in."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from llr.base.jsonio import JSON
from llr.base.redact import scrub
from llr.cli.context import Context
from llr.config.schema import Config
from llr.control import configfile
from llr.control.agentbrief import CLAUDE, HEALTH, OPENAI, RESPONSES, Probe, State, decision_options
from llr.control.agentlines import brief, brief_data
from llr.control.params import Kind, Param
from llr.control.perform import refusals
from llr.control.report import Outcome, refuse
from llr.daemon import instance, ports
from llr.daemon.call import NothingRuns, call
from llr.daemon.instance import Instance

TIMEOUT_MS, LEAST_MS, MOST_MS = 6000, 500, 60_000
PARAMS: tuple[Param, ...] = (
    Param("config", "Config file to describe.", Kind.PATH),
    Param("skip-live-test", "Do not ask the running gateway anything.", Kind.BOOL, default=False),
    Param(
        "live-test-timeout-ms",
        "How long each question may take (default 6000).",
        Kind.INT,
        default=TIMEOUT_MS,
        minimum=LEAST_MS,
        maximum=MOST_MS,
        loose=True,
    ),
    Param(
        "live-test-responses", "Also send one Responses request, which a provider may bill.", Kind.BOOL, default=False
    ),
    Param("gateway-auth-token", "Key for the questions (default: the master key of the config).", Kind.SECRET),
)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the brief. Raises `Refused` only when the config cannot be read."""
    with refusals():
        loaded = configfile.load(args.config, env=context.env, persist=False)
    config = loaded.parsed.config
    if config is None:
        raise refuse("bad-root", f"{loaded.path} holds no config.", "See `llr config validate`.")
    state = _state(args, context, loaded.path, config)
    return Outcome(text=brief(state), data=brief_data(state))


def _state(args: Namespace, context: Context, path: str, config: Config) -> State:
    running = instance.active(instance.state_path(context.env))
    timeout_ms = args.live_test_timeout_ms or TIMEOUT_MS
    executed = running is not None and not args.skip_live_test
    probes: Mapping[str, Probe] = {}
    ready: bool | None = None
    if running is not None and executed:
        options = decision_options(config)
        token = args.gateway_auth_token or _key(running, path, config, context)
        asked = options[0] if options else ""
        probes = _probes(running.origin, token, asked if args.live_test_responses else "", timeout_ms / 1000)
        ready = _dry_check(running, asked)
    address = ports.expected(config, context.env)
    return State(
        config_path=_short(path),
        config=config,
        endpoint=running.origin if running else instance.origin(address.host, address.port),
        running=running is not None,
        require_auth=bool(running and running.require_auth),
        running_config=_short(running.config_path) if running and running.config_path else "(demo)",
        busy_pids=() if running else _busy(address.port),
        mode="executed" if executed else "skipped-by-flag" if args.skip_live_test else "pending-local-server",
        timeout_ms=timeout_ms,
        probes=probes,
        responses_ready=ready,
    )


def _short(path: str) -> str:
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path


def _busy(port: int) -> tuple[int, ...]:
    return tuple(owner.pid for owner in ports.owners(port))


def _key(running: Instance, path: str, config: Config, context: Context) -> str:
    """Returns the master key of the config that the gateway serves, which may be another file."""
    if running.config_path and os.path.realpath(running.config_path) != path:
        with refusals():
            other = configfile.load(running.config_path, env=context.env, persist=False).parsed.config
        config = other or config
    return config.master_key.reveal() if config.master_key else ""


def _dry_check(running: Instance, model: str) -> bool | None:
    """Returns whether a Responses request for the model would find a candidate; nothing is sent upstream."""
    if not model:
        return None
    try:
        reply = call(running, "POST", "/explain", {"model": model, "format": "openai-responses"}, timeout_s=10.0)
    except NothingRuns:
        return None
    found = reply.body.get("candidates") if isinstance(reply.body, dict) else None
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return any(row.get("position") for row in rows)


def _probes(origin: str, token: str, model: str, timeout_s: float) -> dict[str, Probe]:
    questions: dict[str, tuple[str, str, JSON]] = {
        HEALTH: ("GET", "/health", None),
        OPENAI: ("GET", "/openai/v1/models", None),
        CLAUDE: ("GET", "/anthropic/v1/models", None),
    }
    if model:
        questions[RESPONSES] = ("POST", "/openai/v1/responses", {"model": model, "input": "ping"})
    with ThreadPoolExecutor(len(questions)) as pool:
        asked = {name: pool.submit(_ask, origin, question, token, timeout_s) for name, question in questions.items()}
        return {name: future.result() for name, future in asked.items()}


def _ask(origin: str, question: tuple[str, str, JSON], token: str, timeout_s: float) -> Probe:
    method, path, body = question
    parts = urlsplit(origin)
    headers = {"content-type": "application/json"} if body is not None else {}
    if token:
        headers |= {"authorization": f"Bearer {token}", "x-api-key": token}
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        return Probe(reply.status, _message(reply.read(65536)) if reply.status != 200 else "")
    except (OSError, HTTPException) as exc:
        return Probe(error=f"{type(exc).__name__}: {exc}")
    finally:
        connection.close()


def _message(data: bytes) -> str:
    try:
        value = json.loads(data)
    except ValueError:
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    return scrub(" ".join(str(text).split())[:160]) if text else ""
