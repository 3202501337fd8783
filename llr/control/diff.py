"""What a change does to the config file, as a unified diff that may be shown: secrets are masked on both sides."""

import difflib

from llr.base.jsonio import JSON
from llr.config.document import clone_object, write_document
from llr.config.mask import masked_doc
from llr.config.schema import Doc


def masked_diff(before: Doc | None, after: Doc, name: str) -> str:
    """Returns the diff from `before` (None: there is no file) to `after`, "" when nothing changes.

    A secret that changes always shows, also when both have the same mask: then a mark follows the mask.
    """
    old = [] if before is None else _lines(masked_doc(before))
    shown = masked_doc(after)
    if before is not None:
        shown = _marked(clone_object(shown), masked_doc(before), before, after)
    header = "/dev/null" if before is None else name
    return "\n".join(difflib.unified_diff(old, _lines(shown), header, name, lineterm=""))


def _lines(doc: Doc) -> list[str]:
    return write_document(doc).decode("utf-8").splitlines()


def _marked(shown: Doc, old_shown: Doc, before: Doc, after: Doc) -> Doc:
    for key, value in after.items():
        if key in before and key in old_shown:
            shown[key] = _mark(shown[key], old_shown[key], before[key], value)
    return shown


def _mark(shown: JSON, old_shown: JSON, before: JSON, after: JSON) -> JSON:
    if isinstance(shown, dict) and isinstance(old_shown, dict) and isinstance(before, dict) and isinstance(after, dict):
        return _marked(shown, old_shown, before, after)
    if isinstance(shown, list) and isinstance(old_shown, list) and isinstance(before, list) and isinstance(after, list):
        rows = zip(shown, old_shown, before, after, strict=False)
        return [_mark(*row) for row in rows] + shown[len(before) :]
    if isinstance(shown, str) and shown == old_shown and before != after:
        return f"{shown} (another value)"
    return shown
