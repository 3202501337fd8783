"""Operations on the service of the operating system that starts the gateway."""

from collections.abc import Iterator
from contextlib import contextmanager

from llr.base.jsonio import JSON
from llr.control import listing
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.report import FAILED, Fields, Items, Outcome, Report, Section, refuse, yes
from llr.daemon import startup
from llr.daemon.startup import StartupError, Status


@contextmanager
def _refusals() -> Iterator[None]:
    """Words what a service manager refuses."""
    try:
        yield
    except StartupError as exc:
        raise refuse("startup", exc.message, exc.fix, exit_code=FAILED) from exc


def status_data(found: Status) -> dict[str, JSON]:
    """Returns the state of the service as JSON."""
    hints: list[JSON] = list(found.hints)
    return {
        "manager": found.manager,
        "serviceName": found.service_id or None,
        "installed": found.installed,
        "running": found.running,
        "serviceFile": found.file_path or None,
        "detail": found.detail,
        "hints": hints,
    }


def status_of(call: Call) -> Status:
    """Returns the state of the service; manager `unsupported` where there is none. Raises `Refused`."""
    with _refusals():
        return startup.status(call.env)


def _outcome(title: str, rows: tuple[tuple[str, str], ...], found: Status, **data: JSON) -> Outcome:
    notes: tuple[Section, ...] = (Items("Notes", found.hints),) if found.hints else ()
    report = Report(title, (Fields("Overview", rows), *notes))
    return Outcome(report=report, data={**status_data(found), **data})


def _status(call: Call) -> Outcome:
    found = status_of(call)
    rows = (
        ("Startup Manager", found.manager),
        ("Service Name", found.service_id or "(none)"),
        ("Installed", yes(found.installed)),
        ("Running", yes(found.running)),
        ("Service File", found.file_path or "(not created)"),
        ("Details", found.detail),
    )
    return _outcome("OS Startup Service Status", rows, found)


def _install(call: Call) -> Outcome:
    loaded = listing.read(call)
    config = loaded.parsed.config
    if not loaded.exists:
        raise refuse("config-not-found", f"Config file not found: {loaded.path}.")
    if config is None or not config.providers:
        raise refuse("no-provider", f"{loaded.path} has no enabled provider.", "See `llr config upsert-provider -h`.")
    local = config.local_server
    watch_config, watch_binary = call.args.choice("watch_config"), call.args.choice("watch_binary")
    require_auth = call.args.choice("require_auth")
    auth = local.require_auth if require_auth is None else require_auth
    if auth and not config.master_key:
        text = "masterKey is missing while require-auth=true."
        raise refuse("no-master-key", text, "Set one with `llr config set-master-key`.")
    with _refusals():
        found = startup.install(
            config_path=loaded.path,
            env=call.env,
            watch_config=watch_config,
            watch_binary=watch_binary,
            require_auth=require_auth,
        )
    watch_config = local.watch_config if watch_config is None else watch_config
    watch_binary = local.watch_binary if watch_binary is None else watch_binary
    rows = (
        ("Startup Manager", found.manager),
        ("Service Name", found.service_id),
        ("Service File", found.file_path),
        ("Start Target", f"llr start --config={loaded.path}"),
        ("Config Hot Reload", "Enabled" if watch_config else "Disabled"),
        ("Binary Auto-Restart", "Enabled" if watch_binary else "Disabled"),
        ("Local API Auth", "Required (Master Key)" if auth else "Disabled"),
    )
    more: dict[str, JSON] = {
        "changed": found.changed,
        "configFile": loaded.path,
        "watchConfig": watch_config,
        "watchBinary": watch_binary,
        "requireAuth": auth,
    }
    return _outcome("OS Startup Service Installed", rows, found, **more)


def _uninstall(call: Call) -> Outcome:
    with _refusals():
        found = startup.uninstall(call.env)
    rows = (
        ("Startup Manager", found.manager),
        ("Service Name", found.service_id),
        ("Service File", found.file_path),
    )
    return _outcome("OS Startup Service Uninstalled", rows, found)


STATUS = Reading(_status)
INSTALL = Reading(_install, confirm=lambda _doc, _args: ("Start the gateway with your session from now on?", True))
UNINSTALL = Reading(_uninstall, confirm=lambda _doc, _args: ("Remove the startup service?", False))
