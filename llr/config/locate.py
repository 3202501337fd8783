"""Finding entries in the raw document, and writing members under the spelling the file already uses.

Law: works on a document that the caller owns (a copy); readers never change anything.
"""

from collections.abc import Iterator, Mapping

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.keys import spellings
from llr.config.models import model_id
from llr.config.providers import provider_id
from llr.config.schema import Doc


class EditError(ValueError):
    """An edit that cannot be made: `code` is stable, the message says what to do instead, `wrong` is the wrong name."""

    def __init__(self, code: str, message: str, wrong: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.wrong = wrong


def get(entry: Mapping[str, JSON], kind: str, name: str) -> JSON:
    """Returns the member under its first spelling that is present and not null."""
    return next((entry[key] for key in spellings(kind, name) if entry.get(key) is not None), None)


def put(entry: Doc, kind: str, name: str, value: JSON) -> None:
    """Sets the member under the spelling in use, else under the written name; later spellings stay as they are."""
    used = [key for key in spellings(kind, name) if entry.get(key) is not None]
    entry[used[0] if used else name] = value


def drop(entry: Doc, kind: str, name: str) -> None:
    """Removes the member under every spelling."""
    for key in spellings(kind, name):
        entry.pop(key, None)


def providers(doc: Doc) -> list[tuple[str, Doc]]:
    """Returns every provider entry that is an object with the id it goes by, disabled ones included."""
    listed = doc.get("providers")
    entries = listed if isinstance(listed, list) else [listed]
    return [(provider_id(one, at), one) for at, one in enumerate(entries, start=1) if isinstance(one, dict)]


def provider(doc: Doc, wanted: str) -> Doc:
    """Returns the entry of a provider. Raises `EditError` when there is none."""
    found = find_provider(doc, wanted)
    if found is None:
        known = ", ".join(own for own, _ in providers(doc)) or "none"
        raise EditError("provider-not-found", f"provider '{wanted}' not found; configured: {known}")
    return found


def find_provider(doc: Doc, wanted: str) -> Doc | None:
    """Returns the entry of a provider, None when there is none."""
    return next((entry for own, entry in providers(doc) if own == wanted), None)


def provider_list(doc: Doc) -> list[JSON]:
    """Returns the list of providers of `doc` for changing, made when it is missing or a single object."""
    listed = doc.get("providers")
    if not isinstance(listed, list):
        listed = [] if listed is None else [listed]
        doc["providers"] = listed
    return listed


def model_list(entry: Doc) -> list[JSON]:
    """Returns the list of models of a provider entry for changing, made when it is missing or a single value."""
    listed = entry.get("models")
    if not isinstance(listed, list):
        listed = [] if listed is None else [listed]
        entry["models"] = listed
    return listed


def model_index(entry: Doc, wanted: str) -> int | None:
    """Returns where a model stands: by its id, else by one of its aliases; None when there is none."""
    models = entry.get("models")
    listed = models if isinstance(models, list) else [models]
    for at, one in enumerate(listed):
        if model_id(one) == wanted:
            return at
    for at, one in enumerate(listed):
        if isinstance(one, dict) and wanted in Cursor(one, kind="model").key("aliases").texts():
            return at
    return None


def model(doc: Doc, owner: str, wanted: str) -> tuple[list[JSON], int, str]:
    """Returns the list a model stands in, its place and its id. Raises `EditError` when there is none."""
    entry = provider(doc, owner)
    at = model_index(entry, wanted)
    if at is None:
        known = ", ".join(own for one in model_list(entry) if (own := model_id(one))) or "none"
        raise EditError("model-not-found", f"model '{wanted}' not found in provider '{owner}'; configured: {known}")
    listed = model_list(entry)
    return listed, at, model_id(listed[at]) or wanted


def model_object(listed: list[JSON], at: int) -> Doc:
    """Returns a model entry as an object, turned into one when the file has only its id."""
    found = listed[at]
    if not isinstance(found, dict):
        found = {"id": found}
        listed[at] = found
    return found


def model_refs(doc: Doc, *, serving_only: bool = False) -> Iterator[str]:
    """Yields "provider/model" of every model; only enabled ones of enabled providers with `serving_only`."""
    for own, entry in providers(doc):
        if serving_only and entry.get("enabled") is False:
            continue
        for one in Cursor(entry.get("models")).each():
            name = model_id(one.value)
            off = isinstance(one.value, dict) and one.value.get("enabled") is False
            if name is not None and not (serving_only and off):
                yield f"{own}/{name}"


def known_refs(doc: Doc) -> set[str]:
    """Returns every "provider/model" and "provider/alias" a reference may name."""
    found = set(model_refs(doc))
    for own, entry in providers(doc):
        for one in Cursor(entry.get("models")).each():
            if isinstance(one.value, dict):
                found.update(f"{own}/{other}" for other in one.of("model").key("aliases").texts())
    return found


def aliases(doc: Doc) -> Doc | None:
    """Returns the alias map of `doc` for changing, None when it has none."""
    found = get(doc, "root", "modelAliases")
    return found if isinstance(found, dict) else None


def alias_map(doc: Doc) -> Doc:
    """Returns the alias map of `doc` for changing, made when it is missing. Raises `EditError` over another value."""
    found = get(doc, "root", "modelAliases")
    if found is None:
        found = {}
        put(doc, "root", "modelAliases", found)
    if not isinstance(found, dict):
        raise EditError("aliases-not-an-object", "modelAliases must be an object; correct the file first")
    return found


def alias_key(doc: Doc, wanted: str) -> str | None:
    """Returns the key an alias stands under (keys may carry blanks), None when there is none."""
    found = aliases(doc) or {}
    return next((key for key, one in found.items() if key.strip() == wanted and isinstance(one, dict)), None)


def object_member(entry: Doc, name: str) -> Doc:
    """Returns the object under `name` for changing, made when it is missing or no object."""
    found = entry.get(name)
    if not isinstance(found, dict):
        found = {}
        entry[name] = found
    return found
