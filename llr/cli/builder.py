"""How this process makes what serves, once it must: a parent of workers never does."""

from typing import TYPE_CHECKING

from llr.cli.launch import Launch
from llr.daemon.log import Log

if TYPE_CHECKING:
    from llr.daemon.serving import App, Build


def builder(launch: Launch, log: Log) -> "Build":
    """Returns what builds the app of this process.

    What serving needs is imported then: a parent of workers never needs it, and a worker can tell its parent why it
    could not be imported.
    """

    async def build() -> "App":
        from llr.cli.compose import build_app

        return await build_app(launch, log)

    return build
