"""Signals as calls in the event loop, on systems that have them."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping

# Those a gateway acts on. Nothing else is a message to it.
NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2")


def numbers() -> set[signal.Signals]:
    """Returns the signals of `NAMES` this system knows."""
    return {signal.Signals[name] for name in NAMES if name in signal.Signals.__members__}


def install(actions: Mapping[str, Callable[[], None]]) -> None:
    """Has each named signal call its action in the running loop; names the system lacks are left out."""
    loop = asyncio.get_running_loop()
    for name, action in actions.items():
        if name not in signal.Signals.__members__:
            continue
        number = signal.Signals[name]
        if sys.platform == "win32":
            signal.signal(number, lambda _number, _frame, act=action: loop.call_soon_threadsafe(act))
        else:
            loop.add_signal_handler(number, action)


def hold() -> None:
    """Blocks the signals of `NAMES`: what arrives waits, also across exec."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers())


def release() -> None:
    """Lets the signals through again."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers())


def ignore(*names: str) -> None:
    """Has this process ignore the named signals."""
    for name in names:
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], signal.SIG_IGN)
