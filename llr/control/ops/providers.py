"""Operations on providers: adding and changing, removing, renaming."""

from collections.abc import Awaitable, Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.redact import mask
from llr.config.document import clone_object
from llr.config.edit_models import remove_model
from llr.config.edit_providers import remove_provider, rename_provider, upsert_provider
from llr.config.locate import find_provider, get
from llr.config.parse import parse_config
from llr.config.schema import Doc, Provider
from llr.control import configfile, listing
from llr.control.call import Args, Call
from llr.control.operation import Ask, Change, Done, Editing, Facts
from llr.control.ops import provider_input
from llr.control.ops.models import EMPTIED, prunes, removed, renamed
from llr.control.ops.pick import ASK_NEW_ID, ASK_PROVIDER, provider_ids, required
from llr.control.ops.provider_input import Input, entry_of, read_input
from llr.control.pasted import parse_endpoints, typed_models
from llr.control.report import Fields, Outcome, Report, Section, refuse
from llr.control.zones import system_zone
from llr.providers.catalog import VENDORS, find_vendor


def _check_master_key(args: Args) -> str | None:
    """Returns the master key to store, None to leave it. Raises `Refused` for an empty one."""
    key = args.text("master_key")
    if args.choice("set_master_key") is True and not key:
        raise refuse("master-key", "set-master-key=true needs a master-key.", "Or use `llr config set-master-key`.")
    return key if args.choice("set_master_key") is not False else None


def _gather(call: Call, doc: Doc) -> Facts | Awaitable[Facts]:
    found = read_input(doc, call.args)
    _check_master_key(call.args)
    facts: Facts = {}
    if call.args.flag("fill_model_context_windows"):
        facts = {"windows": _known_windows(found, doc, configfile.resolve_path(call.config_path))}
    return _probed(found, doc, call, facts) if found.probes else facts


async def _probed(found: Input, doc: Doc, call: Call, facts: Facts) -> Facts:
    from llr.control.ops import probing

    return {**facts, "probe": await probing.probe_input(found, doc, call)}


def _known_windows(found: Input, doc: Doc, config_path: str) -> Mapping[str, int]:
    """Returns what the catalogue knows of models that have no context window."""
    before = (find_provider(doc, found.id) or {}).get("models")
    known = _with_window(before) | _with_window(found.given.get("models"))
    wanted = [own for own in found.models if own not in known]
    from llr.control.ops.contexts import context_windows  # few saves ask the catalogue

    return context_windows(wanted, config_path)


def _with_window(models: JSON) -> set[str]:
    listed = models if isinstance(models, list) else []
    return {str(one.get("id")) for one in listed if isinstance(one, dict) and one.get("contextWindow")}


def _upsert(doc: Doc, args: Args, facts: Facts) -> Change:
    found = read_input(doc, args)
    probe: Mapping[str, Any] | None = facts.get("probe")
    changes: list[str] = []
    for own in found.drop:
        made = remove_model(doc, found.id, own)
        doc, changes = made.doc, [*changes, *made.changes]
    entry = entry_of(found, find_provider(doc, found.id), probe)
    windows: Mapping[str, int] = facts.get("windows") or {}
    models = entry.get("models")
    for one in models if isinstance(models, list) else ():
        if isinstance(one, dict) and one.get("id") in windows:
            one.setdefault("contextWindow", windows[str(one["id"])])
    made = upsert_provider(doc, entry, master_key=_check_master_key(args), set_default=True)
    facts = {"id": found.id, "probe": probe, "filled": len(windows), "asked_windows": "windows" in facts}
    return Change(made.doc, (*changes, *made.changes), facts)


def _saved(done: Done) -> Provider | None:
    """Returns the provider as it would serve; a disabled one as if it were enabled."""
    doc = clone_object(done.doc)
    entry = find_provider(doc, done.facts["id"])
    if entry is not None:
        entry.pop("enabled", None)
    config = parse_config(doc, done.call.env, zone=system_zone).config
    return next((one for one in config.providers if one.id == done.facts["id"]), None) if config is not None else None


def _detection(probe: Mapping[str, Any] | None, saved: Provider | None) -> Section:
    if probe is None:
        verdict = "Skipped"
    else:
        verdict = "Completed" if probe.get("ok") and not probe.get("manualFallbackRecommended") else "Needs review"
    preferred = str((probe or {}).get("preferredFormat") or (saved.format if saved is not None else "") or "")
    working = (probe or {}).get("workingFormats") or ()
    rows = (
        ("Auto-detection", verdict),
        ("Preferred Request Format", preferred or "(unknown)"),
        ("Working Formats", ", ".join(map(str, working)) or "(unknown)"),
    )
    return Fields("Detection Summary", rows)


def _upsert_report(done: Done) -> Outcome:
    saved = _saved(done)
    key = get(done.doc, "root", "masterKey")
    rows = [("Config File", done.path), ("Provider ID", done.facts["id"])]
    sections: list[Section] = []
    data: dict[str, JSON] = {"providerId": done.facts["id"]}
    if saved is not None:
        rows += [
            ("Provider Name", saved.name),
            ("Provider Type", listing.kind(saved)),
            ("Request Formats", listing.formats(saved.formats)),
            ("API Credential", listing.credential(saved)),
        ]
        sections = [listing.endpoints(saved), listing.models(saved), listing.buckets(saved)]
        data["provider"] = listing.provider_data(saved)
    entry = find_provider(done.doc, done.facts["id"]) or {}
    if entry.get("enabled") is False:
        rows.append(("Enabled", "No"))
    rows.append(("Master Key", mask(key) if isinstance(key, str) and key else "(not set)"))
    if done.facts["asked_windows"]:
        rows.append(("Context Windows Filled", str(done.facts["filled"])))
        data["contextWindowsFilled"] = done.facts["filled"]
    probe = done.facts["probe"]
    told = ("ok", "preferredFormat", "workingFormats", "warnings")
    data["probe"] = {name: probe.get(name) for name in told} if probe else None
    overview = Fields("Overview", tuple(rows))
    report = Report("Provider Saved", (overview, *sections, _detection(probe, saved)))
    return Outcome(report=report, data=data)


def _remove(doc: Doc, args: Args, _facts: Facts) -> Change:
    (own,) = required(args, "provider_id")
    made = remove_provider(doc, own, prune=prunes(args))
    return Change(made.doc, made.changes, None, EMPTIED if prunes(args) else None)


def _remove_report(done: Done) -> Outcome:
    own = done.call.args.text("provider_id")
    return removed(done, f"Removed provider '{own}'.", providerId=own)


def _remove_confirm(_doc: Doc, args: Args) -> tuple[str, bool]:
    return f"Remove provider '{args.text('provider_id')}'?", False


def _rename(doc: Doc, args: Args, _facts: Facts) -> Change:
    old, new = required(args, "provider_id", "new_id")
    made = rename_provider(doc, old, new)
    return Change(made.doc, made.changes, renamed=True)


def _rename_report(done: Done) -> Outcome:
    args = done.call.args
    return renamed(done, "Provider", args.text("provider_id") or "", args.text("new_id") or "")


def _is_new(doc: Doc, args: Args) -> bool:
    own = args.text("provider_id")
    return own is None or find_provider(doc, own) is None


def _needs(doc: Doc, args: Args) -> bool:
    return _is_new(doc, args) and not args.given("preset")


def _wants_key(doc: Doc, args: Args) -> bool:
    vendor = find_vendor(args.text("preset") or "")
    keyless = args.text("auth") == "none" or (vendor is not None and not vendor.key_env)
    return _is_new(doc, args) and not args.given("api_key_env") and not keyless


def _upsert_confirm(doc: Doc, args: Args) -> tuple[str, bool] | None:
    entry = find_provider(doc, args.text("provider_id") or "") or {}
    stored, typed = get(entry, "provider", "apiKey"), args.text("api_key") or args.text("api_key_env")
    if stored and typed and stored != typed:
        return f"Overwrite the stored key of provider '{args.text('provider_id')}'?", False
    return None


NEW_PROVIDER = "New provider"

UPSERT_PROVIDER = Editing(
    _upsert,
    _upsert_report,
    gather=_gather,
    asks=(
        Ask(
            "provider_id",
            "Which provider? (Use only what the provider's terms allow you to use.)",
            lambda doc, args: [NEW_PROVIDER, *provider_ids(doc, args)],
            when=lambda _doc, args: not args.given("name") and not args.given("preset"),
        ),
        Ask("preset", "A vendor's preset (empty for none)?", lambda _doc, _args: list(VENDORS), _needs, optional=True),
        Ask("name", "Provider Friendly Name?", when=_needs),
        Ask(
            "endpoints",
            "Endpoints?",
            when=lambda doc, args: _needs(doc, args) and not _has_url(args),
            pasted=parse_endpoints,
        ),
        Ask("api_key", "API key (empty: its variable)?", when=_wants_key, secret=True, optional=True),
        Ask(
            "api_key_env",
            "Environment variable that holds the key?",
            when=lambda doc, args: _wants_key(doc, args) and not args.given("api_key") and not args.given("preset"),
        ),
        Ask("models", "Models?", when=_needs, pasted=typed_models),
    ),
    confirm=_upsert_confirm,
)


def _has_url(args: Args) -> bool:
    return args.given("base_url") or any(args.given(flag) for _, flag in provider_input.BASE_URLS)


REMOVE_PROVIDER = Editing(_remove, _remove_report, asks=(ASK_PROVIDER,), confirm=_remove_confirm)
RENAME_PROVIDER = Editing(_rename, _rename_report, asks=(ASK_PROVIDER, ASK_NEW_ID))
