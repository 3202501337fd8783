"""The entry point. `--version` is answered before anything else is imported."""

import gc
import sys
from collections.abc import Sequence

from llr import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code of one command line (without the program's name)."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _fill_streams()
    tokens = sys.argv[1:] if argv is None else list(argv)
    if tokens in (["--version"], ["-V"], ["version"]):
        sys.stdout.write(f"llr {__version__}\n")
        return 0
    if argv is None:
        # A command ends before garbage matters, and imports make a lot that only looks like it; a service turns the
        # collector on again once it is up.
        gc.disable()
    try:
        from llr.cli.dispatch import dispatch

        return dispatch(tokens)
    except KeyboardInterrupt:
        # While modules load; later ones are told by `dispatch`.
        sys.stderr.write("Interrupted.\n")
        return 130


def _fill_streams() -> None:
    """Gives a process that was started with closed streams (cron, some launchers) empty ones.

    Their numbers must not be left to the next sockets: what is printed would go into them.
    """
    import os

    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
