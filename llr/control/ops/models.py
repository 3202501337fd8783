"""Operations on models: removing, renaming, fallbacks, and the default."""

from llr.base.jsonio import JSON
from llr.config.edit_models import remove_model, rename_model, set_default_model, set_model_fallbacks
from llr.config.lists import parse_qualified
from llr.config.locate import model
from llr.config.schema import Doc
from llr.control.call import Args
from llr.control.operation import Ask, Change, Done, Editing, Facts
from llr.control.ops.pick import (
    ASK_MODEL,
    ASK_NEW_ID,
    ASK_PROVIDER,
    missing,
    required,
    routes,
    routes_and_aliases,
)
from llr.control.report import Fields, Outcome, Report, Table, refuse

# A removal may leave a provider without models, or nothing to route to: that is what was asked for.
EMPTIED = frozenset({"provider-models", "provider-required"})


def removed(done: Done, sentence: str, **data: JSON) -> Outcome:
    """Returns the sentence, and below it what followed the removal."""
    return Outcome(text="\n".join([sentence, *(f"- {line}" for line in done.changes[1:])]), data=data)


def prunes(args: Args) -> bool:
    """Returns whether references to what is removed go too."""
    return args.choice("prune_references") is not False


def _remove(doc: Doc, args: Args, _facts: Facts) -> Change:
    owner, wanted = required(args, "provider_id", "model")
    own = model(doc, owner, wanted)[2]
    made = remove_model(doc, owner, wanted, prune=prunes(args))
    return Change(made.doc, made.changes, {"model": own}, EMPTIED if prunes(args) else None)


def _remove_report(done: Done) -> Outcome:
    owner, own = done.call.args.text("provider_id"), done.facts["model"]
    return removed(done, f"Removed model '{own}' from '{owner}'.", providerId=owner, model=own)


def _remove_confirm(_doc: Doc, args: Args) -> tuple[str, bool]:
    return f"Remove model '{args.text('model')}' from '{args.text('provider_id')}'?", False


def _rename(doc: Doc, args: Args, _facts: Facts) -> Change:
    owner, old, new = required(args, "provider_id", "model", "new_id")
    own = model(doc, owner, old)[2]
    made = rename_model(doc, owner, old, new)
    return Change(made.doc, made.changes, {"model": own}, renamed=True)


def renamed(done: Done, what: str, old: str, new: str) -> Outcome:
    """Returns the report on a new name and the references that follow it."""
    rows = (("Config File", done.path), (f"Old {what}", old), (f"New {what}", new))
    followed = tuple((line,) for line in done.changes[1:])
    table = Table("Followed References", ("Change",), followed, "No reference named it.")
    data: dict[str, JSON] = {"old": old, "new": new, "followed": list(done.changes[1:])}
    return Outcome(report=Report(f"{what} Renamed", (Fields("Overview", rows), table)), data=data)


def _rename_report(done: Done) -> Outcome:
    owner = done.call.args.text("provider_id")
    return renamed(done, "Model", f"{owner}/{done.facts['model']}", f"{owner}/{done.call.args.text('new_id')}")


def _fallbacks(doc: Doc, args: Args, _facts: Facts) -> Change:
    owner, wanted = required(args, "provider_id", "model")
    if not args.given("fallback_models") and not args.flag("clear_fallbacks"):
        raise missing("fallback-models or clear-fallbacks=true")
    refs, dropped = parse_qualified("" if args.flag("clear_fallbacks") else args.text("fallback_models") or "")
    if dropped:
        raise refuse("fallbacks-invalid", f"Invalid fallback model(s): {', '.join(dropped)}.", "Write provider/model.")
    own = model(doc, owner, wanted)[2]
    made = set_model_fallbacks(doc, owner, wanted, refs)
    return Change(made.doc, made.changes, {"source": f"{owner}/{own}", "fallbacks": list(dict.fromkeys(refs))})


def _fallbacks_report(done: Done) -> Outcome:
    refs, source = done.facts["fallbacks"], done.facts["source"]
    rows = (("Source Model Route", source), ("Fallback Count", str(len(refs))))
    table = Table("Fallback Routes", ("Model Route",), tuple((ref,) for ref in refs), "No fallback routes.")
    report = Report("Model Silent Fallbacks Updated", (Fields("Overview", rows), table))
    return Outcome(report=report, data={"source": source, "fallbackModels": refs})


def _default(doc: Doc, args: Args, _facts: Facts) -> Change:
    (ref,) = required(args, "model")
    made = set_default_model(doc, ref)
    return Change(made.doc, made.changes)


def _default_report(done: Done) -> Outcome:
    ref = done.call.args.text("model") or ""
    rows = (("Config File", done.path), ("Default Route", ref))
    return Outcome(report=Report("Default Model Saved", (Fields("Overview", rows),)), data={"defaultModel": ref})


REMOVE_MODEL = Editing(_remove, _remove_report, asks=(ASK_PROVIDER, ASK_MODEL), confirm=_remove_confirm)
RENAME_MODEL = Editing(_rename, _rename_report, asks=(ASK_PROVIDER, ASK_MODEL, ASK_NEW_ID))
SET_FALLBACKS = Editing(
    _fallbacks,
    _fallbacks_report,
    asks=(
        ASK_PROVIDER,
        ASK_MODEL,
        Ask(
            "fallback_models",
            "Fallbacks, in order (empty clears them)?",
            routes,
            when=lambda _doc, args: not args.flag("clear_fallbacks"),
            many=True,
            optional=True,
        ),
    ),
)
SET_DEFAULT = Editing(
    _default, _default_report, asks=(Ask("model", "Which model or alias is the default?", routes_and_aliases),)
)
