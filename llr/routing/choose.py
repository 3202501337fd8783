"""Which format is spoken to one model for one client, and whether that can be done.

Law: the choice never changes the order of candidates; a translated candidate is as good as a native one.
"""

from collections.abc import Mapping

from llr.base.names import CLIENT_FAMILY, NATIVE, FormatId, ProviderFormat
from llr.config.schema import Bucket, Model, Provider

# Kinds of provider that are configured but cannot be called yet.
UNBUILT_TYPES: Mapping[str | None, str] = {
    "subscription": "subscription-not-built",
    "local-runtime": "local-runtime-not-built",
}
# The wire format of each provider format; `openai` depends on client and model.
_WIRE: Mapping[ProviderFormat, FormatId] = {
    ProviderFormat.CLAUDE: FormatId.MESSAGES,
    ProviderFormat.OPENAI_CHAT: FormatId.CHAT,
    ProviderFormat.OPENAI_RESPONSES: FormatId.RESPONSES,
    ProviderFormat.GEMINI: FormatId.GEMINI,
}
_NARROW = (ProviderFormat.OPENAI_CHAT, ProviderFormat.OPENAI_RESPONSES)
_FORCED: Mapping[str, FormatId] = {"chat": FormatId.CHAT, "responses": FormatId.RESPONSES}
_OPENAI_CLIENTS = (FormatId.CHAT, FormatId.RESPONSES)


def supported_formats(provider: Provider, model: Model) -> tuple[ProviderFormat, ...]:
    """Returns the provider's formats the model works with, in the provider's order; all when the model names none.

    `openai` covers the two narrower names, so a pair of them meets in the narrower one.
    """
    offered = dict.fromkeys((*provider.formats, provider.format))
    if not model.formats:
        return tuple(offered)
    found: dict[ProviderFormat, None] = {}
    for one in offered:
        for other in model.formats:
            if one is other or (other is ProviderFormat.OPENAI and one in _NARROW):
                found[one] = None
            elif one is ProviderFormat.OPENAI and other in _NARROW:
                found[other] = None
    return tuple(found)


def wire_choice(
    provider: Provider, model: Model, client: FormatId, *, native: bool = False
) -> tuple[ProviderFormat, FormatId] | None:
    """Returns the provider format and wire format for one client, None when model and provider share no format.

    The client's own format wins if it is supported, unless the model's `wire` says how OpenAI clients must be served;
    otherwise the provider's first format. `native` calls keep the client's format wherever its family is spoken.
    """
    formats = supported_formats(provider, model)
    if not formats:
        return None
    if native:
        same = next((target for target in formats if _takes_native(target, client)), None)
        return (same, client) if same is not None else (formats[0], _WIRE.get(formats[0], FormatId.CHAT))
    forced = _FORCED.get(model.wire or "")
    if forced is not None and client in _OPENAI_CLIENTS:
        for target in formats:
            if target in NATIVE[forced]:
                return target, forced
    for target in NATIVE[client]:
        if target in formats:
            return target, client
    target = formats[0]
    return target, _WIRE.get(target, forced or FormatId.CHAT)


def _takes_native(target: ProviderFormat, client: FormatId) -> bool:
    """Returns whether a provider format has the other endpoints of a client's family; Chat alone has no Responses."""
    if client is FormatId.RESPONSES:
        return target in NATIVE[client]
    return target.family is CLIENT_FAMILY[client]


def unfit(provider: Provider, target: ProviderFormat, client: FormatId, *, native: bool = False) -> str | None:
    """Returns why a candidate cannot be tried, None when it can. `native` calls cannot be translated."""
    if provider.type in UNBUILT_TYPES:
        return UNBUILT_TYPES[provider.type]
    urls = provider.base_url_by_format
    if not (urls.get(target) or urls.get(target.family) or provider.base_url):
        return "no-base-url"
    if native and not _takes_native(target, client):
        return "format-incompatible"
    return None


def applying_buckets(provider: Provider, model: Model) -> tuple[Bucket, ...]:
    """Returns the provider's rate-limit buckets that count the model, in order; those without a cap count nothing."""
    return tuple(
        bucket
        for bucket in provider.rate_limits
        if (bucket.requests >= 1 or bucket.tokens is not None) and ("all" in bucket.models or model.id in bucket.models)
    )
