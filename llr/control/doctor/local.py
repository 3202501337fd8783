"""What can be seen without the network: the file, the gateway, the port, and who may ask."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from llr import __version__
from llr.base.errors import GatewayError
from llr.base.jsonio import JSON, InvalidJSON, loads
from llr.base.names import DEFAULT_HOST
from llr.config.knobs import KNOBS, knob_of, unused
from llr.config.schema import Config, Issue, Level, LocalServer, Provider
from llr.config.settings import settings
from llr.control.configfile import ConfigSyntaxError, Loaded, load
from llr.control.doctor.findings import Finding, Grade
from llr.control.validate import above_known, open_to_others
from llr.daemon import instance, ports
from llr.daemon.call import NothingRuns, call
from llr.providers.windows import is_private_host
from llr.routing.suggest import suggestions
from llr.state.opening import DEFAULT_URL, open_store
from llr.state.store import Keys

CONFIG, GATEWAY, AUTH, STATE, ENVIRONMENT = "config", "gateway", "auth", "state", "environment"
# Shorter ones can be guessed over a network.
_LEAST_KEY_CHARS = 16
_STATUS_TIMEOUT_S = 5.0
# A stranger may take the connection and say nothing.
HEALTH_TIMEOUT_S = 1.0
_MOST_HEALTH_BYTES = 4096
# Findings of the config that keep a provider from answering, whatever their level in the file.
_FATAL = frozenset(("env-unset", "credential-missing"))


def look_at_config(path: str, env: Mapping[str, str]) -> tuple[Loaded | None, list[Finding]]:
    """Returns the config, None where there is no usable one, and what is wrong with it."""
    try:
        loaded = load(path, env=env, persist=False)
    except ConfigSyntaxError as exc:
        return None, [Finding(CONFIG, "bad-json", Grade.ERROR, f"{exc}.", "Mend the file, or `llr config undo`.")]
    except OSError as exc:
        fix = "Look at its owner and mode."
        return None, [Finding(CONFIG, "unreadable-config", Grade.ERROR, f"{path}: {exc.strerror}.", fix)]
    if not loaded.exists:
        fix = "Add a provider: `llr config upsert-provider --preset=…`; `llr config presets` lists them."
        return None, [Finding(CONFIG, "no-config", Grade.ERROR, f"{path} does not exist.", fix)]
    config = loaded.parsed.config
    found = [_of_issue(issue) for issue in (*loaded.parsed.issues, *above_known(loaded))]
    count = len(config.providers) if config is not None else 0
    if not count and not any(one.grade is Grade.ERROR for one in found):
        fix = "`llr config upsert-provider --preset=…`; `llr config presets` lists them."
        found.append(Finding(CONFIG, "no-provider", Grade.ERROR, "No provider serves.", fix))
    if not found:
        found = [Finding(CONFIG, "config-ok", Grade.OK, f"{path} is valid: {count} provider(s) serve.")]
    mode = [Finding(CONFIG, one.code, Grade.WARNING, f"{one.message}.", one.hint) for one in open_to_others(loaded)]
    return (loaded if config is not None else None), [*found, *mode]


def _of_issue(issue: Issue) -> Finding:
    serious = issue.level is Level.ERROR or issue.code in _FATAL
    if issue.code == "env-unset":
        fix = "Set it where the gateway is started, a service's own environment included: `export NAME=…`."
        return Finding(CONFIG, issue.code, Grade.ERROR, issue.message, fix, {"path": issue.path})
    fix = issue.hint or f"Mend {issue.path}, then `llr config validate`."
    grade = Grade.ERROR if serious else Grade.WARNING
    return Finding(CONFIG, issue.code, grade, issue.message, fix, {"path": issue.path})


def look_at_gateway(config: Config | None, env: Mapping[str, str]) -> list[Finding]:
    """Returns whether a gateway runs and answers, and who holds the port when none does."""
    running = instance.active(instance.state_path(env))
    if running is not None:
        return _running(running)
    local = config.local_server if config is not None else None
    try:
        port = ports.choose(None, None, env, local or LocalServer()).port
    except ports.AddressError as exc:
        return [Finding(GATEWAY, "bad-address", Grade.ERROR, str(exc), "Give it a port from 1 to 65535.")]
    holders = ports.owners(port) if port else ()
    if holders or (port and ports.busy(port)):
        return [_held(port, ", ".join(map(str, holders)) or "a process that this user may not see")]
    text = f"No gateway runs; port {port} is free." if port else "No gateway runs; it would take any free port."
    return [Finding(GATEWAY, "not-running", Grade.INFO, text, "`llr start`", {"port": port})]


def _held(port: int, by: str) -> Finding:
    if _is_gateway(port):
        text = f"A gateway serves port {port} ({by}), but no state file tells of it, so no command reaches it."
        fix = "Set HOME and LLM_ROUTER_RUNTIME_STATE_PATH as it has them; or `llr reclaim`, then `llr start`."
        return Finding(GATEWAY, "unrecorded", Grade.WARNING, text, fix, {"port": port})
    text = f"No gateway runs, and port {port} is held by {by}."
    fix = f"Stop that, or choose another port: LLM_ROUTER_PORT, or `llr start --port={port + 1}`."
    return Finding(GATEWAY, "port-taken", Grade.ERROR, text, fix, {"port": port})


def _is_gateway(port: int) -> bool:
    """Returns whether what listens on 127.0.0.1 answers `/health` as a gateway does."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        body = loads(connection.getresponse().read(_MOST_HEALTH_BYTES))
    except (OSError, HTTPException, InvalidJSON):
        return False
    finally:
        connection.close()
    return isinstance(body, dict) and body.get("status") == "ok" and "timestamp" in body


def _running(running: instance.Instance) -> list[Finding]:
    facts: dict[str, JSON] = {"origin": running.origin, "pid": running.pid, "version": running.version}
    text = f"A gateway runs at {running.origin} (process {running.pid}, version {running.version})."
    try:
        call(running, "GET", "/status", timeout_s=_STATUS_TIMEOUT_S)
    except NothingRuns as exc:
        found = [Finding(GATEWAY, "no-answer", Grade.ERROR, str(exc), "`llr stop`, then `llr start`.", facts)]
    else:
        found = [Finding(GATEWAY, "running", Grade.OK, text, "", facts)]
    if running.version and running.version != __version__:
        text = f"The running gateway is version {running.version}, this command is {__version__}."
        found.append(Finding(GATEWAY, "other-version", Grade.WARNING, text, "`llr restart`", facts))
    return found


def look_at_surroundings(config: Config, env: Mapping[str, str]) -> list[Finding]:
    """Returns what keeps a gateway from starting though its config is good, and variables that do nothing."""
    found: list[Finding] = []
    path = instance.state_path(env)
    folder = _existing(os.path.dirname(path))
    if instance.active(path) is None and not os.access(folder, os.W_OK):
        text = f"{folder} cannot be written, and a gateway keeps its runtime-state file there."
        fix = "Name a file elsewhere: LLM_ROUTER_RUNTIME_STATE_PATH=/tmp/llr.runtime.json"
        found.append(Finding(STATE, "state-not-writable", Grade.ERROR, text, fix))
    wanted = settings(config, env)
    if wanted.state_backend == "redis":
        try:
            open_store("redis", url=wanted.state_url)
        except GatewayError as exc:
            text = f"No gateway can start: {exc.fault.message}."
            fix = "Or leave LLM_ROUTER_STATE_BACKEND and `metadata.llr.state` out."
            found.append(Finding(STATE, "no-state-store", Grade.ERROR, text, fix))
    for name in unused(env):
        known = knob_of(name) is not None
        near = () if known else suggestions(name, KNOBS, 1)
        text = f"{name} is set and has no effect{' in this build' if known else ': there is no such variable'}."
        fix = f"Did you mean {near[0]}?" if near else "`llr help reference environment` lists them."
        found.append(Finding(ENVIRONMENT, "variable-unused", Grade.INFO if known else Grade.WARNING, text, fix))
    return found


async def look_at_store(config: Config, env: Mapping[str, str], now: float) -> list[Finding]:
    """Returns whether the Redis that gateways share their counts in answers, nothing where none is configured."""
    wanted = settings(config, env)
    if wanted.state_backend != "redis":
        return []
    try:
        from llr.state.redis import RedisStore
        from llr.state.resilient import StoreError
    except ImportError:
        # `look_at_surroundings` says so.
        return []
    url = wanted.state_url or DEFAULT_URL
    store = RedisStore(url)
    try:
        await store.read(Keys(cursors=("doctor",)), now=now)
    except StoreError as exc:
        why = str(exc).rstrip(".")
        text = f"The state store {url} does not answer: {why}. Meanwhile every gateway counts for itself."
        fix = "Start it, or correct LLM_ROUTER_STATE_URL (`metadata.llr.state.url`)."
        return [Finding(STATE, "store-away", Grade.WARNING, text, fix)]
    finally:
        await store.aclose()
    return [Finding(STATE, "store-answers", Grade.OK, f"The state store {url} answers.")]


def _existing(folder: str) -> str:
    """Returns the folder, or the nearest above it that exists."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def look_at_auth(config: Config, env: Mapping[str, str]) -> list[Finding]:
    """Returns whether strangers could use the gateway, and how well its keys are kept."""
    found: list[Finding] = []
    running = instance.active(instance.state_path(env))
    host = running.host if running is not None else (config.local_server.host or DEFAULT_HOST)
    required = running.require_auth if running is not None else config.local_server.require_auth
    key = config.master_key.reveal() if config.master_key else ""
    if not ports.is_loopback(host) and not required:
        text = f"The gateway listens on {host} and asks nobody for a key: whoever reaches it spends your money."
        fix = "`llr config set-master-key --generate-master-key`, then `llr start --require-auth`."
        found.append(Finding(AUTH, "open-to-all", Grade.ERROR, text, fix))
    elif required and not key:
        fix = "`llr config set-master-key --generate-master-key`"
        found.append(Finding(AUTH, "no-master-key", Grade.ERROR, "Auth is required and there is no master key.", fix))
    if key and len(key) < _LEAST_KEY_CHARS:
        text = f"The master key has fewer than {_LEAST_KEY_CHARS} characters."
        fix = "`llr config set-master-key --generate-master-key`"
        found.append(Finding(AUTH, "weak-master-key", Grade.WARNING, text, fix))
    literal = [str(one.id) for one in config.providers if one.api_key]
    if literal:
        text = f"The config itself holds the key of {', '.join(literal)}."
        fix = "`llr config upsert-provider --provider-id=… --api-key-env=NAME --skip-probe` keeps them out of it."
        found.append(Finding(AUTH, "literal-key", Grade.INFO, text, fix))
    for provider in config.providers:
        found += _plain(provider) if provider.key(env) else []
    return found or [Finding(AUTH, "auth-ok", Grade.OK, "Nobody can use the gateway who should not.")]


def _plain(provider: Provider) -> list[Finding]:
    hosts = [host for url in (provider.base_url, *provider.base_url_by_format.values()) if (host := open_host(url))]
    if not hosts:
        return []
    text = f"Keys and prompts travel unencrypted to {hosts[0]}."
    return [Finding(f"provider {provider.id}", "plain-http", Grade.WARNING, text, "Use its https address.")]


def open_host(base_url: str) -> str:
    """Returns the host of an address over which everybody on the way can read along, "" for a safe one."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return host if parts.scheme == "http" and not is_private_host(host) else ""
