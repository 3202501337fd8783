"""A gateway that lives no longer than who started it, also when that one is killed and can tell nobody.

The starter holds the writing end of a pipe and never writes: the system closes it with the starter's process.
"""

import asyncio
from collections.abc import Callable, Mapping

ALIVE_FD = "LLM_ROUTER_ALIVE_FD"


def watch(env: Mapping[str, str], gone: Callable[[], None]) -> None:
    """Has `gone` called in the running loop once the starter named in `env` is gone; nothing where none is named."""
    told = env.get(ALIVE_FD, "")
    if not told.isdigit():
        return
    fd, loop = int(told), asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(fd)
        gone()

    loop.add_reader(fd, ended)
