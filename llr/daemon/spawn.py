"""Child processes of the gateway: the same interpreter, the same interpreter flags, chosen descriptors."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from llr.base.records import dataclass

PREFLIGHT_S = 10.0
# A descriptor on which a starting gateway says one line once it is ready.
READY_FD = "LLM_ROUTER_READY_FD"


@dataclass(frozen=True, slots=True)
class Launcher:
    """How this program was started: interpreter, its flags, and the script (a path, or `-m` and a module)."""

    executable: str
    options: tuple[str, ...]
    script: tuple[str, ...]

    @property
    def path(self) -> str:
        """Returns the script's path, "" for a module."""
        return self.script[0] if len(self.script) == 1 else ""

    def command(self, args: Sequence[str], script: str | None = None) -> list[str]:
        """Returns the command line of another run with `args`, from `script` instead when given."""
        return [self.executable, *self.options, *((script,) if script else self.script), *args]


def read_launcher(executable: str, orig_argv: Sequence[str], argv: Sequence[str]) -> Launcher:
    """Returns how a process with these `sys.executable`, `sys.orig_argv` and `sys.argv` was started."""
    at = max(len(orig_argv) - len(argv), 1)
    options = tuple(orig_argv[1:at])
    script = orig_argv[at] if at < len(orig_argv) else argv[0]
    if options and options[-1] == "-m":
        return Launcher(executable, options[:-1], ("-m", script))
    return Launcher(executable, options, (os.path.abspath(script),))


def launcher() -> Launcher:
    """Returns how this process was started."""
    return read_launcher(sys.executable, sys.orig_argv, sys.argv)


def spawn(command: Sequence[str], env: Mapping[str, str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
    """Returns the started child; it inherits stdout, stderr and `fds` under the same numbers. Raises OSError."""
    return subprocess.Popen(command, env=dict(env), pass_fds=tuple(fds), stdin=subprocess.DEVNULL, close_fds=True)


def preflight(command: Sequence[str], env: Mapping[str, str], fds: Sequence[int]) -> str | None:
    """Returns None when the command ends with 0, else why not: the last of what it said."""
    try:
        done = subprocess.run(
            command, env=dict(env), pass_fds=tuple(fds), capture_output=True, timeout=PREFLIGHT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer within {PREFLIGHT_S:g} s"
    except OSError as exc:
        return exc.strerror or str(exc)
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return said[-4000:] or f"it ended with code {done.returncode}"
