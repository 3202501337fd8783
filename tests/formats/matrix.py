"""Every client format against every upstream format for one scenario, as readable text.

A scenario (`goldens/scenarios/<name>.json`) is a request and an answer in the intermediate form. For a client and an
upstream its cell shows: what the client would send and what the upstream gets, with every loss; the upstream's whole
answer and what the client gets; the upstream's stream and what the client gets. A 400 is shown as such.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llr.base.errors import GatewayError
from llr.base.ids import CountingIds
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Encoded, Meta, Target
from llr.formats.table import FORMATS
from llr.ir.request import ChatRequest
from llr.ir.response import collect

from .irjson import load
from .laws import drain

HERE = Path(__file__).parent / "goldens"
SCENARIOS = HERE / "scenarios"
UPSTREAMS = {
    FormatId.MESSAGES: Target("claude-sonnet-4-5", issuer="anthropic"),
    FormatId.CHAT: Target("gpt-4o", issuer="openai"),
    FormatId.RESPONSES: Target("gpt-5.1", issuer="openai"),
    FormatId.GEMINI: Target("gemini-3-pro", issuer="google"),
}
CLIENTS = tuple(FORMATS)
# A client writes its own format in full.
WRITER = Target(
    "alias",
    capabilities={
        "cache_control": True,
        "custom_tools": True,
        "developer_role": True,
        "json_schema": True,
        "strict_tools": True,
        "top_k": True,
        "web_search": True,
        "allowed_tools": True,
    },
)
KEY = b"key of the goldens"
NOW = 1_795_349_734.0
RULER = "---------- "


def scenarios() -> list[str]:
    """Returns the names of all scenarios, sorted."""
    return sorted(path.stem for path in SCENARIOS.glob("*.json"))


def read(name: str) -> dict[str, Any]:
    """Returns a scenario as written: `request`, `answer` (a list of events)."""
    value: dict[str, Any] = json.loads((SCENARIOS / f"{name}.json").read_text(encoding="utf-8"))
    return value


def golden(name: str, client: FormatId) -> Path:
    """Returns where the golden of a scenario and a client lies."""
    return HERE / client.value / f"{name}.golden"


def shown(value: Any) -> str:
    """Returns JSON as readable lines."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def guarded(make: Callable[[], str]) -> str:
    """Returns what `make` gives, or the error it was refused with."""
    try:
        return make()
    except GatewayError as exc:
        return f"refused {exc.fault.http_status} {exc.fault.kind.value}: {exc.fault.message}"


def asked(request: ChatRequest, client: FormatId) -> dict[str, Any]:
    """Returns the request as a client of this format would write it."""
    return FORMATS[client].encode_request(request, WRITER).body


def _losses(encoded: Encoded) -> Iterator[str]:
    for loss in encoded.losses:
        yield f"loss {loss.level.value} {loss.path}: {loss.what} ({loss.why})"
    for sent, original in encoded.tool_names.items():
        yield f"name {sent} <- {original!r}"


class Cell:
    """One client, one upstream, one scenario."""

    def __init__(self, scenario: dict[str, Any], client: FormatId, upstream: FormatId) -> None:
        self.client, self.upstream = FORMATS[client], FORMATS[upstream]
        self.target = UPSTREAMS[upstream]
        self.request: ChatRequest = load(scenario["request"])
        self.events = load(scenario["answer"])
        self.body = asked(self.request, client)

    def encoded(self) -> Encoded:
        """Returns what the upstream is sent."""
        decoded = translate.decode(self.body, self.client, keys=(KEY,))
        return translate.encode(decoded, self.client.id, self.upstream, self.target)

    def meta(self) -> Meta:
        """Returns the way back to the client."""
        decoded = translate.decode(self.body, self.client, keys=(KEY,))
        try:
            names = self.encoded().tool_names
        except GatewayError:
            names = {}
        return Meta(
            "alias",
            decoded,
            CountingIds(),
            NOW,
            self.upstream.id,
            self.target.issuer,
            self.target.model,
            KEY,
            names,
        )

    def upstream_meta(self) -> Meta:
        """Returns what lets the upstream write its own answer."""
        model = self.target.model
        return Meta(model, self.request, CountingIds(), NOW, self.upstream.id, self.target.issuer, model, KEY)

    def answer_body(self) -> dict[str, Any]:
        """Returns the upstream's whole answer."""
        return self.upstream.encode_response(collect(self.events), self.upstream_meta())

    def answer_stream(self) -> bytes:
        """Returns the upstream's stream."""
        return b"".join(drain(self.upstream.stream_encoder(self.upstream_meta()), self.events))

    def client_body(self) -> dict[str, Any]:
        """Returns the whole answer the client gets."""
        return translate.response(self.answer_body(), self.client, self.upstream, self.meta())

    def client_stream(self) -> bytes:
        """Returns the stream the client gets."""
        stage = translate.stream(self.client, self.upstream, self.meta())
        return b"".join([*stage.feed(self.answer_stream()), *stage.finish()])

    def _sent(self) -> str:
        encoded = self.encoded()
        return "\n".join([shown(encoded.body), *_losses(encoded)])

    def text(self) -> str:
        """Returns the cell as text."""
        way = f"{self.client.id.value} -> {self.upstream.id.value}"
        sections = {
            "request": guarded(self._sent),
            "answer": guarded(lambda: shown(self.client_body())),
            "stream": guarded(lambda: self.client_stream().decode()),
        }
        return "".join(f"{RULER}{way} {name}\n{body.rstrip()}\n" for name, body in sections.items())


def render(name: str, client: FormatId) -> str:
    """Returns the golden's text of a scenario and a client."""
    scenario = read(name)
    head = f"{RULER}{client.value} asks\n{guarded(lambda: shown(asked(load(scenario['request']), client)))}\n"
    cells = []
    for upstream in UPSTREAMS:
        try:
            cells.append(Cell(scenario, client, upstream).text())
        except GatewayError as exc:
            cells.append(
                f"{RULER}{client.value} -> {upstream.value}\nrefused by the client's own format: {exc.fault.message}\n"
            )
    return head + "".join(cells)
