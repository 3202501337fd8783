"""`llr status`: the running gateway, its effective settings, and what is set but has no effect."""

from argparse import Namespace
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.cli.cmd_reload import issue_line
from llr.cli.context import Context, config_path
from llr.control.effective import settings_rows, value_text
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Fields, Items, Outcome, Problem, Report, Section, Table
from llr.daemon import instance
from llr.daemon.call import NothingRuns, call
from llr.daemon.ports import is_loopback

PARAMS: tuple[Param, ...] = (
    Param("config", "Config file to look at when nothing runs.", Kind.PATH),
    Param("check", "Exit 1 when no gateway runs.", Kind.BOOL, default=False),
)


def _listed(facts: Mapping[str, JSON], name: str) -> tuple[JSON, ...]:
    value = facts.get(name)
    return tuple(value) if isinstance(value, list) else ()


def _lesson(value: JSON) -> str:
    """Returns one lesson: which model, in which wire format, and what is kept from it since."""
    if not isinstance(value, dict):
        return ""
    return f"{value.get('candidate')} ({value.get('wire')}): {value_text(value.get('marks'))}"


def _state(facts: Mapping[str, JSON]) -> str:
    name = value_text(facts.get("stateBackend"))
    return f"{name} (away: each process counts for itself)" if facts.get("stateAway") is True else name


def _refused(facts: Mapping[str, JSON]) -> tuple[Section, ...]:
    """Returns the warning that an older config serves than the one in the file."""
    reason = facts.get("configRefused")
    told = (value_text(reason), "An older version of the file serves. Mend the file, or `llr config undo`.")
    return (Items("Config File Not In Service", told),) if reason else ()


def _sections(facts: Mapping[str, JSON]) -> tuple[Section, ...]:
    rows = settings_rows(facts.get("settings"))
    issues = tuple(map(issue_line, _listed(facts, "issues")))
    learned = tuple(map(_lesson, _listed(facts, "learned")))
    unused = tuple(map(str, _listed(facts, "unusedVariables")))
    unset = tuple(map(str, _listed(facts, "unsetKeyVariables")))
    found: list[Section] = [Fields("Settings", rows)] if rows else []
    if unused:
        found.append(Items("Variables Without Effect In This Build", unused))
    if unset:
        found.append(Items("Key Variables That Are Not Set", unset))
    if learned:
        found.append(Items("Learned From Refusals", learned))
    if issues:
        found.append(Items("Config Issues", issues))
    return tuple(found)


def _version(running: instance.Instance, facts: Mapping[str, JSON]) -> str:
    """Returns the version that answers: after an update the parent of the workers is renewed last."""
    serving = {str(row.get("version")) for row in _listed(facts, "processes") if isinstance(row, dict)}
    if not serving or serving == {running.version}:
        return running.version
    told = ", ".join(sorted(serving))
    return f"{told} (process {running.pid} is still {running.version}: open streams have to end first)"


def overview(running: instance.Instance, facts: Mapping[str, JSON]) -> tuple[tuple[str, str], ...]:
    """Returns what a running gateway is, in the words of the table."""
    return (
        ("Gateway", running.origin),
        *((("Open To", f"Other machines (listens on {running.host})"),) if not is_loopback(running.host) else ()),
        ("Version", _version(running, facts)),
        ("Process ID", str(running.pid)),
        ("Started", running.started_at),
        ("Started By", "Startup service" if running.managed_by_startup else "Manual"),
        ("Log File", running.log_file or "(stderr)"),
        ("Config File", "(demo)" if running.demo else running.config_path),
        ("Local Auth", "Required (Master Key)" if running.require_auth else "Disabled"),
        ("Routing State", _state(facts)),
        ("Config Hot Reload", "Enabled" if running.watch_config else "Disabled"),
    )


def _running(running: instance.Instance, context: Context) -> Outcome:
    try:
        reply = call(running, "GET", "/status")
    except NothingRuns as exc:
        data: dict[str, JSON] = {"running": True, "pid": running.pid, "origin": running.origin}
        return Outcome(FAILED, data=data, problem=Problem("no-answer", str(exc), "`llr stop` ends it."))
    facts = reply.body if isinstance(reply.body, dict) else {}
    processes = Table(
        "Processes",
        ("Process ID", "Version", "Open Connections", "Open Requests"),
        tuple(
            tuple(str(row.get(name, "")) for name in ("pid", "version", "connections", "requests"))
            for row in _listed(facts, "processes")
            if isinstance(row, dict)
        ),
    )
    report = Report(
        "LLM Router Status",
        (Fields("Overview", overview(running, facts)), *_refused(facts), processes, *_sections(facts)),
    )
    told: dict[str, JSON] = {
        "running": True,
        **facts,
        "origin": running.origin,
        "startedAt": running.started_at,
        "managedByStartup": running.managed_by_startup,
        "logFile": running.log_file,
        "configFile": running.config_path or None,
        "requireAuth": running.require_auth,
        "watchConfig": running.watch_config,
        "demo": running.demo,
    }
    return Outcome(report=report, data=told)


def _idle(args: Namespace, context: Context) -> Outcome:
    from llr.cli.configuration import look

    facts = look(config_path(args), context.env)
    rows = (("Gateway", "(not running)"), ("Config File", value_text(facts.get("configFile"))))
    report = Report("LLM Router Status", (Fields("Overview", rows), *_sections(facts)))
    return Outcome(FAILED if args.check else 0, report=report, data={"running": False, **facts})


def run(args: Namespace, context: Context) -> Outcome:
    """Returns what runs. Nothing running is no failure unless `--check` asks for one."""
    running = instance.active(instance.state_path(context.env))
    return _idle(args, context) if running is None else _running(running, context)
