"""The document as it may be shown: secrets masked by name, by place and by shape.

Law: whatever looks like a credential is masked, whatever key it hides under; ids, models and addresses stay readable.
"""

import re
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.redact import mask, scrub
from llr.config.schema import Doc

_SECRET_NAME = re.compile(
    r"(?i)(?:\A|[-_.]|(?<=[a-z]))(?:master-?_?key|api-?_?key|credential|password|passwd|secret|(?:access|auth|refresh)?-?_?token"
    r"|client-?_?secret|private-?_?key)\Z"
)
_NAMES_A_VARIABLE = re.compile(r"(?i)(?:env|file|path)\Z")
_SECRET_HEADER = re.compile(r"(?i)authorization|key|token|cookie|secret|credential|password")
_USERINFO = re.compile(r"(?i)\A([a-z][a-z0-9+.-]*://)([^/\s@]+)@")


def masked(value: JSON, name: str = "") -> JSON:
    """Returns a copy of any part of the document with its secrets masked; `name` is the key it stands under."""
    return _masked(value, name, ())


def masked_doc(doc: Doc) -> Doc:
    """Returns a copy of the document with its secrets masked."""
    return {key: masked(item, key) for key, item in doc.items()}


def masked_headers(headers: Mapping[str, JSON]) -> dict[str, JSON]:
    """Returns headers with the values masked whose name looks like a credential's."""
    return {name: _header(name, value) for name, value in headers.items()}


def masked_text(text: str) -> str:
    """Returns text without the user-info of a URL and without anything shaped like a key."""
    return scrub(_USERINFO.sub(r"\1[redacted]@", text))


def is_secret_name(name: str) -> bool:
    """Returns whether a key's value is a secret by the key's name; `apiKeyEnv` only names a variable."""
    return bool(_SECRET_NAME.search(name)) and not _NAMES_A_VARIABLE.search(name)


def is_secret_header(name: str) -> bool:
    """Returns whether a header's value is a secret by the header's name."""
    return bool(_SECRET_HEADER.search(name))


def _masked(value: JSON, name: str, above: tuple[str, ...]) -> JSON:
    if isinstance(value, dict):
        if name == "headers":
            return masked_headers(value)
        if above[-1:] == ("headers",) and isinstance(value.get("value"), str):
            label = value.get("key") or value.get("name")
            return {**value, "value": _header(label if isinstance(label, str) else "", value["value"])}
        backend = name == "webSearch" or "webSearch" in above or "web-search" in above
        return {key: _member(key, item, (*above, name), backend) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name if is_secret_name(name) else "", (*above, name)) for item in value]
    return _leaf(value, name)


def _member(key: str, value: JSON, above: tuple[str, ...], backend: bool) -> JSON:
    if backend and key == "key" and isinstance(value, str):  # a search backend may spell its key `key`
        return mask(value)
    return _masked(value, key, above)


def _leaf(value: JSON, name: str) -> JSON:
    if not isinstance(value, str):
        return mask(str(value)) if is_secret_name(name) and value is not None and not isinstance(value, bool) else value
    if is_secret_name(name):
        return mask(value)
    return masked_text(value)


def _header(name: str, value: JSON) -> JSON:
    if is_secret_header(name) and value is not None and not isinstance(value, bool):
        return mask(str(value)) if not isinstance(value, dict | list) else "***"
    return masked_text(value) if isinstance(value, str) else masked(value)
