"""The operation that sets how much Claude Code thinks, whether it is routed or not."""

from llr.base.jsonio import JSON
from llr.control import toolfiles, toolmemory
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.ops.tools import FACES, job_of
from llr.control.report import Fields, Outcome, Report, refuse, yes
from llr.control.toolwiring import Job, bad_file, connect, status
from llr.tools import claude_code
from llr.tools.base import PRIVATE, BadFile, FileEdit, Found
from llr.tools.engine import edited, label_of, parsed, text_of
from llr.tools.levels import CLAUDE_LEVELS
from llr.tools.profile import profile_path, with_block, without_block

FACE = FACES[1]


def _level(call: Call) -> str:
    text = call.args.text("thinking_level")
    if text is None:
        raise refuse("missing-flag", "thinking-level is required.", f"One of {', '.join(CLAUDE_LEVELS)}; empty clears.")
    level = text.strip().lower()
    if level and level not in CLAUDE_LEVELS:
        raise refuse("bad-flag", f"--thinking-level must be one of {', '.join(CLAUDE_LEVELS)}, not '{text}'.")
    return level


def _alone(job: Job, level: str) -> tuple[FileEdit, ...]:
    view, label = toolfiles.DiskView(), label_of(job.tool, job.places)
    try:
        found = view.read(job.places["settings"])
        text = text_of(found, label)
        values = claude_code.effort_values(level, parsed(job.tool, text, label))
        after = edited(job.tool, text, values, label)
    except BadFile as exc:
        raise bad_file(exc) from exc
    if after == text:
        return ()
    return (FileEdit(job.places["settings"], found, Found(after.encode("utf-8"), PRIVATE)),)


def _profile(call: Call, level: str) -> tuple[FileEdit, ...]:
    """Returns the edit of the shell profile: the block only where it was asked for, an old one away where not."""
    path = profile_path(call.env)
    found = toolfiles.DiskView().read(path)
    text = found.data.decode("utf-8", "surrogateescape") if found is not None else ""
    wants = bool(level) and call.args.flag("shell_profile")
    after = with_block(text, level) if wants else without_block(text)
    if after == text:
        return ()
    data = after.encode("utf-8", "surrogateescape")
    return (FileEdit(path, found, Found(data, found.mode if found is not None else 0o644)),)


def _run(call: Call) -> Outcome:
    level = _level(call)
    job, _ = job_of(FACE, call)
    dry_run = call.args.flag("dry_run")
    remembered = toolmemory.read(call.env).of(job.tool.id, job.places)
    profile = _profile(call, level)
    if remembered is not None:
        # Undoing the wiring must know of it.
        binding = {**status(job).binding, "thinking_level": level}
        step = connect(job, binding, dry_run=dry_run, capture=False)
        edits = step.edits
        if not dry_run:
            toolfiles.apply(profile)
    else:
        edits = _alone(job, level)
        if not dry_run:
            toolfiles.apply((*edits, *profile))
    every = (*edits, *profile)
    files: list[JSON] = [edit.path for edit in every]
    data: dict[str, JSON] = {
        "settingsFilePath": job.places["settings"],
        "effortLevel": level or None,
        "shellProfileUpdated": bool(profile),
        "changed": bool(every),
        "dryRun": dry_run,
        "files": files,
    }
    if dry_run:
        diff = toolfiles.shown(every, (job.endpoint.key,))
        text = f"Nothing was written (--dry-run).\n{diff or 'Every file would stay as it is.'}"
        return Outcome(text=text, data={**data, "diff": diff})
    rows = (
        ("Settings File", job.places["settings"]),
        ("Effort Level", level or "(not set)"),
        ("Shell Profile Updated", yes(bool(profile))),
    )
    title = f"Claude Code Effort Level {'Set' if level else 'Cleared'}"
    return Outcome(report=Report(title, (Fields("Overview", rows),)), data=data)


SET_EFFORT = Reading(_run)
