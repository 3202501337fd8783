"""Operations on model aliases."""

import json

from llr.base.jsonio import JSON
from llr.config.edit_models import remove_alias, rename_alias, upsert_alias
from llr.config.grammar import STRATEGIES
from llr.config.lists import parse_targets
from llr.config.locate import alias_key, aliases, get, known_refs
from llr.config.schema import AliasTarget, Doc
from llr.control.call import Args
from llr.control.listing import STRATEGIES as LABELS
from llr.control.operation import Ask, Change, Done, Editing, Facts
from llr.control.ops.models import EMPTIED, prunes, removed, renamed
from llr.control.ops.pick import ASK_ALIAS, ASK_NEW_ID, alias_ids, required, routes_and_aliases
from llr.control.report import Fields, Outcome, Report, Table, refuse


def json_object(text: str | None, flag: str) -> Doc | None:
    """Returns the object that a flag holds, None for an absent or empty one. Raises `Refused` for anything else."""
    if text is None or not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        # The position only: the text itself may hold a secret.
        where = f" (line {exc.lineno}, column {exc.colno})" if isinstance(exc, json.JSONDecodeError) else ""
        raise refuse("bad-json-flag", f"{flag} must be a JSON object string{where}.") from exc
    if not isinstance(value, dict):
        raise refuse("bad-json-flag", f"{flag} must be a JSON object string.")
    return value


def _known(doc: Doc) -> set[str]:
    return known_refs(doc) | {key.strip() for key in aliases(doc) or {}}


def _targets(doc: Doc, args: Args, name: str) -> list[Doc] | None:
    text = args.text(name)
    if text is None:
        return None
    found = parse_targets(text, _known(doc))
    dropped = [token for token in text.replace(",", " ").split() if "://" in token]
    if dropped and not text.strip().startswith(("[", "{")):
        raise refuse("bad-target", f"{name.replace('_', '-')} takes routes, not URLs: {', '.join(dropped)}.")
    return found


def _upsert(doc: Doc, args: Args, _facts: Facts) -> Change:
    (own,) = required(args, "alias_id")
    targets = _targets(doc, args, "targets")
    fallbacks = [] if args.flag("clear_fallback_targets") else _targets(doc, args, "fallback_targets")
    metadata = json_object(args.text("alias_metadata"), "alias-metadata")
    made = upsert_alias(
        doc, own, strategy=args.text("strategy"), targets=targets, fallback_targets=fallbacks, metadata=metadata
    )
    return Change(made.doc, made.changes, {"id": own.strip()})


def _row(target: AliasTarget) -> tuple[str, str]:
    return target.ref, "Default" if target.weight is None else f"{target.weight:g}"


def _stored(done: Done) -> tuple[str, list[AliasTarget], list[AliasTarget]]:
    """Returns strategy, targets and fallbacks as the file has them, also those that validation complains of."""
    key = alias_key(done.doc, done.facts["id"]) or ""
    entry = (aliases(done.doc) or {}).get(key)
    alias = entry if isinstance(entry, dict) else {}

    def listed(name: str) -> list[AliasTarget]:
        value = get(alias, "alias", name)
        rows = value if isinstance(value, list) else []
        return [
            AliasTarget(str(get(row, "target", "ref")), _weight(row))
            if isinstance(row, dict)
            else AliasTarget(str(row))
            for row in rows
        ]

    strategy = get(alias, "alias", "strategy")
    return str(strategy or "ordered"), listed("targets"), listed("fallbackTargets")


def _weight(row: Doc) -> float | None:
    value = row.get("weight")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _upsert_report(done: Done) -> Outcome:
    strategy, targets, fallbacks = _stored(done)
    rows = (("Alias ID", done.facts["id"]), ("Routing Strategy", LABELS.get(strategy, strategy)))
    columns = ("Model Route", "Weight")
    sections = (
        Fields("Overview", rows),
        Table("Primary Routes", columns, tuple(map(_row, targets)), "No primary routes configured."),
        Table("Fallback Routes", columns, tuple(map(_row, fallbacks)), "No fallback routes configured."),
    )
    data: dict[str, JSON] = {
        "aliasId": done.facts["id"],
        "strategy": strategy,
        "targets": [{"ref": one.ref, "weight": one.weight} for one in targets],
        "fallbackTargets": [{"ref": one.ref, "weight": one.weight} for one in fallbacks],
    }
    return Outcome(report=Report("Model Alias Saved", sections), data=data)


def _remove(doc: Doc, args: Args, _facts: Facts) -> Change:
    (own,) = required(args, "alias_id")
    made = remove_alias(doc, own, prune=prunes(args))
    return Change(made.doc, made.changes, None, EMPTIED if prunes(args) else None)


def _remove_report(done: Done) -> Outcome:
    own = done.call.args.text("alias_id")
    sentence = "Emptied model alias 'default'." if own == "default" else f"Removed model alias '{own}'."
    return removed(done, sentence, aliasId=own)


def _remove_confirm(_doc: Doc, args: Args) -> tuple[str, bool]:
    return f"Remove model alias '{args.text('alias_id')}'?", False


def _rename(doc: Doc, args: Args, _facts: Facts) -> Change:
    old, new = required(args, "alias_id", "new_id")
    made = rename_alias(doc, old, new)
    return Change(made.doc, made.changes, renamed=True)


def _rename_report(done: Done) -> Outcome:
    return renamed(done, "Alias", done.call.args.text("alias_id") or "", done.call.args.text("new_id") or "")


def _is_new(doc: Doc, args: Args) -> bool:
    return alias_key(doc, args.text("alias_id") or "") is None


UPSERT_ALIAS = Editing(
    _upsert,
    _upsert_report,
    asks=(
        Ask("alias_id", "Alias id?", lambda doc, args: ["New alias", *alias_ids(doc, args)]),
        Ask("alias_id", "Id of the new alias?", when=lambda _doc, args: args.text("alias_id") is None),
        Ask("strategy", "Strategy?", lambda _doc, _args: list(STRATEGIES), when=_is_new),
        Ask("targets", "Targets (provider/model@weight, ...)?", routes_and_aliases, when=_is_new, many=True),
    ),
)
REMOVE_ALIAS = Editing(_remove, _remove_report, asks=(ASK_ALIAS,), confirm=_remove_confirm)
RENAME_ALIAS = Editing(_rename, _rename_report, asks=(ASK_ALIAS, ASK_NEW_ID))
