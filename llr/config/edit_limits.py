"""Edits of a provider's rate limits."""

from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.document import clone, clone_object
from llr.config.edit_result import Edit
from llr.config.keys import BUCKET, known
from llr.config.limits import bucket_ids
from llr.config.locate import EditError, get, provider, put
from llr.config.schema import Doc


def set_rate_limits(doc: Doc, owner: str, buckets: Sequence[Mapping[str, JSON]], *, replace: bool = False) -> Edit:
    """Returns the document with these buckets on a provider, merged by id in place, or instead of the old ones.

    Each bucket must carry its `id`; what an old bucket of the same id holds besides (metadata, unknown keys) stays.
    """
    found = clone_object(doc)
    entry = provider(found, owner)
    listed = _identified(entry)
    changes = [f"rate limit {own} of {owner} removed" for own, _ in listed if replace]
    kept = [] if replace else listed
    for bucket in buckets:
        own = str(bucket.get("id") or "").strip()
        if not own:
            raise EditError("bucket-id", "bucket id or bucket name is required")
        at = next((at for at, (other, _) in enumerate(kept) if other == own), None)
        fresh = {key: clone(item) for key, item in bucket.items()}
        if at is None:
            kept.append((own, fresh))
        else:
            old = kept[at][1]
            kept[at] = own, _merged(old, fresh) if isinstance(old, dict) else fresh
        changes.append(f"rate limit {own} of {owner} {'added' if at is None else 'changed'}")
    put(entry, "provider", "rateLimits", [one for _, one in kept])
    return Edit(found, tuple(changes))


def remove_rate_limit(doc: Doc, owner: str, wanted: str) -> Edit:
    """Returns the document without this bucket. Raises `EditError` when the provider has none of that id."""
    found = clone_object(doc)
    entry = provider(found, owner)
    listed = _identified(entry)
    kept: list[JSON] = [one for own, one in listed if own != wanted]
    if len(kept) == len(listed):
        raise EditError("bucket-not-found", f"Rate-limit bucket '{wanted}' not found on provider '{owner}'.")
    put(entry, "provider", "rateLimits", kept)
    return Edit(found, (f"rate limit {wanted} of {owner} removed",))


def limits_by_id(entry: Doc) -> dict[str, Doc]:
    """Returns a provider entry's buckets by the id each goes by; the first of equal ids."""
    found: dict[str, Doc] = {}
    for own, one in _identified(entry):
        if isinstance(one, dict):
            found.setdefault(own, one)
    return found


def _identified(entry: Doc) -> list[tuple[str, JSON]]:
    """Returns every entry of the bucket list with the id it goes by, "" for what is no object."""
    items = Cursor(get(entry, "provider", "rateLimits")).each()
    ids = iter(bucket_ids([item.of("bucket") for item in items if item.obj() is not None]))
    return [(next(ids) if item.obj() is not None else "", item.value) for item in items]


def _merged(old: Doc, bucket: Doc) -> Doc:
    replaced = known("bucket") - set(BUCKET["metadata"].spellings) - {"tokens"}
    rest = {key: item for key, item in old.items() if key not in replaced and key not in bucket}
    return {**bucket, **rest}
