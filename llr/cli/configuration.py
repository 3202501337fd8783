"""The config file as `start` and `status` see it: loaded, told about, and typed flags kept."""

from argparse import Namespace
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.config import knobs
from llr.config.migrate import CURRENT_VERSION
from llr.config.schema import Config, Doc, Level
from llr.config.settings import settings as effective
from llr.control import configfile, issues
from llr.control.configfile import ConfigSyntaxError, Loaded
from llr.control.effective import settings_facts
from llr.control.report import FAILED, refuse
from llr.control.validate import open_to_others, skipped

# Of a config with more wrong than this, a start names no more.
TOLD_ISSUES = 20

# Flags of `start` that are kept in the config when someone typed them, and their keys under metadata.localServer.
_KEPT_FLAGS = {"watch_config": "watchConfig", "watch_binary": "watchBinary", "require_auth": "requireAuth"}


def _load(path: str, env: Mapping[str, str]) -> Loaded:
    try:
        return configfile.load(path, env=env)
    except ConfigSyntaxError as exc:
        raise refuse("bad-json", f"Failed to load config from {path}: {exc}.", "See `llr config validate`.") from exc
    except OSError as exc:
        fix = "Look at its owner and mode; --config names another file."
        raise refuse("unreadable-config", f"Failed to load config from {path}: {exc.strerror or exc}.", fix) from exc


def load_for_start(path: str, context: Context) -> Config:
    """Returns the config to serve. What was done to the file is said.

    Raises `Refused` (2) for a file without a usable config.
    """
    loaded = _load(path, context.env)
    if loaded.migrated:
        step = f"from v{loaded.before_version} to v{CURRENT_VERSION}"
        if loaded.persist_error:
            text = f"Config auto-migrated {step} for this run, but could not be saved to {path}: "
            context.out.note("error", text + loaded.persist_error)
        else:
            context.out.line(f"Config auto-migrated {step} and saved to {path}.")
    for issue in open_to_others(loaded):
        context.out.note("warn", f"{issue.message}: {issue.hint}")
    config = loaded.parsed.config
    if config is None:
        found = "; ".join(map(issues.line, loaded.parsed.issues))
        raise refuse("bad-config", f"Failed to load config from {path}: {found}.", "See `llr config validate`.")
    _tell_issues(loaded, context)
    return config


def _tell_issues(loaded: Loaded, context: Context) -> None:
    """Says what of the config does not serve: its errors, keys that are not set, providers that cannot be called."""
    errors = [issue for issue in loaded.parsed.issues if issue.level is Level.ERROR or issue.code == "env-unset"]
    told = [*errors, *skipped(loaded)]
    for issue in told[:TOLD_ISSUES]:
        context.out.note("warn", issues.line(issue).removeprefix("warning: "))
    if len(told) > TOLD_ISSUES:
        context.out.note("warn", f"{len(told) - TOLD_ISSUES} more; `llr config validate` names them.")


def keep_flags(path: str, args: Namespace, context: Context, config: Config) -> None:
    """Writes typed flags into the config of a start that can go on. Raises `Refused` (1) when that fails."""
    if args.managed or context.env.get("LLM_ROUTER_MANAGED_BY_STARTUP") == "1":
        # What a service was installed with was typed long ago; the config may have changed since.
        return
    local = config.local_server
    changed: dict[str, JSON] = {
        key: getattr(args, flag)
        for flag, key in _KEPT_FLAGS.items()
        if getattr(args, flag) is not None and getattr(args, flag) != getattr(local, flag)
    }
    if not changed:
        return
    from llr.control.perform import refusals  # only when a flag has to be kept

    try:
        with refusals():
            configfile.edit(path, lambda doc: _with_local_server(doc, changed))
    except OSError as exc:
        text = f"The flags {', '.join(changed)} cannot be written to {path}: {exc.strerror or exc}."
        raise refuse("config-not-written", text, exit_code=FAILED) from exc


def _with_local_server(doc: Doc, changed: Mapping[str, JSON]) -> Doc:
    """Returns the document with these values; what equals the default is left out."""
    metadata = doc.get("metadata")
    outer = dict(metadata) if isinstance(metadata, dict) else {}
    before = outer.get("localServer")
    defaults: dict[str, JSON] = {"watchConfig": True, "watchBinary": True, "requireAuth": False}
    local = {**(before if isinstance(before, dict) else {}), **changed}
    outer["localServer"] = {key: value for key, value in local.items() if defaults.get(key, value is None) != value}
    if not outer["localServer"]:
        del outer["localServer"]
    fresh = {**doc, "metadata": outer}
    if not outer:
        del fresh["metadata"]
    return fresh


# Settings that a process takes up once, and where the config has them; host, port and watching stand by themselves.
_TAKEN_ONCE = {
    "state_backend": "state.backend",
    "state_path": "state.path",
    "state_url": "state.url",
    "candidate_state_ttl_s": "routing.candidateStateTtlMs",
    "reload_debounce_s": "routing.configReloadDebounceMs",
    "drain_timeout_s": "routing.drainTimeoutMs",
    "handover_drain_timeout_s": "routing.handoverDrainTimeoutMs",
    "binary_watch_interval_s": "routing.binaryWatchIntervalMs",
}


def waiting_keys(first: Config, now: Config, env: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the keys of a changed config that take effect only when the gateway is started again."""
    kept = {"host": "host", "port": "port", "watchConfig": "watch_config", "watchBinary": "watch_binary"}
    local = [key for key, name in kept.items() if _differ(first.local_server, now.local_server, name)]
    before, after = effective(first, env), effective(now, env)
    once = [f"metadata.llr.{key}" for name, key in _TAKEN_ONCE.items() if _differ(before, after, name)]
    carrier = ["metadata.llr.carrierKeyFile"] if first.carrier_key_file != now.carrier_key_file else []
    return (*(f"metadata.localServer.{key}" for key in local), *once, *carrier)


def _differ(one: object, other: object, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


def config_facts(config: Config | None, env: Mapping[str, str]) -> dict[str, JSON]:
    """Returns what `status` tells about a config and an environment."""
    unset: list[JSON] = list(issues.unset_variables(config, env))
    unused: list[JSON] = list(knobs.unused(env))
    return {
        "settings": settings_facts(effective(config, env)),
        "unusedVariables": unused,
        "unsetKeyVariables": unset,
    }


def look(path: str, env: Mapping[str, str]) -> dict[str, JSON]:
    """Returns the same without a running gateway; the file is not written."""
    try:
        loaded = configfile.load(path, env=env, persist=False)
    except (ConfigSyntaxError, OSError) as exc:
        text = f"{path}: {exc.strerror or exc}" if isinstance(exc, OSError) else str(exc)
        issue: dict[str, JSON] = {"path": "$", "level": "error", "code": "unreadable", "message": text, "hint": ""}
        return {"configFile": path, "configExists": True, **config_facts(None, env), "issues": [issue]}
    return {
        "configFile": loaded.path,
        "configExists": loaded.exists,
        **config_facts(loaded.parsed.config, env),
        "issues": issues.all_json(loaded.parsed.issues),
    }
