"""Web searches of an answer as `web_search_call` items.

A search of the Messages grammar is two blocks, the call and its result; here it is one item that is open between them.
"""

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.formats import reading
from llr.formats.openai_responses.output import Output
from llr.ir.parts import Opaque

_STEPS = {"web_search_call": ("in_progress", "searching", "completed")}


def progress(output: Output, item: dict[str, JSON]) -> bytes:
    """Returns the progress events of a hosted item that comes whole."""
    kind = reading.text(item.get("type"))
    where: dict[str, JSON] = {"item_id": item.get("id"), "output_index": output.index}
    return b"".join(output.event(f"response.{kind}.{step}", where) for step in _STEPS.get(kind, ()))


def block(output: Output, part: Opaque) -> bytes:
    """Returns the events of a foreign block: searches have a form here, everything else none."""
    raw = reading.table(part.raw)
    kind = raw.get("type")
    if part.format is not FormatId.MESSAGES:
        return b""
    if kind == "server_tool_use" and raw.get("name") == "web_search":
        return output.close_message() + output.search.begin(output, dict(raw))
    if kind == "web_search_tool_result":
        return output.search.result(output, dict(raw))
    return b""
