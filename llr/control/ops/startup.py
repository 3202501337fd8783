"""Operations on the service of the operating system that starts the gateway."""

from dataclasses import dataclass
from importlib.util import find_spec

from llr.base.jsonio import JSON
from llr.control import listing
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.report import Fields, Outcome, Report, refuse, yes
from llr.control.seams import part

MODULE = "llr.daemon.startup"


@dataclass(frozen=True, slots=True)
class Status:
    """What a service manager says of the gateway's service."""

    manager: str
    service: str
    installed: bool
    running: bool
    file: str
    detail: str

    def data(self) -> dict[str, JSON]:
        """Returns the same as JSON."""
        return {
            "manager": self.manager,
            "serviceName": self.service or None,
            "installed": self.installed,
            "running": self.running,
            "serviceFile": self.file or None,
            "detail": self.detail,
        }


def status_of(call: Call) -> Status:
    """Returns the state of the service; manager `unsupported` where there is none."""
    if find_spec(MODULE) is None:
        return Status("unsupported", "", False, False, "", "OS startup is not in this build yet.")
    found = part(MODULE, "OS startup").status(call.env)
    return Status(found.manager, found.service_id, found.installed, found.running, found.file_path, found.detail)


def _status(call: Call) -> Outcome:
    found = status_of(call)
    rows = (
        ("Startup Manager", found.manager),
        ("Service Name", found.service or "(none)"),
        ("Installed", yes(found.installed)),
        ("Running", yes(found.running)),
        ("Service File", found.file or "(not created)"),
        ("Details", found.detail),
    )
    report = Report("OS Startup Service Status", (Fields("Overview", rows),))
    return Outcome(report=report, data=found.data())


def _install(call: Call) -> Outcome:
    loaded = listing.read(call)
    config = loaded.parsed.config
    if not loaded.exists:
        raise refuse("config-not-found", f"Config file not found: {loaded.path}.")
    if config is None or not config.providers:
        raise refuse("no-provider", f"{loaded.path} has no enabled provider.", "See `llr config upsert-provider -h`.")
    auth = call.args.flag("require_auth")
    if auth and not config.master_key:
        text = "masterKey is missing while require-auth=true."
        raise refuse("no-master-key", text, "Set one with `llr config set-master-key`.")
    watch_config = call.args.choice("watch_config") is not False
    watch_binary = call.args.choice("watch_binary") is not False
    done = part(MODULE, "OS startup").install(
        config_path=loaded.path,
        watch_config=watch_config,
        watch_binary=watch_binary,
        require_auth=auth,
        env=call.env,
    )
    rows = (
        ("Startup Manager", done.manager),
        ("Service Name", done.service_id),
        ("Service File", done.file_path),
        ("Start Target", f"llr start --config={loaded.path}"),
        ("Config Hot Reload", "Enabled" if watch_config else "Disabled"),
        ("Binary Auto-Restart", "Enabled" if watch_binary else "Disabled"),
        ("Local API Auth", "Required (Master Key)" if auth else "Disabled"),
    )
    data: dict[str, JSON] = {
        "manager": done.manager,
        "serviceName": done.service_id,
        "serviceFile": done.file_path,
        "configFile": loaded.path,
        "watchConfig": watch_config,
        "watchBinary": watch_binary,
        "requireAuth": auth,
    }
    return Outcome(report=Report("OS Startup Service Installed", (Fields("Overview", rows),)), data=data)


def _uninstall(call: Call) -> Outcome:
    done = part(MODULE, "OS startup").uninstall(call.env)
    rows = (
        ("Startup Manager", done.manager),
        ("Service Name", done.service_id),
        ("Service File", done.file_path),
    )
    data: dict[str, JSON] = {
        "manager": done.manager,
        "serviceName": done.service_id,
        "serviceFile": done.file_path,
    }
    return Outcome(report=Report("OS Startup Service Uninstalled", (Fields("Overview", rows),)), data=data)


STATUS = Reading(_status)
INSTALL = Reading(_install, confirm=lambda _doc, _args: ("Start the gateway with your session from now on?", True))
UNINSTALL = Reading(_uninstall, confirm=lambda _doc, _args: ("Remove the startup service?", False))
