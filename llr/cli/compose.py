"""The composition root of a serving process: config, store, transport and gateway become one `App`."""

from llr.base.clock import SystemClock
from llr.base.ids import RandomIds
from llr.base.jsonio import JSON
from llr.cli.launch import Launch
from llr.control.demo import demo_handler
from llr.daemon.channel import Answer, Ask
from llr.daemon.log import Log
from llr.daemon.serving import App, Build
from llr.net.limits import ServerLimits


def builder(launch: Launch, log: Log, limits: ServerLimits) -> Build:
    """Returns what builds the app of this process."""

    async def build() -> App:
        async def close() -> None:
            return None

        async def status(_ask: Ask) -> Answer:
            facts: dict[str, JSON] = {"configPath": launch.config_path, "demo": launch.demo}
            return Answer(200, facts)

        async def reload(_ask: Ask) -> Answer:
            return Answer(200, {"changed": False, "issues": []})

        handler = demo_handler(RandomIds(), SystemClock())
        return App(handler, close, limits, routes={"GET /status": status, "POST /reload": reload})

    return build
