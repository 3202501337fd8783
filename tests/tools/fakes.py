"""Files in memory, and a config with names to bind."""

from dataclasses import dataclass, field
from typing import Any

from llr.config.parse import parse_config
from llr.tools import engine
from llr.tools.base import Binding, Endpoint, Found, Memory, Places, Plan, Tool, Wanted
from llr.tools.routes import Routes, routes_of

KEY = "gw_Aa1-bb22cc33dd44ee55ff66gg77"
HERE = Endpoint("http://127.0.0.1:8376", KEY)


def doc() -> dict[str, Any]:
    return {
        "version": 2,
        "masterKey": KEY,
        "providers": [
            {
                "id": "openrouter",
                "name": "OpenRouter",
                "baseUrl": "https://openrouter.example/v1",
                "format": "openai",
                "apiKey": "k-0123456789",
                "models": [
                    {"id": "gpt-4o-mini", "contextWindow": 128000, "metadata": {}},
                    {"id": "tiny", "contextWindow": 64000, "capabilities": {"supportsReasoning": False}},
                ],
            },
            {
                "id": "anthropic",
                "name": "Anthropic",
                "baseUrl": "https://anthropic.example",
                "format": "claude",
                "apiKey": "k-9876543210",
                "models": [{"id": "claude-3-5-test", "contextWindow": 200000}],
            },
        ],
        "modelAliases": {
            "default": {"id": "default", "targets": [{"ref": "openrouter/gpt-4o-mini"}]},
            "chat.fast": {
                "id": "chat.fast",
                "targets": [{"ref": "openrouter/gpt-4o-mini"}],
                "fallbackTargets": [{"ref": "openrouter/tiny"}],
            },
            "smart": {"id": "smart", "targets": [{"ref": "anthropic/claude-3-5-test"}]},
        },
    }


def routes(value: dict[str, Any] | None = None) -> Routes:
    return routes_of(parse_config(value or doc(), {}).config)


@dataclass
class Machine:
    """One tool's files in memory, and what is remembered of them."""

    tool: Tool
    files: dict[str, Found] = field(default_factory=dict)
    memory: Memory | None = None
    home: str = "/home/me"

    @property
    def places(self) -> Places:
        return self.tool.homes({"HOME": self.home}, {})

    @property
    def settings(self) -> str:
        return self.files[self.places["settings"]].data.decode()

    @property
    def backup(self) -> str:
        return self.files[self.places["backup"]].data.decode()

    def read(self, path: str) -> Found | None:
        return self.files.get(path)

    def put(self, text: str | bytes, mode: int = 0o644) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.files[self.places["settings"]] = Found(data, mode)

    def apply(self, plan: Plan) -> Plan:
        for edit in plan.edits:
            assert self.files.get(edit.path) == edit.before
            if edit.after is None:
                self.files.pop(edit.path, None)
            else:
                self.files[edit.path] = edit.after
        self.memory = plan.memory
        return plan

    def wire(
        self, binding: Binding, *, endpoint: Endpoint = HERE, known: Routes | None = None, capture: bool = True
    ) -> Plan:
        wanted = Wanted(endpoint, binding, known or routes(), self.places)
        return self.apply(engine.wire(self.tool, wanted, self, self.memory, capture=capture))

    def unwire(self, endpoint: Endpoint = HERE) -> Plan:
        return self.apply(engine.unwire(self.tool, self.places, self, self.memory, endpoint))

    def status(self, endpoint: Endpoint = HERE) -> Any:
        return engine.status(self.tool, self.places, self, endpoint)
