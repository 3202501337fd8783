"""What `start` was told, once decided: passed to workers as flags, so that all processes run the same."""

from argparse import Namespace
from typing import IO

from llr.base.records import dataclass
from llr.control.params import Kind, Param
from llr.control.report import FAILED, refuse
from llr.daemon.log import LEVELS, Log

SERVING_PARAMS: tuple[Param, ...] = (
    Param("config", "Config file to serve (default ~/.llm-router.json).", Kind.PATH),
    Param("demo", "Serve built-in demo models; no config is read or written.", Kind.BOOL, default=False),
    Param("host", "Address to listen on (default 127.0.0.1, or metadata.localServer.host)."),
    Param("port", "Port to listen on (default LLM_ROUTER_PORT, metadata.localServer.port or 8376; 0 = any free)."),
    Param("require-auth", "Ask every client for the master key.", Kind.BOOL),
    Param("watch-config", "Take up changes of the config file while running (default true).", Kind.BOOL),
    Param("watch-binary", "Take up a new program file while running (default true).", Kind.BOOL),
    Param("workers", "Processes that serve (default 1).", Kind.INT, default=1, minimum=1, maximum=64),
    Param("log-format", "How log lines on stderr look.", Kind.CHOICE, choices=("text", "json"), default="text"),
    Param("log-file", "Write log lines to this file instead of stderr; it is kept below 10 MiB.", Kind.PATH),
    Param("log-level", "Least important log lines to write.", Kind.CHOICE, choices=tuple(LEVELS), default="info"),
)


@dataclass(frozen=True, slots=True)
class Launch:
    """One decided way to serve. `host` is what was bound; `log_*` as the flags say, "" is stderr."""

    demo: bool = False
    config_path: str = ""
    host: str = "127.0.0.1"
    require_auth: bool = False
    watch_config: bool = True
    watch_binary: bool = True
    workers: int = 1
    log_format: str = "text"
    log_level: str = "info"
    log_file: str = ""

    def worker_args(self) -> tuple[str, ...]:
        """Returns the command line of a worker that serves the same."""
        flags = {
            "demo": _word(self.demo),
            "config": self.config_path,
            "host": self.host,
            "require-auth": _word(self.require_auth),
            "watch-config": _word(self.watch_config),
            "watch-binary": _word(self.watch_binary),
            "workers": str(self.workers),
            "log-format": self.log_format,
            "log-level": self.log_level,
            "log-file": self.log_file,
        }
        # Lenient: a newer version is started with these, and may have dropped a flag.
        return ("start-runtime", "--lenient", *(f"--{name}={value}" for name, value in flags.items() if value))


def _word(value: bool) -> str:
    return "true" if value else "false"


def from_worker_args(args: Namespace) -> Launch:
    """Returns the launch that `worker_args` wrote."""
    return Launch(
        demo=args.demo,
        config_path=args.config or "",
        host=args.host or "127.0.0.1",
        require_auth=bool(args.require_auth),
        watch_config=args.watch_config is not False,
        watch_binary=args.watch_binary is not False,
        workers=args.workers,
        log_format=args.log_format,
        log_level=args.log_level,
        log_file=args.log_file or "",
    )


def make_log(launch: Launch) -> Log:
    """Returns the log of this process. Raises `Refused` when its file cannot be written."""
    return Log(_stream(launch.log_file), as_json=launch.log_format == "json", level=launch.log_level)


def _stream(path: str) -> IO[str]:
    if not path:
        import sys

        return sys.stderr
    from llr.daemon.logfile import LogFile

    try:
        return LogFile(path)
    except OSError as exc:
        text = f"The log file {path} cannot be written: {exc.strerror or exc}."
        raise refuse("log-not-writable", text, exit_code=FAILED) from exc
