"""The operation on a provider's rate-limit buckets."""

import json

from llr.base.jsonio import JSON
from llr.config.edit_limits import limits_by_id, remove_rate_limit, set_rate_limits
from llr.config.lists import BucketProblem, loose_list, parse_bucket, parse_window
from llr.config.locate import provider
from llr.config.schema import Config, Doc
from llr.control.call import Args
from llr.control.listing import buckets as bucket_table
from llr.control.listing import provider_data
from llr.control.operation import Ask, Change, Done, Editing, Facts
from llr.control.ops.pick import ASK_PROVIDER, bucket_ids, required
from llr.control.report import Fields, Outcome, Report, Section, Table, refuse

DIRECT = ("bucket_id", "bucket_name", "bucket_models", "bucket_requests", "bucket_window")
_INCOMPLETE = (
    "bucket-id or bucket-name, models, requests, and valid window are required. Example: --bucket-window=month:1"
)


# What a person may want who named only a provider.
CREATE, EDIT, REMOVE, REVIEW = "Create", "Edit", "Remove", "Review"


def _removes(args: Args) -> bool:
    return args.flag("remove_bucket") or args.text("action") == REMOVE


def _set(doc: Doc, args: Args, _facts: Facts) -> Change:
    (owner,) = required(args, "provider_id")
    entry = provider(doc, owner)
    if args.text("action") == REVIEW:
        return Change(doc, (), {"title": "Rate-Limit Bucket Review"})
    if _removes(args):
        own = args.text("bucket_id")
        if not own:
            raise refuse("missing-flag", "bucket-id is required when remove-bucket=true.")
        made = remove_rate_limit(doc, owner, own)
        return Change(made.doc, made.changes, {"removed": own})
    replace = args.flag("replace_rate_limits")
    taken = set() if replace else set(limits_by_id(entry))
    buckets = _from_json(args, taken)
    if any(args.given(name) for name in DIRECT) or not (buckets or args.given("rate_limits") or replace):
        buckets.append(_direct(args, taken))
    made = set_rate_limits(doc, owner, buckets, replace=replace)
    return Change(made.doc, made.changes)


def _from_json(args: Args, taken: set[str]) -> list[Doc]:
    text = args.text("rate_limits")
    if text is None:
        return []
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict | list):
        raise refuse("bad-json-flag", "rate-limits must be a JSON object or JSON array.")
    found = []
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise refuse("bad-bucket", "rate-limits must hold JSON objects.")
        found.append(_bucket(one, taken))
    return found


def _bucket(given: Doc, taken: set[str]) -> Doc:
    try:
        found = parse_bucket(given, taken)
    except BucketProblem as exc:
        raise refuse("bad-bucket", f"{exc}.") from exc
    taken.add(str(found["id"]))
    return found


def _direct(args: Args, taken: set[str]) -> Doc:
    models = loose_list(args.text("bucket_models") or "")
    window = parse_window(args.text("bucket_window"))
    named = args.text("bucket_id") or args.text("bucket_name")
    requests = args.text("bucket_requests")
    if not (named and models and requests and window):
        raise refuse("bad-bucket", _INCOMPLETE)
    given: Doc = {"models": list(models), "requests": requests, "window": window}
    for name, key in (("bucket_id", "id"), ("bucket_name", "name")):
        if args.text(name):
            given[key] = args.text(name)
    return _bucket(given, taken)


def _title(done: Done) -> str:
    if done.facts.get("title"):
        return str(done.facts["title"])
    removed = done.facts.get("removed")
    if removed:
        return f"Rate-Limit Bucket Removed: {removed}"
    own, name = done.call.args.text("bucket_id"), done.call.args.text("bucket_name")
    if done.call.terminal and (own or name):
        return f"Rate-Limit Bucket Updated: {f'{name} ({own})' if own and name else own or name}"
    return "Rate-Limit Buckets Updated"


def _report(done: Done) -> Outcome:
    owner = done.call.args.text("provider_id") or ""
    section, listed = _buckets(done.after.config, owner)
    rows = (("Provider ID", owner), ("Total Buckets", str(len(listed))))
    report = Report(_title(done), (Fields("Overview", rows), section))
    rates: list[JSON] = listed
    return Outcome(report=report, data={"providerId": owner, "rateLimits": rates})


def _buckets(config: Config | None, owner: str) -> tuple[Section, list[JSON]]:
    found = next((one for one in config.providers if one.id == owner), None) if config is not None else None
    if found is None:
        # A disabled or invalid provider is in the file, not in the config that serves.
        return Table("Buckets", ("Bucket",), (), "The provider is disabled or invalid."), []
    listed = provider_data(found)["rateLimits"]
    return bucket_table(found, "Buckets"), listed if isinstance(listed, list) else []


def _confirm(_doc: Doc, args: Args) -> tuple[str, bool] | None:
    if _removes(args):
        return f"Remove rate-limit bucket '{args.text('bucket_id')}' of '{args.text('provider_id')}'?", False
    if args.flag("replace_rate_limits"):
        return f"Replace all rate-limit buckets of '{args.text('provider_id')}'?", False
    return None


def _wants_bucket(_doc: Doc, args: Args) -> bool:
    other = args.text("action") in (REMOVE, REVIEW) or args.given("rate_limits") or args.flag("replace_rate_limits")
    return not (other or _removes(args))


def _names_only_provider(_doc: Doc, args: Args) -> bool:
    typed = any(args.given(name) for name in (*DIRECT, "rate_limits"))
    return not (typed or args.flag("remove_bucket") or args.flag("replace_rate_limits"))


def _wants_id(_doc: Doc, args: Args) -> bool:
    return _removes(args) or args.text("action") == EDIT


SET_RATE_LIMITS = Editing(
    _set,
    _report,
    asks=(
        ASK_PROVIDER,
        Ask("action", "What?", lambda _doc, _args: [CREATE, EDIT, REMOVE, REVIEW], when=_names_only_provider),
        Ask("bucket_id", "Which bucket?", bucket_ids, when=_wants_id),
        Ask(
            "bucket_name",
            "Bucket name?",
            when=lambda doc, args: _wants_bucket(doc, args) and not args.given("bucket_id"),
        ),
        Ask("bucket_models", "Models (all, or ids)?", when=_wants_bucket),
        Ask("bucket_requests", "Requests per window?", when=_wants_bucket),
        Ask("bucket_window", "Window (month:1, 6 hours, ...)?", when=_wants_bucket),
    ),
    confirm=_confirm,
)
