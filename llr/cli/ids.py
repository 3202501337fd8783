"""The ids in a config, for shells that complete them."""

from collections.abc import Iterable

from llr.config import locate
from llr.config.edit_limits import limits_by_id
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Args
from llr.control.configfile import ConfigSyntaxError
from llr.control.operations import names
from llr.control.ops import pick
from llr.providers.catalog import VENDORS

KINDS = ("provider", "model", "alias", "route", "bucket", "preset", "operation")


def ids(kind: str, path: str) -> tuple[str, ...]:
    """Returns the ids of one of `KINDS`, in the config's order; none of a config that cannot be read."""
    if kind == "preset":
        return tuple(VENDORS)
    if kind == "operation":
        return names()
    try:
        doc = configfile.load(path, persist=False).doc
    except (ConfigSyntaxError, OSError):
        return ()
    return tuple(dict.fromkeys(_of_doc(kind, doc)))


def _of_doc(kind: str, doc: Doc) -> Iterable[str]:
    nothing = Args({})
    if kind == "provider":
        return pick.provider_ids(doc, nothing)
    if kind == "model":
        return (ref.partition("/")[2] for ref in locate.model_refs(doc))
    if kind == "bucket":
        return (bucket for _, entry in locate.providers(doc) for bucket in limits_by_id(entry))
    return pick.alias_ids(doc, nothing) if kind == "alias" else pick.routes_and_aliases(doc, nothing)
