"""`quotaProbe`: how a provider's remaining budget is asked for. Read and checked; nothing runs it from here."""

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor

CAP_KINDS = ("dollars", "tokens", "requests")
MAPPED_FIELDS = ("used", "limit", "remaining", "resetAt", "isUnlimited")
AS_KINDS = ("number", "dollars-from-cents", "boolean", "datetime", "raw")
HTTP_TIMEOUT_MS, HTTP_TIMEOUT_CAP_MS = 5_000, 15_000
CUSTOM_TIMEOUT_MS, CUSTOM_TIMEOUT_CAP_MS = 2_000, 10_000


def read_quota_probe(place: Cursor, owner: str) -> dict[str, JSON] | None:
    """Returns the probe in normal form; None when absent, not literally enabled, or without a valid `capKind`."""
    item = place.of("quotaProbe")
    if not place.present:
        return None
    label = f"provider {owner}, quotaProbe"
    if item.obj() is None:
        place.warn("not-an-object", f"{label} must be an object")
        return None
    if item.key("enabled").value is not True:
        return None
    item.check_keys(label)
    cap = item.key("capKind").text()
    if cap not in CAP_KINDS:
        item.key("capKind").warn("quota-cap-kind", f"{label}: capKind must be one of {', '.join(CAP_KINDS)}, it is off")
        return None
    mode = _word(item.key("mode"), ("http", "custom", "command"), "http")
    if mode == "custom":
        item.key("mode").warn("quota-custom", f"{label}: custom probes are kept and not run", "use mode command")
    return {
        "enabled": True,
        "capKind": cap,
        "combinator": _word(item.key("combinator"), ("AND", "OR", "REPLACE"), "AND"),
        "enforce": _word(item.key("enforce"), ("gate", "observe"), "gate"),
        "mode": mode,
        "safetyMargin": {name: _amount(item.key("safetyMargin").key(name)) for name in ("dollars", "percent")},
        "http": _http(item.key("http"), label, mode),
        "custom": _custom(item.key("custom")),
        "refreshTriggers": _triggers(item.key("refreshTriggers")),
    }


def _word(place: Cursor, words: tuple[str, ...], default: str) -> str:
    found = place.one_of(tuple(word.lower() for word in words))
    return next((word for word in words if word.lower() == found), default)


def _amount(place: Cursor) -> float:
    found = place.finite()
    return found if found is not None and found >= 0 else 0


def _timeout(place: Cursor, default: int, cap: int) -> int:
    found = place.posint()
    return default if found is None else min(found, cap)


def _http(place: Cursor, label: str, mode: str) -> dict[str, JSON] | None:
    if place.obj() is None:
        if mode == "http":
            place.warn("quota-http", f"{label}: mode http needs an http object with a url")
        return None
    address = place.key("url").text()
    if not address and mode == "http":
        place.key("url").warn("quota-http", f"{label}: http.url is missing")
    found: dict[str, JSON] = {
        "method": "POST" if place.key("method").text().upper() == "POST" else "GET",
        "url": address,
        "headers": [
            {"key": name, "value": item.key("value").text()}
            for item in place.key("headers").each()
            if (name := item.first(("key", "name")).text())
        ],
        "timeoutMs": _timeout(place.key("timeoutMs"), HTTP_TIMEOUT_MS, HTTP_TIMEOUT_CAP_MS),
        "mapping": _mapping(place.key("mapping"), label),
    }
    body = place.key("body")
    return {**found, "body": body.value} if body.present else found


def _mapping(place: Cursor, label: str) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for name in MAPPED_FIELDS:
        field = place.key(name)
        path, kind = field.key("path").text(), field.key("as").text()
        if not path:
            continue
        if kind and kind not in AS_KINDS:
            field.key("as").warn("quota-mapping", f"{label}: mapping.{name}.as must be one of {', '.join(AS_KINDS)}")
        found[name] = {"path": path, "as": kind if kind in AS_KINDS else "raw"}
    fallbacks = place.key("limitFallbacks").texts()
    if fallbacks:
        found["limitFallbacks"] = list(fallbacks)
    constants = place.key("constants").obj()
    if constants:
        found["constants"] = constants
    return found


def _custom(place: Cursor) -> dict[str, JSON] | None:
    if place.obj() is None:
        return None
    timeout = _timeout(place.key("timeoutMs"), CUSTOM_TIMEOUT_MS, CUSTOM_TIMEOUT_CAP_MS)
    return {"source": place.key("source").string() or "", "timeoutMs": timeout}


def _triggers(place: Cursor) -> dict[str, JSON]:
    upstream = place.key("onUpstreamError")
    on_error: JSON = None
    if upstream.obj() is not None:
        codes: list[JSON] = [code for item in upstream.key("statusCodes").each() if (code := item.posint())]
        on_error = {"statusCodes": codes, "bodyRegex": upstream.key("bodyRegex").string()}
    return {
        "onUiOpen": place.key("onUiOpen").flag(False),
        "onManual": True,
        "onResetAt": place.key("onResetAt").flag(False),
        "onUpstreamError": on_error,
    }
