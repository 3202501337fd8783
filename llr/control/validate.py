"""The operation `validate`: what is wrong with the config file, without touching it."""

import os
import shlex
import stat

from llr.base.jsonio import JSON
from llr.config.schema import Config, Issue, Level
from llr.control import configfile, issues
from llr.control.call import Call
from llr.control.configfile import ConfigSyntaxError, Loaded
from llr.control.operation import Reading
from llr.control.report import INVALID, OK, Fields, Items, Outcome, Report, yes
from llr.routing.choose import UNBUILT_TYPES

TITLE = "Config Validation"


def run(call: Call) -> Outcome:
    """Returns the report; exit code 2 when the file is no JSON or anything in it is an error."""
    path = configfile.resolve_path(call.config_path)
    try:
        loaded = configfile.load(path, env=call.env, persist=False)
    except ConfigSyntaxError as exc:
        return _unreadable(path, exc)
    return _report(loaded, strict=call.args.flag("strict"))


def _unreadable(path: str, exc: ConfigSyntaxError) -> Outcome:
    rows = (
        ("Config File", path),
        ("Exists", yes(True)),
        ("JSON Parse", "Failed"),
        ("Validation", "Blocked by parse error"),
    )
    text = f"JSON parse error: {exc.reason} (line {exc.line}, column {exc.column})"
    issue: dict[str, JSON] = {"path": "$", "code": "bad-json", "level": "error", "message": text, "hint": ""}
    data: dict[str, JSON] = {"configFile": path, "exists": True, "jsonParse": False, "valid": False, "issues": [issue]}
    sections = (Fields("Overview", rows), Items("Issues", (text,)))
    return Outcome(INVALID, report=Report(TITLE, sections), data=data)


def _report(loaded: Loaded, *, strict: bool) -> Outcome:
    found = (*loaded.parsed.issues, *skipped(loaded), *above_known(loaded), *open_to_others(loaded))
    bad = [issue for issue in found if strict or issue.level is Level.ERROR]
    counts = _counts(loaded.parsed.config)
    verdict = f"Failed ({len(bad)} issue{'s' if len(bad) != 1 else ''})" if bad else "Passed"
    has_key = loaded.parsed.config is not None and bool(loaded.parsed.config.master_key)
    rows = (
        ("Config File", loaded.path),
        ("Exists", yes(loaded.exists)),
        ("JSON Parse", "Passed"),
        ("Validation", verdict),
        ("Schema Version", str(loaded.before_version)),
        ("Providers", str(counts["providers"])),
        ("Model Aliases", str(counts["modelAliases"])),
        ("Rate-Limit Buckets", str(counts["rateLimitBuckets"])),
        ("Master Key Configured", yes(has_key)),
    )
    data: dict[str, JSON] = {
        "configFile": loaded.path,
        "exists": loaded.exists,
        "jsonParse": True,
        "valid": not bad,
        "schemaVersion": loaded.before_version,
        **counts,
        "masterKeyConfigured": has_key,
        "issues": issues.all_json(found),
        "etag": loaded.etag,
    }
    sections = (Fields("Overview", rows), Items("Issues", tuple(map(issues.line, found))))
    return Outcome(INVALID if bad else OK, report=Report(TITLE, sections), data=data)


def skipped(loaded: Loaded) -> tuple[Issue, ...]:
    """Returns which providers this build cannot call, and under which reason requests pass them over."""
    config = loaded.parsed.config
    unbuilt = [] if config is None else [one for one in config.providers if one.type in UNBUILT_TYPES]
    if not unbuilt:
        return ()
    from llr.config.providers import provider_id

    listed = loaded.doc.get("providers")
    entries = enumerate(listed) if isinstance(listed, list) else ()
    places = {provider_id(one, at + 1): f"$.providers[{at}].type" for at, one in entries if isinstance(one, dict)}
    return tuple(
        Issue(
            places.get(one.id, "$.providers"),
            "provider-not-built",
            f"provider {one.id} cannot be called by this build: requests skip it as {UNBUILT_TYPES[one.type]}",
            Level.WARNING,
        )
        for one in unbuilt
    )


def above_known(loaded: Loaded) -> tuple[Issue, ...]:
    """Returns what the catalogue of models has against the config; it is read only where a window is stated."""
    config = loaded.parsed.config
    if config is None or not any(model.context_window for one in config.providers for model in one.models):
        return ()
    from llr.control.catalogue import load_or_builtin
    from llr.providers.windows import window_issues

    return window_issues(config, load_or_builtin(loaded.path)[0])


def open_to_others(loaded: Loaded) -> tuple[Issue, ...]:
    """Returns whether other users of this machine can read keys in the file (a save makes it 0600 again)."""
    config = loaded.parsed.config
    holds_keys = config is not None and (bool(config.master_key) or any(one.api_key for one in config.providers))
    if os.name == "nt" or not loaded.exists or not holds_keys:
        return ()
    mode = stat.S_IMODE(os.stat(loaded.path).st_mode)
    if not mode & 0o077:
        return ()
    text = f"{loaded.path} holds keys and others may read it (mode {mode:04o})"
    return (Issue("$", "config-mode", text, Level.WARNING, f"chmod 600 {shlex.quote(loaded.path)}"),)


def _counts(config: Config | None) -> dict[str, JSON]:
    if config is None:
        return {"providers": 0, "modelAliases": 0, "rateLimitBuckets": 0}
    return {
        "providers": len(config.providers),
        "modelAliases": len(config.aliases),
        "rateLimitBuckets": sum(len(provider.rate_limits) for provider in config.providers),
    }


VALIDATE = Reading(run)
