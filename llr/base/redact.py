"""Secrets that cannot be printed by accident."""

import re


def mask(secret: str) -> str:
    """Returns up to 8 characters as stars, longer text as first 4, "...", last 4."""
    if len(secret) <= 8:
        return "*" * len(secret)
    return f"{secret[:4]}...{secret[-4:]}"


class Secret:
    """A text whose `repr`, `str` and format are masked; `reveal()` gives it away on purpose."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Returns the secret itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({mask(self._text)!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)


_TOKEN = re.compile(
    r"(?i)\b(?:sk|pk|rk|gsk|xai|key|pplx|csk|gw|ghp|hf|r8)[-_][A-Za-z0-9_\-]{8,}"
    r"|\bAIza[0-9A-Za-z_\-]{20,}|\b(?:bearer|basic)\s+[A-Za-z0-9+/._~\-]{8,}=*"
)
# The longest scheme in use is far shorter than 16; the bound keeps a long run of letters linear.
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,15}://)[^/?#\s\"'<>]+@")
# Names of parameters that carry a key, whatever stands before them: `api-key`, `subscription_key`, a SAS `sig`.
_QUERY_KEY = re.compile(
    r"(?i)([?&](?:[\w.\-]{0,40}(?:key|token|secret|password|credential|signature)|sig|auth|code|pwd)=)[^&#\s\"']+"
)


def scrub(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Returns `text` without the given secrets and without anything shaped like a key, by value not by name."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "[redacted]")
    return without_logins(_TOKEN.sub("[redacted]", text))


def without_logins(text: str) -> str:
    """Returns `text` with no user, password or key inside its addresses."""
    text = _USERINFO.sub(r"\1[redacted]@", text)
    return _QUERY_KEY.sub(r"\1[redacted]", text)
