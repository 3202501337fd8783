"""`llr start` where a startup service is installed: the service gets the gateway, with what was typed."""

import time
from argparse import Namespace

from llr import __version__
from llr.base.jsonio import JSON
from llr.cli.cmd_stop import stop_running
from llr.cli.context import Context
from llr.cli.preparation import Prepared
from llr.control.report import FAILED, Fields, Items, Outcome, Report, refuse
from llr.daemon import instance, startup
from llr.daemon.instance import Instance
from llr.daemon.ports import Address
from llr.daemon.startup import StartupError

READY_S = 8.0
_POLL_S = 0.125


def run(args: Namespace, context: Context, prepared: Prepared, address: Address) -> Outcome:
    """Returns once the service serves what was asked for. Raises `Refused` when it does not."""
    path = instance.state_path(context.env)
    running = instance.active(path)
    if running is not None and not running.managed_by_startup:
        stop_running(running, path, now=False)
        context.out.line(f"Process {running.pid} was stopped, so that the startup service can own the gateway.")
    try:
        done = startup.install(
            config_path=prepared.launch.config_path,
            watch_config=args.watch_config,
            watch_binary=args.watch_binary,
            require_auth=args.require_auth,
            extra=_extra(args),
            drain_s=prepared.settings.drain_timeout_s,
            env=context.env,
        )
        found = instance.active(path)
        if not done.changed and not (found is not None and found.version == __version__):
            startup.restart(context.env)
    except StartupError as exc:
        raise refuse("startup-failed", exc.message, exc.fix, exit_code=FAILED) from exc
    ready = _await(path, prepared, address)
    where = instance.origin(address.host, address.port)
    if ready is None:
        raise refuse(
            "startup-not-ready",
            f"Startup-managed LLM Router did not become ready on {where}.",
            "See `llr logs` and `llr config startup-status`; `llr start --here` serves in this terminal.",
            exit_code=FAILED,
        )
    return _report(ready, done)


def _report(ready: Instance, done: startup.Status) -> Outcome:
    rows = (("Gateway", ready.origin), ("Manager", done.manager), ("Service", done.service_id))
    title = f"Startup-managed LLM Router is active on {ready.origin}"
    hints: list[JSON] = list(done.hints)
    data: dict[str, JSON] = {
        "mode": "startup-managed",
        "pid": ready.pid,
        "origin": ready.origin,
        "manager": done.manager,
        "serviceName": done.service_id,
        "hints": hints,
    }
    return Outcome(report=Report(title, (Fields("Overview", rows), Items("Hints", done.hints))), data=data)


def _extra(args: Namespace) -> tuple[str, ...]:
    """Returns the other flags that were typed, so that what is installed is what runs."""
    typed = {"host": args.host, "port": args.port}
    flags = [f"--{name}={value}" for name, value in typed.items() if value]
    if args.workers > 1:
        flags.append(f"--workers={args.workers}")
    if args.log_format != "text":
        flags.append(f"--log-format={args.log_format}")
    if args.log_level != "info":
        flags.append(f"--log-level={args.log_level}")
    if args.allow_insecure_bind:
        flags.append("--allow-insecure-bind=true")
    return tuple(flags)


def _await(path: str, prepared: Prepared, address: Address) -> Instance | None:
    until = time.monotonic() + READY_S
    while True:
        found = instance.active(path)
        if found is not None and _matches(found, prepared, address):
            return found
        if time.monotonic() >= until:
            return None
        time.sleep(_POLL_S)


def _matches(found: Instance, prepared: Prepared, address: Address) -> bool:
    launch = prepared.launch
    return (
        found.managed_by_startup
        and found.version == __version__
        and address.port in (0, found.port)
        and found.config_path == launch.config_path
        and (found.watch_config, found.watch_binary) == (launch.watch_config, launch.watch_binary)
        and found.require_auth == launch.require_auth
    )
