"""What `list` says of the AMP block: its switches, and every mapping as a table."""

from collections.abc import Iterable

from llr.base.jsonio import JSON
from llr.base.redact import mask
from llr.config.keys import AMP_FROM, AMP_TO, spellings
from llr.config.locate import get
from llr.config.schema import Config, Doc
from llr.control.report import Fields, Section, Table, yes

_KEY = ("key", "id", "name", "agent", "subagent", "signature")
_PATTERNS = ("patterns", "matches", "models", "model", "pattern")


def _amp(config: Config) -> Doc:
    raw = get(dict(config.raw), "root", "amp")
    return raw if isinstance(raw, dict) else {}


def _first(entry: Doc, names: Iterable[str]) -> str:
    return next((str(entry[name]) for name in names if entry.get(name)), "")


def _pairs(value: JSON, left: Iterable[str], right: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Returns (key, route) of a map or a list, in either of their forms."""
    if isinstance(value, dict):
        return tuple((key, str(route)) for key, route in value.items())
    rows = value if isinstance(value, list) else []
    return tuple((_first(row, left), _first(row, right)) for row in rows if isinstance(row, dict))


def _patterns(row: Doc) -> str:
    value = next((row[name] for name in _PATTERNS if row.get(name)), "")
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


def _text(amp: Doc, name: str, missing: str) -> str:
    value = get(amp, "amp", name)
    return value if isinstance(value, str) and value else missing


def _address(amp: Doc) -> str:
    text = _text(amp, "upstreamUrl", "")
    if not text:
        return "(disabled)"
    # Only here and below: most configs have no AMP block, and `list` is to start fast.
    from llr.config.mask import masked_text

    return masked_text(text)


def amp_sections(config: Config) -> tuple[Section, ...]:
    """Returns the AMP sections of the report."""
    amp = _amp(config)
    key = _text(amp, "upstreamApiKey", "")
    routes = _pairs(get(amp, "amp", "routes"), _KEY, AMP_TO)
    raw = _pairs(get(amp, "amp", "rawModelRoutes"), AMP_FROM, AMP_TO)
    mappings = _pairs(get(amp, "amp", "modelMappings"), AMP_FROM, AMP_TO)
    agents = _pairs(get(amp, "amp", "subagentMappings"), _KEY, AMP_TO)
    present = any(amp.get(name) is not None for name in spellings("amp", "subagentDefinitions"))
    listed = get(amp, "amp", "subagentDefinitions")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    definitions = tuple((_first(row, ("id", *_KEY)), _patterns(row)) for row in rows)
    built_in = "No subagent definitions configured." if present else "The built-in definitions are in use."
    overview = (
        ("Upstream URL", _address(amp)),
        ("Upstream API Key", mask(key) if key else "(not set)"),
        ("Restrict Management To Localhost", yes(get(amp, "amp", "restrictManagementToLocalhost") is True)),
        ("Force Model Mappings", yes(get(amp, "amp", "forceModelMappings") is True)),
        ("Preset", _text(amp, "preset", "builtin")),
        ("AMP Default Route", _text(amp, "defaultRoute", "(global defaultModel)")),
        ("AMP Route Count", str(len(routes))),
        ("AMP Raw Model Route Count", str(len(raw))),
        ("AMP Overrides", "configured" if get(amp, "amp", "overrides") else "(none)"),
        ("Model Mapping Count", str(len(mappings))),
        ("Subagent Mapping Count", str(len(agents))),
        ("Subagent Definition Count", str(len(definitions)) if present else "default"),
    )
    return (
        Fields("AMP / Amp CLI", overview),
        Table("AMP Entity / Signature Routes", ("Key", "Route"), routes, "No AMP routes configured."),
        Table("AMP Raw Model Routes", ("Match", "Route"), raw, "No AMP raw model routes configured."),
        Table("AMP Model Mappings", ("Match", "Route"), mappings, "No AMP model mappings configured."),
        Table("AMP Subagent Definitions", ("Subagent", "Model Patterns"), definitions, built_in),
        Table("AMP Subagent Mappings", ("Subagent", "Route"), agents, "No AMP subagent mappings configured."),
    )


def amp_data(config: Config) -> JSON:
    """Returns the AMP block as it stands, secrets masked; None when there is none."""
    amp = _amp(config)
    if not amp:
        return None
    from llr.config.mask import masked

    return masked(amp, "amp")
