"""A Gemini request body, read.

The model's name, the method and the form of a stream are in the request's address; whoever reads that may put them into
the body as `model`, `stream` and `alt` ("json" for one array), where this module finds them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.gemini import parts_in
from llr.formats.gemini.contents_in import Contents
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.schemas import to_json_schema
from llr.formats.gemini.spelling import normal
from llr.formats.reading import words
from llr.ir.parts import Extras, Part
from llr.ir.request import ChatRequest, ChoiceMode, Options, OutputFormat, ServerTool, Thinking, Tool, ToolChoice

_KNOWN = words("model stream alt contents systemInstruction tools toolConfig generationConfig serviceTier")
# Fields of `generationConfig` that options hold.
CONFIG = words(
    "maxOutputTokens temperature topP topK stopSequences seed presencePenalty frequencyPenalty candidateCount "
    "responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema thinkingConfig"
)
_DECLARATION = frozenset(("name", "description", "parameters", "parametersJsonSchema"))
_SEARCHES = frozenset(("googleSearch", "googleSearchRetrieval", "enterpriseWebSearch"))
# Answers that are one word of a list: no other format has them.
_ENUM = "text/x.enum"
_MODES = {
    "AUTO": ChoiceMode.AUTO,
    "VALIDATED": ChoiceMode.AUTO,
    "ANY": ChoiceMode.REQUIRED,
    "REQUIRED": ChoiceMode.REQUIRED,
    "NONE": ChoiceMode.NONE,
}


def numeral(value: Any) -> float | int | None:
    """Returns a number, also one this vendor's JSON writes as a string."""
    if isinstance(value, str):
        try:
            return int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            return None
    return reading.number(value)


def whole(value: Any) -> int | None:
    """Returns a number without a fraction, also one written as a string."""
    found = numeral(value)
    return int(found) if found is not None and found == found and abs(found) < 2**63 else None


def _capability(kind: str) -> str:
    if kind in _SEARCHES:
        return "web_search"
    return "code_execution" if kind == "codeExecution" else ""


def tools(value: Any) -> Iterator[Tool | ServerTool]:
    """Yields the declared functions and the vendor's own tools in order."""
    entries = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    for place, entry in reading.tables(entries):
        for key, given in entry.items():
            at = f"tools[{place}].{key}"
            if key == "functionDeclarations":
                for number, declared in reading.tables(given):
                    if reading.text(declared.get("name")):
                        yield _function(declared, place, f"{at}[{number}]")
            elif given is not None:
                yield ServerTool(OWN, key, {key: given, "~tool": place}, _capability(key), at)


def _function(declared: Mapping[str, Any], place: int, at: str) -> Tool:
    extras: Extras = reading.luggage(OWN, declared, _DECLARATION)
    written = {key: declared[key] for key in ("description", "parameters", "parametersJsonSchema") if key in declared}
    extras = reading.noted(extras, OWN, "~written", written)
    extras = reading.noted(extras, OWN, "~tool", place)
    schema = declared.get("parametersJsonSchema")
    if schema is None:
        schema = to_json_schema(declared.get("parameters"))
    name, description = reading.text(declared.get("name")), reading.text(declared.get("description"))
    return Tool(name, description, schema, extras=extras, at=at)


def choice(value: Any) -> ToolChoice | None:
    """Returns the client's tool choice, None when it made none."""
    config = reading.table(reading.table(value).get("functionCallingConfig"))
    mode = _MODES.get(reading.text(config.get("mode")).upper())
    allowed = reading.texts(config.get("allowedFunctionNames"))
    if mode is None and not allowed:
        return None
    if allowed and mode is not ChoiceMode.NONE:
        if mode is ChoiceMode.REQUIRED and len(allowed) == 1:
            return ToolChoice(ChoiceMode.TOOL, allowed[0])
        return ToolChoice(ChoiceMode.ALLOWED, allowed=allowed, required=mode is ChoiceMode.REQUIRED)
    return ToolChoice(mode or ChoiceMode.AUTO)


def _thinking(value: Any) -> Thinking:
    config = reading.table(value)
    budget, level = whole(config.get("thinkingBudget")), reading.text(config.get("thinkingLevel")).lower()
    visible = reading.boolean(config.get("includeThoughts"))
    effort = level if level in ("minimal", "low", "medium", "high", "xhigh") else ""
    if effort:
        return Thinking("enabled", effort, None, visible)
    if budget is None:
        return Thinking("", "", None, visible)
    if budget == 0:
        return Thinking("disabled", "none", None, visible)
    return Thinking("adaptive", "", None, visible) if budget < 0 else Thinking("enabled", "", budget, visible)


def _output(config: Mapping[str, Any]) -> OutputFormat | None:
    schema = config.get("responseJsonSchema")
    if schema is None:
        schema = to_json_schema(config.get("responseSchema"))
    kind = reading.text(config.get("responseMimeType")).lower()
    if kind == _ENUM or not (kind == "application/json" or schema is not None):
        return None
    # What this vendor promises of a schema others promise of a strict one.
    return OutputFormat("json_object") if schema is None else OutputFormat("json_schema", schema=schema, strict=True)


def options(config: Mapping[str, Any], tier: str = "") -> Options:
    """Returns the options in a `generationConfig`."""
    return Options(
        max_tokens=whole(config.get("maxOutputTokens")),
        temperature=numeral(config.get("temperature")),
        top_p=numeral(config.get("topP")),
        top_k=whole(config.get("topK")),
        stop=reading.texts(config.get("stopSequences")),
        seed=whole(config.get("seed")),
        presence_penalty=numeral(config.get("presencePenalty")),
        frequency_penalty=numeral(config.get("frequencyPenalty")),
        n=whole(config.get("candidateCount")),
        logprobs=reading.boolean(config.get("responseLogprobs")),
        top_logprobs=whole(config.get("logprobs")),
        thinking=_thinking(config.get("thinkingConfig")),
        output=_output(config),
        service_tier=tier.lower(),
    )


def _system(value: Any) -> tuple[Part, ...]:
    if isinstance(value, str):
        value = {"parts": [{"text": value}]}
    given = reading.table(value).get("parts")
    rows = given if isinstance(given, list) else [given]
    return tuple(
        parts_in.part({"text": row} if isinstance(row, str) else row, "", f"systemInstruction.parts[{place}]")
        for place, row in enumerate(rows)
        if isinstance(row, dict | str)
    )


def _luggage(body: Mapping[str, Any]) -> Extras:
    own: dict[str, Any] = {key: value for key, value in body.items() if key not in _KNOWN}
    config = reading.table(body.get("generationConfig"))
    more = {key: value for key, value in config.items() if key not in CONFIG and value is not None}
    if reading.text(config.get("responseMimeType")).lower() == _ENUM:
        more["responseMimeType"] = config["responseMimeType"]
    if more:
        own["generationConfig"] = more
    for key in ("generationConfig", "toolConfig", "systemInstruction", "serviceTier", "tools"):
        if key in body:
            own[f"~{key}"] = body[key]
    if body.get("alt") == "json":
        own["~array"] = True
    if "contents" in body and not isinstance(body["contents"], list):
        own["~contents"] = body["contents"]
    own.setdefault("~own", True)
    return {OWN: own}


def decode_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request in `body`; snake_case and camelCase names read alike."""
    source: Mapping[str, Any] = normal(dict(body))
    given = source.get("contents")
    turns = Contents()
    for place, raw in enumerate(given if isinstance(given, list) else [given]):
        if raw is not None:
            turns.add(raw, f"contents[{place}]")
    return ChatRequest(
        model=reading.text(source.get("model")).removeprefix("models/"),
        system=_system(source.get("systemInstruction")),
        messages=turns.finish(),
        tools=tuple(tools(source.get("tools"))),
        tool_choice=choice(source.get("toolConfig")),
        options=options(reading.table(source.get("generationConfig")), reading.text(source.get("serviceTier"))),
        stream=source.get("stream") is True,
        extras=_luggage(source),
    )
