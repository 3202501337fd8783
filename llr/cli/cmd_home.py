"""Bare `llr`: where things stand, and what to do next. The exit code is 0 whatever it finds."""

import os
from argparse import Namespace

from llr import __version__
from llr.base.jsonio import JSON
from llr.cli.context import Context, config_path
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Fields, Items, Outcome, Report, refuse
from llr.daemon import instance

# Flags of the web console, which people may know and this build does not have.
CONSOLE_PARAMS: tuple[Param, ...] = tuple(
    Param(name, "Of the web console, which is not in this build yet.", kind, hidden=True)
    for name, kind in (
        ("host", Kind.TEXT),
        ("port", Kind.TEXT),
        ("open", Kind.BOOL),
        ("router-watch-config", Kind.BOOL),
        ("router-watch-binary", Kind.BOOL),
        ("router-require-auth", Kind.BOOL),
        ("allow-remote-clients", Kind.BOOL),
    )
)
PARAMS: tuple[Param, ...] = (
    Param("config", "Config file to look at (default ~/.llm-router.json).", Kind.PATH),
    *CONSOLE_PARAMS,
)


def _steps(running: instance.Instance | None, exists: bool) -> tuple[str, ...]:
    if running is not None:
        return (
            "See details: llr status",
            "After an edit of the config: llr reload",
            "Stop it: llr stop",
        )
    if exists:
        return ("Check the config: llr config validate", "Run the gateway: llr start", "All commands: llr --help")
    return (
        "Try it with built-in models: llr start --demo",
        "Add a provider: llr config upsert-provider --preset=openrouter --api-key-env=OPENROUTER_API_KEY",
        "Let a coding agent do it: llr ai-help",
        "All commands: llr --help",
    )


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the status and the next steps. Raises `Refused` for flags that only the web console has."""
    if any(getattr(args, param.dest) is not None for param in CONSOLE_PARAMS):
        raise refuse("not-built", "The web console is not in this build yet.", exit_code=FAILED)
    path = config_path(args)
    exists = os.path.exists(path)
    running = instance.active(instance.state_path(context.env))
    steps = _steps(running, exists)
    rows = (
        ("Version", __version__),
        ("Config File", path if exists else f"{path} (not created)"),
        ("Gateway", f"running on {running.origin} (process {running.pid})" if running else "(not running)"),
    )
    next_steps: list[JSON] = list(steps)
    data: dict[str, JSON] = {
        "version": __version__,
        "configFile": path,
        "configExists": exists,
        "running": running is not None,
        "origin": running.origin if running else None,
        "pid": running.pid if running else None,
        "nextSteps": next_steps,
    }
    return Outcome(report=Report("LLM Router", (Fields("Overview", rows), Items("Next Steps", steps))), data=data)
