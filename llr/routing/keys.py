"""The texts under which routing remembers: exact, because state files and other programs hold them.

Law: total, pure; renaming an alias, provider, model or bucket gives a new key and so a fresh start.
"""

from urllib.parse import quote

from llr.base.names import CLIENT_FAMILY, FormatId, ProviderFormat

# What JavaScript's encodeURIComponent leaves alone besides letters and digits; the reference's files are written by it.
_SAFE = "-_.!~*'()"
# The fingerprint of a key that there is none of, or none that this process knows.
NO_CREDENTIAL = "none"


def enc(text: str) -> str:
    """Returns `text` percent-encoded: UTF-8, upper-case hex, all but `A-Z a-z 0-9 - _ . ! ~ * ' ( )`."""
    return quote(text, safe=_SAFE, errors="replace")


def route_key(route_type: str, ref: str, client: FormatId | None) -> str:
    """Returns the cursor's key; missing parts read `direct`, `smart`, `auto`."""
    family = CLIENT_FAMILY[client].value if client is not None else "auto"
    return f"route:{enc(route_type or 'direct')}:{enc(ref or 'smart')}@{enc(family)}"


def candidate_key(ref: str, target: ProviderFormat | None) -> str:
    """Returns the health key of "provider/model" spoken to in one format; all OpenAI names count as `openai`."""
    return f"candidate:{enc(ref)}@{target.family.value if target is not None else 'auto'}"


def credential_key(provider: str, fingerprint: str) -> str:
    """Returns the health key of one provider's key: failures of the key itself concern all its models."""
    return f"credential:{enc(provider)}@{enc(fingerprint)}"


def bucket_key(provider: str, bucket: str) -> str:
    """Returns the key of one rate-limit bucket's request count."""
    return f"bucket:{enc(provider)}:{enc(bucket)}"


def token_bucket_key(provider: str, bucket: str) -> str:
    """Returns the key of one rate-limit bucket's token count; `#` cannot come from an id, which is encoded."""
    return bucket_key(provider, bucket) + "#tokens"


def slot_key(kind: str, name: str) -> str:
    """Returns the key of the slots of a `provider`, `model` or `alias`."""
    return f"slot:{kind}:{enc(name)}"


def pin_key(route: str, session: str) -> str:
    """Returns the key that binds one conversation on one route."""
    return f"pin:{route}:{session}"
