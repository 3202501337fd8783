"""What `start` finds out before it binds: the config or the demo, effective flags, and whether they make sense."""

import os
from argparse import Namespace

from llr import __version__
from llr.base.records import dataclass, replace
from llr.cli.context import Context, config_path
from llr.cli.launch import Launch
from llr.config.schema import Config, LocalServer, Settings
from llr.config.settings import settings as effective
from llr.control.report import refuse


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decided start. `config` is None in the demo, whose document exists only once its upstream has a port."""

    launch: Launch
    settings: Settings
    config: Config | None = None

    @property
    def local(self) -> LocalServer:
        """Returns the config's own wishes about where to listen."""
        return self.config.local_server if self.config is not None else LocalServer()

    @property
    def has_master_key(self) -> bool:
        """Returns whether there is a key to ask clients for."""
        return self.config is not None and bool(self.config.master_key)

    def launch_on(self, host: str) -> Launch:
        """Returns the launch with the host that was bound."""
        return replace(self.launch, host=host)

    def banner(self, origin: str) -> list[str]:
        """Returns what is printed on start, line by line."""
        lines = [
            f"LLM Router {__version__} started on {origin}",
            f"Anthropic base URL: {origin}/anthropic",
            f"OpenAI base URL: {origin}/openai",
        ]
        if self.launch.demo:
            from llr.control.demo import demo_help

            lines += ["", *demo_help(origin).splitlines(), ""]
        else:
            from llr.cli.summary import config_lines

            lines += config_lines(self.config, self.launch)
        lines.append("Press Ctrl+C to stop.")
        return lines


def prepare(args: Namespace, context: Context) -> Prepared:
    """Returns the decided start. Raises `Refused`: 2 for a missing or unusable config."""
    log_file = os.path.abspath(args.log_file) if args.log_file else ""
    base = Launch(workers=args.workers, log_format=args.log_format, log_level=args.log_level, log_file=log_file)
    if args.demo:
        return _demo(args, context, base)
    path = config_path(args)
    if not os.path.exists(path):
        raise refuse(
            "config-not-found",
            f"Config file not found: {path}.",
            "Create one with `llr config upsert-provider --preset=…` (`llr config presets` lists the vendors),"
            " or try the built-in models with `llr start --demo`.",
        )
    from llr.cli.configuration import load_for_start

    config = load_for_start(path, context)
    wanted = config.local_server
    launch = replace(
        base,
        config_path=path,
        require_auth=_flag(args.require_auth, wanted.require_auth),
        watch_config=_flag(args.watch_config, wanted.watch_config),
        watch_binary=_flag(args.watch_binary, wanted.watch_binary),
    )
    if not config.providers:
        fix = "Add one with `llr config upsert-provider --preset=…`; `llr config validate` names what is wrong."
        raise refuse("no-provider", f"{path} has no enabled provider.", fix)
    if launch.require_auth and not config.master_key:
        raise refuse(
            "no-master-key",
            "masterKey is missing while --require-auth=true.",
            "Set one with `llr config --operation=set-master-key`.",
        )
    return Prepared(launch, effective(config, context.env), config)


def _demo(args: Namespace, context: Context, base: Launch) -> Prepared:
    if args.require_auth:
        raise refuse("demo-has-no-key", "--require-auth needs a config with a master key; the demo has none.")
    if args.config:
        raise refuse("demo-or-config", "--demo reads no config.", "Leave one of --demo and --config out.")
    launch = replace(base, demo=True, watch_config=False, watch_binary=args.watch_binary is True)
    return Prepared(launch, effective(None, context.env))


def _flag(typed: bool | None, persisted: bool) -> bool:
    return persisted if typed is None else typed
