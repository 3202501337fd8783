"""`webSearch`: search backends and hosted routes. Read and checked here; the feature of that name uses the result."""

from collections.abc import Iterator

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.config.cursor import Cursor
from llr.config.grammar import SEARCH_BACKENDS, number
from llr.config.links import Names

BALANCE = "quota-balance"
BALANCE_WORDS = (BALANCE, "quota-balanced", "quota-aware-weighted-rr")
DEFAULT_COUNT, MAX_COUNT, DEFAULT_LIMIT = 5, 20, 1_000

_ROUTE_PROVIDER = ("providerId", "provider", "routeProviderId", "provider-id")
_ROUTE_MODEL = ("model", "modelId", "routeModelId", "model-id")
_BACKEND_ID = ("id", "provider", "backend", "name")


def search_place(root: Cursor) -> Cursor:
    """Returns where the web search is configured: at the top level, else inside `amp`."""
    place = root.key("webSearch")
    if place.present:
        return place
    amp = root.key("amp")
    nested = amp.first(("webSearch", "web-search"))
    if nested.present or not _legacy_flat(amp):
        return nested
    return amp


def read_web_search(root: Cursor, names: Names) -> dict[str, JSON] | None:
    """Returns the web search in normal form, None when absent; every rule broken in the file is an issue."""
    place = search_place(root)
    if not place.present:
        return None
    if place.obj() is None:
        place.warn("not-an-object", "webSearch must be an object, it is ignored")
        return None
    item = place.of("webSearch")
    flat = not isinstance(item.key("providers").value, list | dict)
    if not flat:
        item.check_keys("webSearch")
    count = _outer_count(item.key("count"))
    entries = list(_legacy(item, count)) if flat else [_entry(key, one, count) for key, one in _listed(item)]
    kept: dict[str, dict[str, JSON]] = {}
    for source, entry in zip(
        [item] * len(entries) if flat else [one for _, one in _listed(item)], entries, strict=True
    ):
        if entry is None:
            continue
        own = str(entry["id"])
        if own in kept:
            source.error("search-provider-duplicate", f"webSearch provider {own} is duplicated, the first counts")
            continue
        kept[own] = entry
        if "model" in entry:
            _check_route(source, own, names)
    return {
        "strategy": _strategy(item.key("strategy")),
        "count": count,
        "providers": list(kept.values()),
        **({"interceptInternalSearch": True} if item.key("interceptInternalSearch").flag(False) else {}),
    }


def _strategy(place: Cursor) -> str:
    word = place.text().lower()
    if word in BALANCE_WORDS:
        return BALANCE
    if word and word != "ordered":
        place.error("search-strategy", f"webSearch has unsupported strategy {word}, ordered is used")
    return "ordered"


def _outer_count(place: Cursor) -> int:
    found = number(place.value)
    if found is None:
        return DEFAULT_COUNT
    clamped = max(1, min(MAX_COUNT, int(found)))
    if clamped != found:
        place.warn("out-of-range", f"webSearch count is {place.text()}, {clamped} is used")
    return clamped


def _listed(item: Cursor) -> list[tuple[str, Cursor]]:
    providers = item.key("providers")
    if isinstance(providers.value, dict):
        return [(key, one.of("searchBackend")) for key, one in providers.members()]
    return [("", one.of("searchBackend")) for one in providers.each()]


def _entry(key: str, item: Cursor, outer: int) -> dict[str, JSON] | None:
    if isinstance(item.value, str):
        item = Cursor({"id": item.value}, item.path, item.issues, item.kind)
    if item.obj() is None:
        item.warn("not-an-object", "a webSearch provider must be an object, it is ignored")
        return None
    explicit = item.first(("id",)).text() or key.strip()
    route = _route_id(item, explicit)
    if route is not None:
        provider, _, model = route.partition("/")
        return {"id": route, "providerId": provider, "model": model}
    own = (explicit or item.first(_BACKEND_ID).text()).lower()
    if not own:
        item.error("search-provider-id", "webSearch provider missing id", f"known: {', '.join(SEARCH_BACKENDS)}")
        return None
    if own not in SEARCH_BACKENDS or item.first(_ROUTE_MODEL).present:
        hint = f"use {', '.join(SEARCH_BACKENDS)} or a consistent provider/model"
        item.error("search-provider-unknown", f"webSearch provider {own} is unsupported", hint)
        return None
    item.check_keys(f"webSearch provider {own}")
    return _backend(own, item, outer)


def _route_id(item: Cursor, explicit: str) -> str | None:
    """Returns "provider/model" of a hosted route, None for a backend or when id and parts disagree."""
    provider, model = item.first(_ROUTE_PROVIDER).text(), item.first(_ROUTE_MODEL).text()
    built = f"{provider}/{model}" if provider and model else ""
    named = explicit if "/" in explicit.strip("/") else ""
    if built and explicit and explicit != built:
        return None
    return built or named or None


def _backend(own: str, item: Cursor, outer: int) -> dict[str, JSON]:
    searxng = own == "searxng"
    found: dict[str, JSON] = {"id": own}
    address = item.key("url").url().rstrip("/") if searxng else ""
    key = "" if searxng else item.key("apiKey").text()
    if address:
        found["url"] = address
    if key:
        found["apiKey"] = key
    count = _count(own, item.key("count"), outer)
    if count != DEFAULT_COUNT:
        found["count"] = count
    limit, remaining = item.key("limit"), item.key("remaining")
    found.update(_quota(own, limit, remaining, bool(address or key), 0 if searxng else DEFAULT_LIMIT))
    return found


def _count(own: str, place: Cursor, outer: int) -> int:
    found = number(place.value)
    if found is None:
        return outer
    if not 1 <= found <= MAX_COUNT:
        place.error("search-count", f"webSearch provider {own} has invalid count {place.text()}", f"1 to {MAX_COUNT}")
    return max(1, min(MAX_COUNT, int(found)))


def _quota(own: str, limit: Cursor, remaining: Cursor, credential: bool, default: int) -> dict[str, JSON]:
    cap, left = number(limit.value), number(remaining.value)
    if not credential and cap is None and left is None:
        return {}
    if cap is not None and cap < 0:
        limit.error("search-limit", f"webSearch provider {own} has invalid limit {limit.text()}")
        cap = None
    whole = default if cap is None else int(cap)
    if left is not None and left < 0:
        remaining.error("search-remaining", f"webSearch provider {own} has invalid remaining {remaining.text()}")
        left = None
    if left is not None and whole > 0 and left > whole and cap is not None:
        remaining.error("search-remaining-high", f"webSearch provider {own}: remaining cannot exceed limit {whole}")
    rest = whole if left is None else int(left)
    return {"limit": whole, "remaining": min(rest, whole) if whole > 0 else rest}


def _check_route(place: Cursor, own: str, names: Names) -> None:
    canonical = names.canonical.get(own)
    if canonical is None:
        place.error("search-route", f"webSearch provider {own} does not reference a configured route")
        return
    serving = names.serving.get(canonical)
    if serving is None:
        return
    provider, model = serving
    offered = {name.family for name in (*provider.formats, provider.format)}
    wanted = {name.family for name in model.formats} or offered
    if ProviderFormat.OPENAI not in offered & wanted:
        place.error("search-route-format", f"webSearch provider {own} must reference an OpenAI-compatible route")


def _spelled(backend: str, suffix: str) -> tuple[str, ...]:
    kebab = "".join(f"-{char.lower()}" if char.isupper() else char for char in suffix)
    return backend + suffix, backend + kebab


def _legacy_flat(item: Cursor) -> bool:
    return (
        any(item.first(_spelled(name, "ApiKey")).present for name in SEARCH_BACKENDS)
        or item.first(("searxngUrl", "searxng-url")).present
    )


def _legacy(item: Cursor, outer: int) -> Iterator[dict[str, JSON]]:
    """Yields the backends of the flat form (`braveApiKey`, `searxngUrl`, …), the preferred one first."""
    preferred = item.first(("preferredBackend", "preferred-backend")).text().lower()
    for own in sorted(SEARCH_BACKENDS, key=lambda name: name != preferred):
        key = "" if own == "searxng" else item.first(_spelled(own, "ApiKey")).text()
        address = item.first(("searxngUrl", "searxng-url", "url")).url().rstrip("/") if own == "searxng" else ""
        limit, left = item.first(_spelled(own, "MonthlyLimit")), item.first(_spelled(own, "Remaining"))
        if not key and not address:
            continue
        found: dict[str, JSON] = {
            "id": own,
            **({"apiKey": key} if key else {}),
            **({"url": address} if address else {}),
        }
        if outer != DEFAULT_COUNT:
            found["count"] = outer
        found.update(_quota(own, limit, left, True, 0 if own == "searxng" else DEFAULT_LIMIT))
        yield found
