"""`llr run TOOL -- …`: start a coding tool once through the gateway; its exit code is ours."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from llr.cli import grammar
from llr.cli.briefgateway import brief_gateway
from llr.cli.context import Context, config_path
from llr.control import configfile
from llr.control.configfile import ConfigSyntaxError
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Outcome, refuse
from llr.daemon import instance
from llr.tools.base import Endpoint
from llr.tools.endpoint import normalized
from llr.tools.routes import Route, Routes, routes_of
from llr.tools.runners import RUNNERS, Runner, Start

PARAMS: tuple[Param, ...] = (
    Param("tool", f"What to start: {' or '.join(RUNNERS)}. Words after -- are its own.", positional=True),
    Param("model", "Model to use: an alias or provider/model (default: the config's default).", names="route"),
    Param("config", "Config file, when no gateway runs (default ~/.llm-router.json).", Kind.PATH),
)
# Words after `--` are not ours to read.
TAIL = True
# A gateway without auth takes any key; tools refuse to start without one.
NO_KEY = "no-key-needed"
FORWARDED = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT") if hasattr(signal, name))


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the tool's own exit code; 128 and the signal's number when one ended it."""
    runner = RUNNERS.get(args.tool or "")
    if runner is None:
        text = f"Say which tool to run: {' or '.join(RUNNERS)}."
        if args.tool:
            text = f"There is no tool '{args.tool}' to run{grammar.suggestion(args.tool, RUNNERS)}. {text}"
        raise refuse("missing-flag", text, "For example: `llr run claude -- --help`")
    program = shutil.which(runner.program, path=context.env.get("PATH"))
    if program is None:
        raise refuse("no-tool", f"{runner.program} is not installed.", f"`{runner.install}`", exit_code=FAILED)
    words = _own_words(context.tokens)
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="llr-run-"))
        running = instance.active(instance.state_path(context.env))
        path = config_path(args) if running is None else running.config_path
        demo = running is not None and running.demo
        endpoint, routes = (Endpoint("", NO_KEY), _demo_routes()) if demo else _configured(path, context)
        if running is None:
            origin = stack.enter_context(brief_gateway(path, scratch, context.env))
            print(f"No gateway runs: started one on {origin} until {runner.name} ends.", file=sys.stderr)
        else:
            origin = running.origin
        endpoint = Endpoint(normalized(origin), endpoint.key)
        model = args.model or routes.default
        if not model:
            raise refuse("no-model", f"{path} has no model to use.", "Name one with --model.")
        if not demo and not routes.has(model):
            print(f"The gateway knows no '{model}' and will answer 404.", file=sys.stderr)
        start = Start(endpoint, routes, model, scratch, context.env)
        return Outcome(_started(runner, program, start, words))


def _own_words(tokens: Sequence[str]) -> list[str]:
    found = list(tokens)
    return found[found.index("--") + 1 :] if "--" in found else []


def _demo_routes() -> Routes:
    return Routes({"demo": Route("demo", True)}, "demo")


def _configured(path: str, context: Context) -> tuple[Endpoint, Routes]:
    try:
        loaded = configfile.load(path, env=context.env, persist=False)
    except ConfigSyntaxError as exc:
        raise refuse("bad-json", f"{exc}.", "See `llr config validate`.") from exc
    config = loaded.parsed.config
    if not loaded.exists or config is None or not config.providers:
        raise refuse("no-provider", f"{path} has no enabled provider.", "See `llr config upsert-provider -h`.")
    key = config.master_key.reveal() if config.master_key else NO_KEY
    return Endpoint("", key), routes_of(config)


def _started(runner: Runner, program: str, start: Start, words: Sequence[str]) -> int:
    recipe = runner.recipe(start)
    for path, text in recipe.files.items():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    env = {name: value for name, value in start.env.items() if name not in recipe.env}
    env |= {name: value for name, value in recipe.env.items() if value is not None}
    return child([program, *recipe.args, *words], env)


def child(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Returns the exit code of a child that has our terminal and gets our signals."""
    process = subprocess.Popen(command, env=dict(env))
    with _passing_on(process):
        code = process.wait()
    return 128 - code if code < 0 else code


@contextmanager
def _passing_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Passes signals on for the block. A terminal's Ctrl+C reaches the child by itself, so it is not sent twice."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        typed = number in (signal.SIGINT, getattr(signal, "SIGQUIT", None)) and sys.stdin.isatty()
        if not typed and process.poll() is None:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
