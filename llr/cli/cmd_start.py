"""`llr start`: decide what to serve and where, take lock and sockets, and hand over to the supervisor."""

import os
import secrets
import sys
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from socket import socket as Socket

from llr import __version__
from llr.base.records import dataclass
from llr.base.stamps import stamp
from llr.cli.builder import builder
from llr.cli.context import Context
from llr.cli.launch import SERVING_PARAMS, Launch, make_log
from llr.cli.preparation import Prepared, prepare
from llr.config.schema import Config
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Outcome, Refused, refuse
from llr.daemon import channel, instance, listener, ports, resume, source
from llr.daemon.instance import Instance, Lock
from llr.daemon.listener import BindError
from llr.daemon.log import Log
from llr.daemon.ports import Address
from llr.daemon.resume import Kept, Plan
from llr.daemon.source import Source
from llr.daemon.spawn import READY_FD
from llr.daemon.supervisor import Hold, StartFailed, Supervisor

PARAMS: tuple[Param, ...] = (
    *SERVING_PARAMS,
    Param("allow-insecure-bind", "Listen beyond this machine without a master key.", Kind.BOOL, default=False),
    Param("quiet", "Print no summary on start.", Kind.BOOL, default=False),
    Param("detach", "Serve in the background; returns once the gateway is ready.", Kind.BOOL, default=False),
    Param("here", "Serve from this command even though a startup service is installed.", Kind.BOOL, default=False),
    Param("managed", "Set by a startup service that has no environment.", Kind.BOOL, default=False, hidden=True),
)

# A start takes a quarter of a second; on a busy machine more.
_OTHER_START_S = 1.0

Announce = Callable[[Supervisor], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Run:
    """All that one run of a parent needs."""

    plan: Plan
    hold: Hold
    source: Source
    launch: Launch
    log: Log


def run(args: Namespace, context: Context) -> Outcome:
    """Returns when the gateway has ended. Exit codes: 2 what was asked cannot be, 1 it failed, 0 it was stopped."""
    kept = _passed_on()
    if kept is not None:
        return _resume(args, context, kept)
    if args.workers > 1 and sys.platform == "win32":
        raise refuse("no-workers", "Windows cannot share a socket between processes.", "Leave --workers out.")
    for_service = _for_service(args, context)
    if args.detach and not for_service:
        from llr.cli import detaching

        return detaching.run(args, context)
    prepared, address = decided(args, context)
    if prepared.config is not None:
        from llr.cli.configuration import keep_flags

        # Not before the checks: a start that is refused leaves no flag behind that would refuse the next one too.
        keep_flags(prepared.launch.config_path, args, context, prepared.config)
    if for_service:
        from llr.cli import handoff

        return handoff.run(args, context, prepared, address)
    path = instance.state_path(context.env)
    lock = _lock(path)
    try:
        this = _set_up(args, context, prepared, address, (path, lock))
        # A port that the system chose is gone with the process: nobody should be told to come there.
        return _serve(this, context, prepared, quiet=args.quiet, settled=address.port != 0)
    except StartFailed as exc:
        raise refuse("start-failed", f"LLM Router could not start: {str(exc).rstrip('.')}.", exit_code=FAILED) from exc


def _for_service(args: Namespace, context: Context) -> bool:
    """Returns whether this start belongs to an installed startup service."""
    managed = args.managed or context.env.get("LLM_ROUTER_MANAGED_BY_STARTUP") == "1"
    if args.demo or args.here or managed:
        return False
    from llr.daemon import startup

    return startup.installed(context.env)


def _passed_on() -> Kept | None:
    try:
        return resume.from_env(os.environ)
    except (ValueError, KeyError) as exc:
        raise refuse("resume-failed", f"What the previous version passed on is not understood: {exc}.") from exc


def decided(args: Namespace, context: Context) -> tuple[Prepared, Address]:
    """Returns what would be served and where. Raises `Refused` where that cannot be."""
    prepared = prepare(args, context)
    return prepared, _address(args, context, prepared)


def _address(args: Namespace, context: Context, prepared: Prepared) -> Address:
    try:
        address = ports.choose(args.host, args.port, context.env, prepared.local)
    except ports.AddressError as exc:
        raise refuse("bad-address", str(exc)) from exc
    guarded = prepared.launch.require_auth and prepared.has_master_key
    if not ports.is_loopback(address.host) and not guarded and not args.allow_insecure_bind:
        raise refuse(
            "insecure-bind",
            f"Listening on {address.host} would let everyone who reaches this machine use your keys.",
            "Set a master key with `llr config --operation=set-master-key` and start with --require-auth, "
            "or take the risk with --allow-insecure-bind=true.",
        )
    return address


def _lock(path: str) -> Lock:
    running = instance.active(path)
    try:
        lock = instance.take_lock(path) if running is None else None
    except OSError as exc:
        raise refuse(
            "state-not-writable",
            f"The runtime-state file {path} cannot be kept: {exc.strerror or exc}.",
            "Name a file in a folder that can be written: LLM_ROUTER_RUNTIME_STATE_PATH=/tmp/llr.runtime.json",
            exit_code=FAILED,
        ) from exc
    if lock is None:
        running = running or _about_to_serve(path)
        where = f" at {running.origin}" if running is not None else ""
        raise refuse(
            "already-running",
            f"Another LLM Router instance is already running{where}. Stop it before starting a new one.",
            "`llr stop` stops it, `llr status` shows it. A second one beside it needs a --port, a --log-file and a"
            " file for LLM_ROUTER_RUNTIME_STATE_PATH of its own.",
            exit_code=FAILED,
        )
    return lock


def _about_to_serve(path: str) -> Instance | None:
    """Returns the gateway that holds the lock; one that is just starting says within moments where it is."""
    until = time.monotonic() + _OTHER_START_S
    found = instance.active(path)
    while found is None and time.monotonic() < until:
        time.sleep(_OTHER_START_S / 20)
        found = instance.active(path)
    return found


def _bind(address: Address) -> list[Socket]:
    try:
        return listener.inherited(os.environ) or listener.bind(address)
    except BindError as exc:
        shown = instance.origin(address.host, address.port)
        if not exc.in_use:
            raise refuse(
                "bind-failed", f"Failed to start LLM Router on {shown}: {exc.message}.", exit_code=FAILED
            ) from exc
        owners = ports.owners(address.port)
        # The workers of one gateway all hold it: the first process is enough to know who it is.
        more = f" and {len(owners) - 1} more" if len(owners) > 1 else ""
        by = f" by {owners[0]}{more}" if owners else " by a process that this user may not see"
        how = "" if owners else f" Who holds it: {ports.how_to_look(address.port)}"
        raise refuse(
            "port-in-use",
            f"Failed to start LLM Router on {shown}: the port is in use{by}.",
            f"Choose another one with --port, or free it with `llr reclaim`.{how}",
            exit_code=FAILED,
        ) from exc


def _set_up(args: Namespace, context: Context, prepared: Prepared, address: Address, held: tuple[str, Lock]) -> _Run:
    path, lock = held
    try:
        # What is bound last leaves a socket file behind when something after it is refused.
        log = make_log(prepared.launch)
        sockets = _bind(address)
        code = _code()
        endpoint = channel.bind(path)
    except Refused:
        lock.release()
        raise
    host, port = listener.address_of(sockets[0])
    now = time.time()
    launch = prepared.launch_on(address.host if address.host != "localhost" else host)
    cli_path = context.env.get("LLM_ROUTER_CLI_PATH") or code.launcher.path
    told = Instance(
        pid=os.getpid(),
        host=host,
        port=port,
        config_path=launch.config_path,
        watch_config=launch.watch_config,
        watch_binary=launch.watch_binary,
        require_auth=launch.require_auth,
        managed_by_startup=args.managed or context.env.get("LLM_ROUTER_MANAGED_BY_STARTUP") == "1",
        cli_path=cli_path,
        started_at=stamp(now),
        version=__version__,
        nonce=secrets.token_hex(16),
        supervisor_pid=os.getpid() if args.workers > 1 else None,
        control_socket=endpoint.path,
        control_port=endpoint.port,
        workers=args.workers,
        demo=launch.demo,
        log_file=launch.log_file or None,
        typed=_typed(args),
    )
    plan = Plan(
        state_path=path,
        instance=told,
        worker_args=launch.worker_args(),
        parent_args=("start", *context.tokens),
        cli_path=cli_path,
        workers=args.workers,
        drain_s=prepared.settings.drain_timeout_s,
        handover_drain_s=prepared.settings.handover_drain_timeout_s,
        binary_watch_s=prepared.settings.binary_watch_interval_s,
        began_at=now,
    )
    return _Run(plan, Hold(sockets, endpoint, lock), code, launch, log)


def _typed(args: Namespace) -> tuple[str, ...]:
    """Returns the flags that neither the config keeps nor the state file tells otherwise."""
    flags = {"host": args.host, "port": args.port, "log-format": args.log_format, "log-level": args.log_level}
    insecure = ("--allow-insecure-bind",) if args.allow_insecure_bind else ()
    return (*(f"--{name}={value}" for name, value in flags.items() if value), *insecure)


def _code() -> Source:
    from llr.daemon.snapshot import Changed

    try:
        return source.own()
    except Changed as exc:
        raise refuse("archive-changed", f"{exc}.", "Start again.", exit_code=FAILED) from exc


def _serve(this: _Run, context: Context, prepared: Prepared, *, quiet: bool, settled: bool) -> Outcome:
    async def announce(_supervisor: Supervisor) -> None:
        # A reader of stdout that has gone is no reason not to serve.
        with suppress(OSError):
            for line in () if quiet else prepared.banner(this.plan.instance.origin):
                context.out.line(line)
        if settled and prepared.config is not None:
            _tell_tools(this, prepared.config, context.env)
        this.log.event("ready", origin=this.plan.instance.origin, pid=os.getpid(), workers=this.plan.workers)
        _tell_ready(this.plan)

    return _live(this, announce)


def _tell_tools(this: _Run, config: Config, env: Mapping[str, str]) -> None:
    """Tells coding tools that are wired to this config where it is served now, if that is another place."""
    from llr.control import toolmemory

    if not toolmemory.read(env).wired:
        return
    from llr.control.toolsync import after_start

    for line in after_start(config, this.launch.config_path, this.plan.instance.origin, env):
        this.log.event("tool-followed", what=line)


def _live(this: _Run, announce: Announce, kept: Kept | None = None) -> Outcome:
    import asyncio

    merges = None
    if this.plan.workers > 1:
        from llr.cli.merges import MERGES

        merges = MERGES
    supervisor = Supervisor(this.plan, this.hold, this.source, builder(this.launch, this.log), this.log, merges)
    try:
        code = asyncio.run(supervisor.run(announce, kept))
    finally:
        supervisor.give_back()
    return Outcome(code, text="Server stopped." if code == 0 else "")


def _tell_ready(plan: Plan) -> None:
    """Says READY where someone waits for it: a descriptor of the caller, and systemd."""
    fd = os.environ.pop(READY_FD, "")
    if fd.isdigit():
        line = f"READY {os.getpid()} {__version__} {plan.instance.origin}\n"
        # Who waited may have gone, killed or with its terminal: no reason not to serve.
        with suppress(BrokenPipeError):
            os.write(int(fd), line.encode())
        os.close(int(fd))
    notify(os.environ, f"READY=1\nMAINPID={os.getpid()}")


def notify(env: Mapping[str, str], message: str) -> None:
    """Tells systemd, where it asked for it (sd_notify(3)); without NOTIFY_SOCKET nothing happens."""
    import socket

    path = env.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect("\0" + path[1:] if path.startswith("@") else path)
            sock.send(message.encode())
        except OSError:
            # systemd is gone or the socket is not ours: nobody is waiting then.
            return


def _resume(args: Namespace, context: Context, kept: Kept) -> Outcome:
    """Goes on as the parent that an earlier image of this process was."""
    from llr.base.records import replace
    from llr.cli.launch import from_worker_args

    launch = from_worker_args(args)
    told = replace(kept.plan.instance, version=__version__, supervisor_pid=os.getpid())
    plan = replace(kept.plan, instance=told)
    endpoint = channel.Endpoint(resume.socket_of(kept.control), kept.control_path, kept.control_port)
    os.set_inheritable(kept.lock, False)
    hold = Hold([resume.socket_of(fd) for fd in kept.listen], endpoint, Lock(kept.lock))
    file = kept.file if kept.file is not None and len(kept.file) == 4 else None
    this = _Run(plan, hold, replace(_code(), file=file), launch, make_log(launch))

    async def announce(_supervisor: Supervisor) -> None:
        this.log.event("renewed", pid=os.getpid(), version=__version__)

    return _live(this, announce, kept)
