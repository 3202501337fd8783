"""Answers to pick from, and the words of confirmations, for the operations that ask."""

from llr.config import locate
from llr.config.edit_limits import limits_by_id
from llr.config.schema import Doc
from llr.control.call import Args
from llr.control.operation import Ask
from llr.control.report import Refused, refuse


def provider_ids(doc: Doc, _args: Args) -> list[str]:
    """Returns the providers of the document."""
    return [own for own, _ in locate.providers(doc)]


def model_ids(doc: Doc, args: Args) -> list[str]:
    """Returns the models of the provider that was named."""
    prefix = f"{args.text('provider_id')}/"
    return [ref.removeprefix(prefix) for ref in locate.model_refs(doc) if ref.startswith(prefix)]


def alias_ids(doc: Doc, _args: Args) -> list[str]:
    """Returns the aliases of the document."""
    return [key.strip() for key in locate.aliases(doc) or {}]


def bucket_ids(doc: Doc, args: Args) -> list[str]:
    """Returns the rate-limit buckets of the provider that was named."""
    return list(limits_by_id(locate.find_provider(doc, args.text("provider_id") or "") or {}))


def routes(doc: Doc, args: Args) -> list[str]:
    """Returns every route besides the model that was named."""
    own = f"{args.text('provider_id')}/{args.text('model')}"
    return [ref for ref in locate.model_refs(doc) if ref != own]


def routes_and_aliases(doc: Doc, args: Args) -> list[str]:
    """Returns what a default may lead to."""
    return [*alias_ids(doc, args), *locate.model_refs(doc)]


ASK_PROVIDER = Ask("provider_id", "Which provider?", provider_ids)
ASK_MODEL = Ask("model", "Which model?", model_ids)
ASK_ALIAS = Ask("alias_id", "Which alias?", alias_ids)
ASK_NEW_ID = Ask("new_id", "New id?")


def missing(*flags: str) -> Refused:
    """Returns the refusal of a call without these flags."""
    named = " and ".join(flags)
    return refuse("missing-flag", f"{named} {'is' if len(flags) == 1 else 'are'} required.")


def required(args: Args, *names: str) -> tuple[str, ...]:
    """Returns the texts of flags that must be there. Raises `Refused` naming the absent ones."""
    absent = [name.replace("_", "-") for name in names if not args.text(name)]
    if absent:
        raise missing(*absent)
    return tuple(args.text(name) or "" for name in names)
