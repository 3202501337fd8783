"""The composition root of a serving process: config, store, transport and gateway become one `App`."""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from random import Random

from llr import __version__
from llr.base.clock import SystemClock
from llr.base.ids import RandomIds
from llr.base.jsonio import JSON
from llr.base.records import dataclass, replace
from llr.cli import carrierkey
from llr.cli.configuration import config_facts, waiting_keys
from llr.cli.eventlog import all_of, log_observer
from llr.cli.launch import Launch
from llr.cli.rows import cooldown_routes, explain_routes, peer_routes
from llr.cli.stores import Chosen, counts_alone, open_chosen, state_routes
from llr.config.mask import is_secret_header
from llr.config.schema import Config, Issue, Level
from llr.config.settings import settings as effective
from llr.control import catalogue, configfile, issues
from llr.control.activity import Activity, ActivityFile, activity_path, log_beside
from llr.control.configfile import Loaded
from llr.control.configwatch import Accepted, ConfigWatch, Refused, Reload, Signature, Unchanged, file_signature
from llr.control.report import refuse
from llr.control.requestlog import RequestLog, prices
from llr.daemon import descriptors
from llr.daemon.channel import Answer, Answerer, Ask
from llr.daemon.log import Log
from llr.daemon.ports import is_loopback
from llr.daemon.serving import App
from llr.daemon.spawn import READY_FD
from llr.daemon.workers import HOLDER, holder_of
from llr.gateway.app import Gateway
from llr.gateway.deps import ConfigHolder, Deps, Line
from llr.net.client import Client
from llr.net.limits import ServerLimits
from llr.net.server import Server
from llr.providers.auth import StaticCredentials
from llr.providers.prepare import custom_headers
from llr.routing.cooldowns import clear_ops
from llr.wire.http import Request, Response

# Errors of a new config that are logged one by one.
LOGGED_ISSUES = 20


async def build_app(launch: Launch, log: Log) -> App:
    """Returns the app of this process. Raises `Refused` when there is no config to serve or no store to be had."""
    limits = ServerLimits(max_connections=descriptors.connection_cap(descriptors.raise_limit()))
    # Who waits for READY names a descriptor; that is no setting of this gateway's.
    env = {name: value for name, value in os.environ.items() if name != READY_FD}
    route_logging(log)
    upstream: Server | None = None
    # Before it is read: what is written from here on is a change, however early.
    seen = None if launch.demo else file_signature(launch.config_path)
    if launch.demo:
        upstream, loaded = await _demo(env)
    else:
        loaded = configfile.load(launch.config_path, env=env)
    config = loaded.parsed.config
    if config is None:
        found_wrong = "; ".join(map(issues.line, loaded.parsed.issues))
        raise refuse("bad-config", f"{loaded.path} is not usable: {found_wrong}.", "See `llr config validate`.")
    found = effective(config, env)
    clock = SystemClock()
    chosen = open_chosen(found, clock, config_path=launch.config_path, demo=launch.demo, workers=launch.workers)
    if chosen.name == "memory" and launch.workers > 1 and not launch.demo:
        log.warn("state-not-shared", advice="each worker counts for itself; file, sqlite and redis are shared")
    client = Client(env)
    kept = None if launch.demo else ActivityFile(activity_path(launch.config_path))
    activity = Activity(kept.write) if kept is not None else None
    requests = None if launch.demo else RequestLog(log_beside(launch.config_path, "requests"))
    observers = [each for each in (log_observer(log), activity, requests) if each is not None]
    deps = Deps(
        configs=ConfigHolder(_known(launch, config, log), found, env=env),
        store=chosen.store,
        transport=client,
        credentials=StaticCredentials(env),
        clock=clock,
        rng=Random(),
        ids=RandomIds(),
        observe=all_of(*observers),
        failures_only=not log.shows("debug"),
        require_auth=launch.require_auth,
        bound_hosts=(launch.host,),
        carrier_key=_carrier_key(launch, config, log),
        started_at=clock.now(),
        version=__version__,
        holder=holder_of(os.environ.pop(HOLDER, ""), os.getpid()),
    )
    live = _Live(launch, log, env, deps, chosen, client, upstream, activity, kept, requests)
    live.know(config)
    live.watch_file(loaded, found.reload_debounce_s, seen)
    return App(live.handle, live.aclose, limits, found.drain_timeout_s, live.routes(), live.join)


def _known(launch: Launch, config: Config, log: Log) -> Config:
    """Returns the config as it serves: with the context windows that only the catalogue of models knows."""
    known, wrong = catalogue.with_windows(config, launch.config_path)
    if wrong:
        log.warn("catalogue-ignored", reason=wrong)
    return known


async def _demo(env: Mapping[str, str]) -> tuple[Server, Loaded]:
    """Returns the running embedded upstream and the config that points at it."""
    from llr.config.parse import parse_config
    from llr.control.demo import demo_doc, demo_handler
    from llr.daemon import listener
    from llr.daemon.ports import Address
    from llr.net.server import serve

    sock = listener.bind(Address("127.0.0.1", 0))[0]
    doc = demo_doc(listener.address_of(sock)[1])
    server = await serve(demo_handler(RandomIds(), SystemClock()), sock)
    return server, Loaded("", doc, parse_config(doc, env), configfile.ABSENT, exists=False)


def _carrier_key(launch: Launch, config: Config, log: Log) -> bytes:
    if launch.demo:
        return carrierkey.DEMO_KEY
    path = carrierkey.key_path(launch.config_path, config.carrier_key_file)
    try:
        return carrierkey.load_or_make(path)
    except OSError as exc:
        import secrets

        log.warn("carrier-not-kept", path=path, reason=exc.strerror or str(exc))
        return secrets.token_bytes(carrierkey.KEY_BYTES)


@dataclass(slots=True)
class _Live:
    """What serves in this process, and what may change while it does."""

    launch: Launch
    log: Log
    env: Mapping[str, str]
    deps: Deps
    chosen: Chosen
    client: Client
    upstream: Server | None
    activity: Activity | None
    activity_file: ActivityFile | None
    requests: RequestLog | None
    gateway: Gateway | None = None
    watch: ConfigWatch | None = None
    watching: "asyncio.Task[None] | None" = None
    first: Config | None = None
    served: Loaded | None = None

    async def handle(self, request: Request) -> Response:
        """Returns the gateway's answer; a reload may put another gateway in its place."""
        assert self.gateway is not None
        return await self.gateway(request)

    def join(self, line: Line) -> None:
        """Takes the line to the other workers."""
        self.deps.peers.line = line

    def know(self, config: Config) -> None:
        """Takes the config's secrets out of the log, and builds the gateway for its access rules."""
        keys = [provider.key(self.env) for provider in config.providers]
        told = [field for provider in config.providers for field in custom_headers(provider.headers, self.env)[0]]
        sent = [text.decode("utf-8") for name, text in told if is_secret_header(name.decode("ascii"))]
        self.log.secrets = (*(key.reveal() for key in (*keys, config.master_key) if key), *sent)
        if self.activity is not None:
            self.activity.secrets, self.activity.enabled = self.log.secrets, config.activity_log
        if self.requests is not None:
            self.requests.enabled = effective(config, self.env).request_log
            path = self.launch.config_path
            self.requests.price = prices(config, cache(lambda: catalogue.load_or_builtin(path)[0]))
        if self.gateway is None:
            self.gateway = Gateway(self.deps)

    def watch_file(self, loaded: Loaded, debounce_s: float, seen: Signature) -> None:
        """Begins to look at the config file, where there is one; without `watch_config` only when asked."""
        if self.launch.demo:
            return
        self.served = loaded
        self.first = loaded.parsed.config
        self.watch = ConfigWatch(
            loaded,
            path=self.launch.config_path,
            seen=seen,
            load=lambda: configfile.load(self.launch.config_path, env=self.env),
            on_reload=self._reloaded,
            clock=self.deps.clock,
            debounce_s=debounce_s,
            require_auth=self.launch.require_auth,
        )
        if self.launch.watch_config:
            self.watching = asyncio.get_running_loop().create_task(self.watch.run())

    async def _reloaded(self, outcome: Reload) -> None:
        if isinstance(outcome, Refused):
            self.log.warn("config-refused", reason=outcome.reason, issues=len(outcome.issues))
            self._tell_issues(outcome.issues)
        elif isinstance(outcome, Unchanged):
            self.log.event("config-restored", path=self.launch.config_path)
        else:
            if outcome.loaded.persist_error:
                self.log.warn("config-not-migrated", reason=outcome.loaded.persist_error)
            known = _known(self.launch, outcome.config, self.log)
            self.deps.configs.swap(known, effective(outcome.config, self.env))
            self.know(outcome.config)
            await self._forget(outcome)
            if outcome.server_changed:
                self._apply_local_server(outcome.config)
            self.log.event("config-reloaded", path=self.launch.config_path, issues=len(outcome.loaded.parsed.issues))
            self._tell_issues(outcome.loaded.parsed.issues)
            waiting = waiting_keys(self.first, outcome.config, self.env) if self.first else ()
            if waiting:
                self.log.warn("restart-needed", keys=", ".join(waiting), advice="`llr restart --hard` applies them")
            await self._tell_tools(outcome.loaded)

    def _tell_issues(self, found: Sequence[Issue]) -> None:
        """Logs the errors of a new file with their places; `llr status` shows the warnings too."""
        errors = [issue for issue in found if issue.level is Level.ERROR]
        for issue in errors[:LOGGED_ISSUES]:
            self.log.warn("config-issue", path=issue.path, code=issue.code, reason=issue.message)
        if len(errors) > LOGGED_ISSUES:
            self.log.warn("config-issues", more=len(errors) - LOGGED_ISSUES, advice="`llr config validate` names them")

    async def _tell_tools(self, loaded: Loaded) -> None:
        """Lets the coding tools that are wired to this gateway follow the change."""
        from llr.control.toolsync import after_reload

        before, self.served = self.served, loaded
        if before is None:
            return
        try:
            for line in await asyncio.to_thread(after_reload, before, loaded, self.env):
                self.log.event("tool-followed", what=line)
        except OSError as exc:
            # The config serves; watching it goes on.
            self.log.warn("tools-not-followed", reason=exc.strerror or str(exc))

    async def _forget(self, outcome: Accepted) -> None:
        """Clears health records and lessons of providers whose key or address is another one now."""
        if not outcome.cleared:
            return
        for name in outcome.cleared:
            self.deps.learned.forget(name)
        now = self.deps.clock.now()
        snapshot = await self.deps.store.everything(now=now)
        ops = [op for name in outcome.cleared for op in clear_ops(snapshot, name)]
        await self.deps.store.apply(ops, now=now)

    def _apply_local_server(self, config: Config) -> None:
        wanted = config.local_server.require_auth
        if wanted == self.deps.require_auth:
            return
        if not wanted and not is_loopback(self.launch.host):
            self.log.warn("auth-kept", reason="the gateway listens beyond this machine")
            return
        self.deps = replace(self.deps, require_auth=wanted)
        self.gateway = Gateway(self.deps)
        self.log.event("auth-changed", required=wanted)

    def routes(self) -> dict[str, Answerer]:
        """Returns this process's rows of the control channel."""
        rows: dict[str, Answerer] = {"GET /status": self._status, "POST /reload": self._reload}
        store, clock = self.chosen.store, self.deps.clock
        rows |= cooldown_routes(store, clock, lambda: self.deps.configs.current)
        rows |= explain_routes(self.handle, lambda: self.deps.configs.current.config)
        rows |= peer_routes(self.deps)
        return rows | state_routes(self.chosen, clock)

    async def _status(self, _ask: Ask) -> Answer:
        live = self.deps.configs.current
        parsed = self.watch.current.parsed.issues if self.watch is not None else ()
        facts: dict[str, JSON] = {
            "configPath": self.launch.config_path or None,
            "configRefused": (self.watch.refused or None) if self.watch is not None else None,
            "demo": self.launch.demo,
            "requireAuth": self.deps.require_auth,
            "providers": len(live.config.providers),
            "modelAliases": len(live.config.aliases),
            "stateBackend": self.chosen.name,
            "stateAway": self.chosen.name != "memory" and counts_alone(self.chosen.store),
            "upstreamConnections": self.client.open_connections,
            "learned": [
                {"candidate": ref, "wire": wire.value, "marks": [*sorted(marks)]}
                for (ref, wire), marks in self.deps.learned.all().items()
            ],
            **config_facts(live.config, self.env),
            "issues": issues.all_json(parsed),
        }
        return Answer(200, facts)

    async def _reload(self, _ask: Ask) -> Answer:
        if self.watch is None:
            return Answer(200, {"changed": False, "issues": []})
        outcome = await self.watch.reload()
        if isinstance(outcome, Refused):
            error: JSON = {"code": "config-refused", "message": outcome.reason}
            return Answer(422, {"changed": False, "error": error, "issues": issues.all_json(outcome.issues)})
        parsed = self.watch.current.parsed
        first, now = self.first, parsed.config
        waiting: list[JSON] = list(waiting_keys(first, now, self.env)) if first and now else []
        found = issues.all_json(parsed.issues)
        return Answer(200, {"changed": isinstance(outcome, Accepted), "issues": found, "restartNeeded": waiting})

    async def aclose(self) -> None:
        """Gives everything back: watch, upstream connections, embedded upstream, store."""
        if self.watching is not None:
            self.watching.cancel()
            with suppress(asyncio.CancelledError):
                await self.watching
        await self.client.aclose()
        if self.upstream is not None:
            await self.upstream.close()
        await self.chosen.store.aclose()
        for kept in (self.activity_file, self.requests):
            if kept is not None:
                await kept.aclose()


class _Handler(logging.Handler):
    """Takes what lower layers log with the standard library into the one log, redacted like the rest."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record as one event."""
        level = "error" if record.levelno >= 40 else "warn" if record.levelno >= 30 else "info"
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self._log.event("note", level=level, source=record.name, message=text)


def route_logging(log: Log) -> None:
    """Sends the standard library's log records of this program, and of asyncio, to `log`."""
    for name in ("llr", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [_Handler(log)]
        logger.propagate = False
        logger.setLevel(logging.INFO)
