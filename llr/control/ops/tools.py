"""Operations that route coding tools through the gateway, and the rows about them in reports."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.schema import Config
from llr.control import listing
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.report import Fields, Items, Outcome, Report, Section, refuse, yes
from llr.control.toolwiring import Job, Step, bindings, connect, disconnect, status
from llr.daemon import instance, ports
from llr.tools import claude_code, codex, factory_droid
from llr.tools.base import Binding, Endpoint, Tool, ToolStatus
from llr.tools.endpoint import endpoint, normalized
from llr.tools.routes import Routes, routes_of

INHERITED = "Inherit Codex CLI model"
NONE = "No model selected"


@dataclass(frozen=True, slots=True)
class Face:
    """How a tool looks on the command line: flags by role of file, labels of what it is bound to.

    `file_label` names its settings file in reports, `rows` (label, fact) are rows before the bindings.
    """

    tool: Tool
    files: Mapping[str, str]
    file_label: str
    labels: Mapping[str, str]
    rows: tuple[tuple[str, str], ...] = ()
    last: tuple[tuple[str, str], ...] = ()


FACES: tuple[Face, ...] = (
    Face(
        codex.TOOL,
        {"settings": "codex_config_file", "catalog": "codex_model_catalog_file"},
        "Config File",
        {"default_model": "Model Binding", "thinking_level": "Thinking Level"},
        last=(("Model Catalog", "configuredModelCatalogJson"),),
    ),
    Face(
        claude_code.TOOL,
        {"settings": "claude_code_settings_file"},
        "Settings File",
        {
            "primary_model": "Primary Model",
            "default_opus_model": "Default Opus",
            "default_sonnet_model": "Default Sonnet",
            "default_haiku_model": "Default Haiku",
            "subagent_model": "Subagent Model",
            "thinking_level": "Thinking Level",
        },
    ),
    Face(
        factory_droid.TOOL,
        {"settings": "factory_droid_settings_file"},
        "Settings File",
        {
            "default_model": "Default Model",
            "mission_orchestrator_model": "Mission Orchestrator",
            "mission_worker_model": "Mission Worker",
            "mission_validator_model": "Mission Validator",
            "reasoning_effort": "Reasoning Effort",
        },
        rows=(("Provider", "configuredProvider"),),
    ),
)


def origin(call: Call) -> str:
    """Returns where clients of this machine reach the gateway: the running one, else where it would listen."""
    running = instance.active(instance.state_path(call.env))
    if running is not None:
        return running.origin
    address = ports.expected(listing.read(call).parsed.config, call.env)
    return instance.origin(address.host, address.port)


def job_of(face: Face, call: Call, *, needs_key: bool = False) -> tuple[Job, Config | None]:
    """Returns a tool in its place with the gateway it is told. Raises `Refused`."""
    loaded = listing.read(call)
    config = loaded.parsed.config
    stored = config.master_key.reveal() if config is not None and config.master_key else ""
    key = call.args.text("master_key") or stored
    if needs_key and not key:
        text = f"master-key (or config.masterKey) is required before routing {face.tool.name} through LLM Router."
        raise refuse("no-master-key", text, "Make one: `llr config set-master-key --generate-master-key`.")
    typed = {role: call.args.text(flag) or "" for role, flag in face.files.items()}
    url = call.args.text("endpoint_url") or origin(call)
    try:
        where = endpoint(url, key or "-", face.tool.name)
    except ValueError as exc:
        raise refuse("bad-endpoint", str(exc)) from exc
    places = face.tool.homes(call.env, typed)
    return Job(face.tool, places, Endpoint(where.origin, key), routes_of(config), loaded.path, call.env), config


def typed_binding(face: Face, call: Call) -> Binding:
    """Returns the bindings somebody typed; an empty one clears. Raises `Refused` for a level the tool does not know."""
    found: dict[str, str] = {}
    for name, values in face.tool.flags.items():
        text = call.args.text(name)
        if text is None:
            continue
        text = "" if text.strip().lower() in ("", "none") and "none" not in values else text.strip()
        if values and text and text.lower() not in values:
            flag = name.replace("_", "-")
            raise refuse("bad-flag", f"--{flag} must be one of {', '.join(values)}, not '{text}'.")
        found[name] = text.lower() if values else text
    mission = (call.args.text("mission_model") or "").strip()
    for name in (name for name in face.tool.flags if name.startswith("mission_") and mission):
        found.setdefault(name, mission)
    return found


def _defaults(face: Face, typed: Binding, routes: Routes) -> Binding:
    if face.tool is codex.TOOL:
        return {"default_model": routes.default}
    if face.tool is claude_code.TOOL:
        return {"primary_model": routes.default}
    model = typed.get("default_model") or routes.default
    return dict.fromkeys((name for name in face.tool.models), model)


def _set(face: Face, call: Call) -> Outcome:
    enabled = call.args.choice("enabled") is not False
    dry_run = call.args.flag("dry_run")
    job, _ = job_of(face, call, needs_key=enabled)
    if not enabled:
        step = disconnect(job, dry_run=dry_run)
        return _outcome(face, job, step, "Disabled", ())
    typed = typed_binding(face, call)
    binding = bindings(job, typed, _defaults(face, typed, job.routes))
    step = connect(job, binding, dry_run=dry_run)
    return _outcome(face, job, step, "Enabled", _warnings(face, job, binding))


def _warnings(face: Face, job: Job, binding: Binding) -> tuple[str, ...]:
    found = [
        f"{face.labels[name]}: the gateway knows no '{binding[name]}' and will answer 404."
        for name in face.tool.models
        if binding.get(name) and binding[name] != codex.INHERIT and not job.routes.has(binding[name])
    ]
    return (*found, *_guessed(face, job, binding), *overridden(face.tool, job.env, job.endpoint))


def _guessed(face: Face, job: Job, binding: Binding) -> tuple[str, ...]:
    """Returns a warning where the tool will take a context window for granted that nobody knows."""
    model = claude_code.main_model(binding) if face.tool is claude_code.TOOL else ""
    route = job.routes.find(model)
    if route is None or route.context_window or model.startswith("claude-"):
        return ()
    text = f"The context window of '{model}' is not known: {face.tool.name} will assume one."
    return (f"{text} Tell it with `llr config upsert-provider --model-context-windows`.",)


def overridden(tool: Tool, env: Mapping[str, str], where: Endpoint) -> tuple[str, ...]:
    """Returns warnings about variables of this shell that win over what the file says."""
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL") if tool is claude_code.TOOL else ()
    found = [name for name in names if env.get(name) and normalized(env[name]) != f"{where.origin}/anthropic"]
    return tuple(f"{name} is set in this shell and may win over the settings file." for name in found)


def _outcome(face: Face, job: Job, step: Step, verb: str, warnings: tuple[str, ...]) -> Outcome:
    files: list[JSON] = [edit.path for edit in step.edits]
    found = status(job)
    data: dict[str, JSON] = {
        **_status_data(found),
        "enabled": verb == "Enabled",
        "dryRun": step.diff is not None,
        "changed": bool(step.edits),
        "files": files,
        "backupRestored": step.restored,
        "warnings": list(warnings),
    }
    if step.diff is not None:
        text = f"Nothing was written (--dry-run).\n{step.diff or 'Every file would stay as it is.'}"
        return Outcome(text=text, data={**data, "diff": step.diff})
    rows = [(face.file_label, job.places["settings"])]
    rows += [("Backup File", job.places["backup"])] if "backup" in job.places else []
    if verb == "Enabled":
        rows += [("Catalog File", job.places["catalog"])] if "catalog" in job.places else []
        rows += [("Base URL", found.base_url), *_binding_rows(face, found)]
    else:
        rows.append(("Backup Restored", yes(step.restored)))
    sections: list[Section] = [Fields("Overview", tuple(rows))]
    written = tuple(edit.path for edit in step.edits if edit.after is not None)
    removed = tuple(edit.path for edit in step.edits if edit.after is None)
    if written or not removed:
        sections.append(Items("Files Written", written, "Nothing had to change."))
    if removed:
        sections.append(Items("Files Removed", removed))
    if warnings:
        sections.append(Items("Warnings", warnings))
    return Outcome(report=Report(f"{face.tool.name} Routing {verb}", tuple(sections)), data=data)


def _binding_rows(face: Face, found: ToolStatus) -> list[tuple[str, str]]:
    rows = [(label, str(found.facts.get(fact) or "(none)")) for label, fact in face.rows]
    for name, label in face.labels.items():
        text = found.binding.get(name, "")
        empty = NONE if name in face.tool.models else "(not set)"
        rows.append((label, INHERITED if text == codex.INHERIT else text or empty))
    return rows


def _camel(name: str) -> str:
    """Returns a binding's name as JSON has it."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _status_data(found: ToolStatus) -> dict[str, JSON]:
    kind = "config" if found.tool == codex.ID else "settings"
    binding: JSON = {_camel(name): text for name, text in found.binding.items()}
    return {
        "tool": found.tool,
        f"{kind}FilePath": found.places.get("settings"),
        "backupFilePath": found.places.get("backup"),
        f"{kind}Exists": found.exists,
        "backupExists": found.backup_exists,
        "routedViaRouter": found.routed,
        "configuredBaseUrl": found.base_url,
        **found.facts,
        "bindings": binding,
        "tokenMatches": found.token_matches,
        "error": found.error or None,
    }


def tool_sections(call: Call) -> tuple[tuple[Section, ...], dict[str, JSON]]:
    """Returns the section of every tool, and the same as JSON by tool id; an unreadable file is told in both."""
    sections: list[Section] = []
    data: dict[str, JSON] = {}
    for face in FACES:
        section, data[face.tool.id] = _section(face, call)
        sections.append(section)
    return tuple(sections), data


def _section(face: Face, call: Call) -> tuple[Section, JSON]:
    job, _ = job_of(face, call)
    found = status(job)
    rows = [("Routed Via Router", yes(found.routed)), (face.file_label, job.places["settings"])]
    rows += [("Backup File", job.places["backup"])] if "backup" in job.places else []
    rows += [("Base URL", found.base_url or "(none)"), *_binding_rows(face, found)]
    rows += [(label, str(found.facts.get(fact) or "(none)")) for label, fact in face.last]
    if found.token_matches is False:
        rows.append(("Key", "is not the gateway's: route the tool again"))
    if found.error:
        rows.append(("Error", found.error))
    return Fields(face.tool.name, tuple(rows)), _status_data(found)


SET_CODEX = Reading(lambda call: _set(FACES[0], call))
SET_CLAUDE = Reading(lambda call: _set(FACES[1], call))
SET_DROID = Reading(lambda call: _set(FACES[2], call))
