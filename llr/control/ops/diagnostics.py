"""Operations that ask a provider and write nothing: model discovery and the endpoint × model test."""

from collections.abc import Mapping
from typing import Any

from llr.base.records import replace
from llr.config.locate import find_provider, get
from llr.config.migrate import upgrade
from llr.config.models import model_id
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.ops.probing import question_of
from llr.control.pasted import parse_endpoints, parse_models
from llr.control.report import FAILED, OK, Fields, Items, Outcome, Problem, Report, Section, Table, refuse

_URLS = ("endpoints", "base_url", "openai_base_url", "claude_base_url")


def _doc(call: Call) -> Doc:
    return upgrade(configfile.load(call.config_path, env=call.env, persist=False).doc)


def _endpoints(call: Call) -> tuple[str, ...]:
    typed = [call.args.text(name) or "" for name in _URLS]
    found = tuple(dict.fromkeys(url for text in typed for url in parse_endpoints(text)))
    if any(text.strip() for text in typed) and not found:
        raise refuse("bad-endpoint", f"No valid http(s) URL: {' '.join(filter(None, typed))}.")
    return found


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _overview(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    urls = result.get("baseUrlByFormat")
    by_format = urls if isinstance(urls, Mapping) else {}
    return (
        ("Working Formats", ", ".join(_texts(result.get("workingFormats"))) or "(none)"),
        ("Preferred Format", str(result.get("preferredFormat") or "(not detected)")),
        ("OpenAI Endpoint", str(by_format.get("openai") or "(not detected)")),
        ("Claude Endpoint", str(by_format.get("claude") or "(not detected)")),
        ("Models", str(len(_texts(result.get("models"))))),
        ("Warnings", str(len(_texts(result.get("warnings"))))),
    )


async def _discover(call: Call) -> Outcome:
    from llr.control.probe import run  # loads the network

    question = question_of(call, _doc(call), _endpoints(call))
    result = await run.discover(question, call.progress)
    good = bool(_texts(result.get("models")) and _texts(result.get("workingFormats")))
    sections: tuple[Section, ...] = (
        Fields("Overview", _overview(result)),
        Items("Endpoints", _texts(result.get("endpoints")) or question.endpoints),
        Items("Models", _texts(result.get("models"))),
        Items("Warnings", _texts(result.get("warnings"))),
    )
    report = Report(f"Provider Model Discovery{'' if good else ' Incomplete'}", sections)
    problem = None if good else Problem("discovery-incomplete", "No working format or no model was found.")
    return Outcome(OK if good else FAILED, report=report, data=dict(result), problem=problem)


def _models(call: Call, doc: Doc) -> tuple[str, ...]:
    found, wrong = parse_models(call.args.text("models") or "")
    if wrong:
        raise refuse("model-id", f"models: no model id: {', '.join(wrong)}.")
    entry = find_provider(doc, call.args.text("provider_id") or "") or {}
    listed = get(entry, "provider", "models")
    stored = [own for one in (listed if isinstance(listed, list) else []) if (own := model_id(one))]
    if not found and not stored:
        raise refuse("missing-flag", "models is required.", "Say --models=id,id.")
    return tuple(found or stored)


async def _test(call: Call) -> Outcome:
    from llr.control.probe import run  # loads the network

    doc = _doc(call)
    question = question_of(call, doc, _endpoints(call))
    question = replace(question, models=_models(call, doc))
    result = await run.examine(question, call.progress)
    unresolved = _texts(result.get("unresolvedModels"))
    good = bool(result.get("ok")) and not unresolved
    matrix = result.get("endpointMatrix")
    rows = tuple(_row(one) for one in (matrix if isinstance(matrix, list) else []) if isinstance(one, Mapping))
    columns = ("Endpoint", "Working Formats", "Confirmed Models", "Preferred Format")
    sections: tuple[Section, ...] = (
        Fields("Overview", _overview(result)),
        Table("Endpoint Matrix", columns, rows, "No endpoint was tested."),
        Items("Supported Models", _texts(result.get("models"))),
        Items("Unresolved Models", unresolved),
        Items("Warnings", _texts(result.get("warnings"))),
    )
    title = "Provider Probe Passed" if good else "Provider Probe Completed With Gaps"
    problem = None if good else Problem("probe-incomplete", "Not every model was confirmed.")
    report = Report(title, sections)
    return Outcome(OK if good else FAILED, report=report, data=dict(result), problem=problem)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    by_format = one.get("modelsByFormat")
    listed = by_format if isinstance(by_format, Mapping) else {}
    models = dict.fromkeys(name for names in listed.values() for name in _texts(names))
    return (
        str(one.get("endpoint") or ""),
        ", ".join(_texts(one.get("workingFormats"))) or "(none)",
        ", ".join(models) or "(none)",
        str(one.get("preferredFormat") or "(not detected)"),
    )


DISCOVER = Reading(_discover)
TEST = Reading(_test)
