"""Names as the config writes them: slugs, alias ids, route references, URLs, numbers.

Law: total functions; a text that does not fit gives None or "", never an exception.
"""

import math
import re
from collections.abc import Collection
from urllib.parse import quote, urlsplit

from llr.base.jsonio import JSON
from llr.base.names import FALSE_WORDS, SCHEME_PORTS, TRUE_WORDS, ProviderFormat
from llr.base.records import dataclass

_SLUG_RUN = re.compile(r"[^a-z0-9]+")
_PROVIDER_ID = re.compile(r"[a-z][a-z0-9-]*\Z")
_ALIAS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\[\]-]*\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_HOST = re.compile(r"[a-z0-9._~!$&'()*+,;=-]+\Z")
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Left as they are in a path or query; braces stay for `{model}`.
_URL_SAFE = "%/:=&?~#+!$,;'@()*[]{}|^\\-._"

STRATEGIES = ("auto", "ordered", "round-robin", "weighted-rr", "quota-aware-weighted-rr")
STRATEGY_SYNONYMS = {
    "automatic": "auto",
    "smart": "auto",
    "rr": "round-robin",
    "weighted-round-robin": "weighted-rr",
    "weighted_rr": "weighted-rr",
    "quota-aware-weighted-round-robin": "quota-aware-weighted-rr",
}
FORMAT_SYNONYMS = {"anthropic": ProviderFormat.CLAUDE}
WINDOW_UNITS = ("second", "minute", "hour", "day", "week", "month")
SEARCH_BACKENDS = ("brave", "tavily", "exa", "searxng")


def slug(text: str, fallback: str) -> str:
    """Returns `text` in lower case with every run of other characters as one dash, or `fallback` if nothing is left."""
    return _SLUG_RUN.sub("-", text.lower()).strip("-") or fallback


def is_provider_id(text: str) -> bool:
    """Returns whether `text` is a lower-case slug that starts with a letter."""
    return bool(_PROVIDER_ID.match(text))


def is_alias_id(text: str) -> bool:
    """Returns whether `text` follows the alias id grammar: no slash, no blank."""
    return bool(_ALIAS_ID.match(text))


def is_header_name(text: str) -> bool:
    """Returns whether `text` is an HTTP token (RFC 9110, 5.6.2)."""
    return bool(_TOKEN.match(text))


@dataclass(frozen=True, slots=True)
class Direct:
    """A reference to one model of one provider."""

    provider: str
    model: str

    @property
    def text(self) -> str:
        """Returns "provider/model"."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class ToAlias:
    """A reference to an alias."""

    id: str

    @property
    def text(self) -> str:
        """Returns the alias id."""
        return self.id


def parse_ref(text: str) -> Direct | ToAlias | None:
    """Returns what a route reference points at, None when it is malformed."""
    ref = text.strip()
    if not ref or any(char.isspace() for char in ref):
        return None
    if ref.startswith("alias:"):
        rest = ref.removeprefix("alias:")
        return ToAlias(rest) if is_alias_id(rest) else None
    provider, slash, model = ref.partition("/")
    if slash:
        return Direct(provider, model) if provider and model else None
    return ToAlias(ref) if is_alias_id(ref) else None


def split_weight(text: str, known_refs: Collection[str]) -> tuple[str, float | None]:
    """Returns the ref and the weight of "ref@weight"; the whole text is the ref when it is itself a known one."""
    ref, at, tail = text.rpartition("@")
    if not at or not ref or text in known_refs:
        return text, None
    weight = number(tail)
    return (ref, weight) if weight is not None and weight > 0 else (text, None)


def number(value: JSON) -> float | None:
    """Returns a finite JSON number or numeric text as a number, else None; a bool is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        parsed = float(value.strip())
        return parsed if math.isfinite(parsed) else None
    return None


def posint(value: JSON) -> int | None:
    """Returns a number or numeric text floored, None when that is below 1."""
    found = number(value)
    return math.floor(found) if found is not None and found >= 1 else None


def flag(value: JSON, default: bool) -> bool:
    """Returns a literal bool, a word that means one, else `default`."""
    if isinstance(value, bool):
        return value
    word = scalar_text(value).lower()
    if word in TRUE_WORDS:
        return True
    return False if word in FALSE_WORDS else default


def scalar_text(value: JSON) -> str:
    """Returns a text or number as trimmed text; "" for null, objects and arrays."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, int | float) else ""


def as_format(text: JSON) -> ProviderFormat | None:
    """Returns the provider format a config names, None for other text."""
    if not isinstance(text, str):
        return None
    word = text.strip()
    if word in FORMAT_SYNONYMS:
        return FORMAT_SYNONYMS[word]
    try:
        return ProviderFormat(word)
    except ValueError:
        return None


def _host_text(host: str) -> str:
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    host = host.lower()
    return host if _HOST.match(host) else ""


def url(text: JSON) -> str:
    """Returns an absolute http(s) URL in normal form, "" for anything else.

    User-info and fragment are removed, scheme and host lower-cased, the default port dropped; an empty path is "/".
    """
    if not isinstance(text, str):
        return ""
    cleaned = text.strip().replace("\t", "").replace("\r", "").replace("\n", "")
    try:
        parts = urlsplit(cleaned)
        port = parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in SCHEME_PORTS or "://" not in cleaned:
        return ""
    netloc = parts.netloc.rpartition("@")[2]
    if netloc.startswith("["):
        host = netloc.partition("]")[0].lower() + "]"
        host = host if _IPV6.match(host) else ""
    else:
        host = _host_text(netloc.partition(":")[0])
    if not host:
        return ""
    suffix = "" if port is None or port == SCHEME_PORTS[scheme] else f":{port}"
    path = _quoted(parts.path) or "/"
    query = f"?{_quoted(parts.query)}" if parts.query else ""
    return f"{scheme}://{host}{suffix}{path}{query}"


def _quoted(text: str) -> str:
    return quote(text, safe=_URL_SAFE, errors="replace")


def has_userinfo(text: JSON) -> bool:
    """Returns whether a URL carries a user name or password."""
    return isinstance(text, str) and "@" in text.partition("://")[2].partition("/")[0]
