"""The operation that looks context windows up in the shipped catalogue."""

from collections.abc import Awaitable, Iterable
from statistics import median

from llr.base.jsonio import JSON
from llr.control import catalogue, configfile
from llr.control.call import Call
from llr.control.operation import Reading
from llr.control.pasted import parse_models
from llr.control.report import Fields, Outcome, Report, Table, refuse
from llr.providers.models import Match


def context_windows(models: Iterable[str], config_path: str) -> dict[str, int]:
    """Returns the context windows, in tokens, of the models that the catalogue has by exactly this name."""
    found = {name: catalogue.lookup(name, 0, config_path).exact for name in models}
    return {name: entry.context_window for name, entry in found.items() if entry and entry.context_window}


def _run(call: Call) -> Outcome | Awaitable[Outcome]:
    models, wrong = parse_models(call.args.text("models") or "")
    if wrong:
        raise refuse("model-id", f"models: no model id: {', '.join(wrong)}.")
    source = call.args.text("refresh_from")
    if not models and not source:
        raise refuse("missing-flag", "models is required.", "Say --models=id,id.")
    return _refreshed(call, models, source) if source else _looked_up(call, models, (), {})


async def _refreshed(call: Call, models: list[str], source: str) -> Outcome:
    done = await catalogue.refresh(source, configfile.resolve_path(call.config_path), call.env)
    rows = (
        ("Catalogue File", done.path),
        ("Models In Catalogue", f"{done.models:,}"),
        ("Not In The Shipped One", f"{done.new:,}"),
    )
    fresh: dict[str, JSON] = {"file": done.path, "models": done.models, "new": done.new}
    return _looked_up(call, models, rows, {"refreshed": fresh})


def _looked_up(call: Call, models: list[str], rows: tuple[tuple[str, str], ...], data: dict[str, JSON]) -> Outcome:
    path = configfile.resolve_path(call.config_path)
    limit = call.args.whole("limit") or 3
    found = [(name, catalogue.lookup(name, limit, path)) for name in models]
    exact = sum(match.exact is not None for _, match in found)
    overview = Fields("Overview", (*rows, ("Queries", str(len(models))), ("Exact Matches", str(exact))))
    columns = ("Query", "Exact Match", "Context Window", "Top Suggestions")
    table = Table("Models", columns, tuple(_row(name, match) for name, match in found), "No model was asked for.")
    listed: list[JSON] = [_data(name, match) for name, match in found]
    return Outcome(report=Report("LiteLLM Context Lookup", (overview, table)), data={"queries": listed, **data})


def _window(match: Match) -> int | None:
    """Returns the exact entry's window, else the middle one of the suggestions, None when nobody knows."""
    if match.exact is not None and match.exact.context_window:
        return match.exact.context_window
    sizes = [one.context_window for one in match.suggestions if one.context_window]
    return int(median(sizes)) if sizes else None


def _row(name: str, match: Match) -> tuple[str, ...]:
    window = _window(match)
    near = ", ".join(f"{one.id} ({one.context_window or 'unknown'})" for one in match.suggestions[:3])
    exact = match.exact.id if match.exact is not None else "(none)"
    return name, exact, "(unknown)" if window is None else f"{window:,}", near or "(none)"


def _data(name: str, match: Match) -> JSON:
    near: list[JSON] = [{"model": one.id, "contextWindow": one.context_window} for one in match.suggestions]
    return {
        "query": name,
        "exactMatch": match.exact.id if match.exact is not None else None,
        "contextWindow": _window(match),
        "suggestions": near,
    }


LOOKUP = Reading(_run)
