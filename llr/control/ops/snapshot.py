"""The operations that show a whole machine at once: `snapshot` and `tool-status`."""

from llr.base.jsonio import JSON
from llr.config.schema import Config
from llr.config.settings import settings
from llr.control import listing
from llr.control.call import Call
from llr.control.effective import settings_facts, settings_rows
from llr.control.operation import Reading
from llr.control.ops.startup import status_data, status_of
from llr.control.ops.tools import origin, tool_sections
from llr.control.report import Fields, Outcome, Report, Section, yes
from llr.daemon import instance
from llr.daemon.call import NothingRuns
from llr.daemon.call import call as ask

_PATIENCE_S = 5.0


def _runtime(call: Call, has_key: bool) -> tuple[Section, JSON]:
    running = instance.active(instance.state_path(call.env))
    idle = "(not running)"
    endpoint = origin(call)
    rows = (
        ("Router Endpoint", endpoint),
        ("Running", yes(running is not None)),
        ("Runtime PID", str(running.pid) if running else idle),
        ("Config Path", (running.config_path or "(demo)") if running else idle),
        ("Watch Config", yes(running.watch_config) if running else idle),
        ("Watch Binary", yes(running.watch_binary) if running else idle),
        ("Require Auth", yes(running.require_auth if running else has_key)),
    )
    data: dict[str, JSON] = {
        "endpoint": endpoint,
        "running": running is not None,
        "pid": running.pid if running else None,
        "configPath": running.config_path if running else None,
        "watchConfig": running.watch_config if running else None,
        "watchBinary": running.watch_binary if running else None,
        "requireAuth": running.require_auth if running else has_key,
    }
    return Fields("Runtime", rows), data


def _startup(call: Call) -> tuple[Section, JSON]:
    found = status_of(call)
    rows = (
        ("Installed", yes(found.installed)),
        ("Running", yes(found.running)),
        ("Manager", found.manager),
        ("Service Name", found.service_id or "(none)"),
        ("Detail", found.detail),
    )
    return Fields("Startup", rows), status_data(found)


def _settings(call: Call, config: Config | None) -> tuple[Section, JSON]:
    """Returns the settings in effect: those of the running gateway, else those that one started here would have."""
    running = instance.active(instance.state_path(call.env))
    found: JSON = None
    if running is not None:
        try:
            reply = ask(running, "GET", "/status", timeout_s=_PATIENCE_S)
            found = reply.body.get("settings") if isinstance(reply.body, dict) else None
        except NothingRuns:
            found = None
    if not isinstance(found, dict):
        found = settings_facts(settings(config, call.env))
    return Fields("Settings", settings_rows(found)), found


def _snapshot(call: Call) -> Outcome:
    loaded = listing.read(call)
    config = loaded.parsed.config
    runtime, runtime_data = _runtime(call, bool(config is not None and config.master_key))
    startup, startup_data = _startup(call)
    effective, effective_data = _settings(call, config)
    listed, list_data = listing.whole(loaded)
    tools, tool_data = tool_sections(call)
    data: dict[str, JSON] = {
        "runtime": runtime_data,
        "startup": startup_data,
        "settings": effective_data,
        "config": list_data,
        "tools": tool_data,
    }
    return Outcome(report=Report("Router Snapshot", (runtime, startup, effective, *listed, *tools)), data=data)


def _tools(call: Call) -> Outcome:
    loaded = listing.read(call)
    config = loaded.parsed.config
    has_key = bool(config is not None and config.master_key)
    endpoint = call.args.text("endpoint_url") or origin(call)
    rows = (
        ("Router Endpoint", endpoint),
        ("Config File", loaded.path),
        ("Master Key Configured", yes(has_key)),
    )
    sections, found = tool_sections(call)
    data: dict[str, JSON] = {
        "endpoint": endpoint,
        "configFile": loaded.path,
        "masterKeyConfigured": has_key,
        "tools": found,
    }
    report = Report("Coding Tool Routing Status", (Fields("Overview", rows), *sections))
    return Outcome(report=report, data=data)


SNAPSHOT = Reading(_snapshot)
TOOL_STATUS = Reading(_tools)
