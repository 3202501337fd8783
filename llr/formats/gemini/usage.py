"""Token usage of Gemini: input counts include what was cached, output counts leave thinking out."""

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.gemini.parts_in import OWN
from llr.ir.events import Usage

_KNOWN = reading.words(
    "promptTokenCount cachedContentTokenCount candidatesTokenCount thoughtsTokenCount toolUsePromptTokenCount "
    "totalTokenCount"
)


def read(value: JSON) -> Usage | None:
    """Returns the counters of a `usageMetadata`, None when there is none."""
    fields = reading.table(value)
    if not fields:
        return None
    prompt, cached = reading.count(fields.get("promptTokenCount")), reading.count(fields.get("cachedContentTokenCount"))
    searched = reading.count(fields.get("toolUsePromptTokenCount"))
    given, thought = reading.count(fields.get("candidatesTokenCount")), reading.count(fields.get("thoughtsTokenCount"))
    fresh = None if prompt is None else max(0, prompt + (searched or 0) - (cached or 0))
    output = None if given is None and thought is None else (given or 0) + (thought or 0)
    extras = reading.luggage(OWN, fields, _KNOWN)
    if searched:
        extras = reading.noted(extras, OWN, "~searched", searched)
    return Usage(fresh=fresh, cache_read=cached, output=output, reasoning=thought, extras=extras)


def write(usage: Usage | None) -> dict[str, JSON]:
    """Returns a `usageMetadata`, {} when nothing is known."""
    if usage is None:
        return {}
    cached = usage.cache_read or 0
    written = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    searched = reading.bag(usage.extras, OWN).get("~searched", 0)
    prompt = (usage.fresh or 0) + cached + written - searched
    thought = usage.reasoning or 0
    given = max(0, (usage.output or 0) - thought)
    out: dict[str, JSON] = {"promptTokenCount": prompt, "candidatesTokenCount": given}
    if cached:
        out["cachedContentTokenCount"] = cached
    if thought:
        out["thoughtsTokenCount"] = thought
    if searched:
        out["toolUsePromptTokenCount"] = searched
    out["totalTokenCount"] = prompt + given + thought + searched
    reading.unload(usage.extras, OWN, out)
    return out
