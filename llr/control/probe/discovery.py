"""What a provider lists, over all its endpoints: models, formats, how to reach each of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from llr.base.jsonio import JSON
from llr.control.probe.ask import auth_entry
from llr.control.probe.endpoint import ORDER, Found, Prober

NO_MODELS = "Model list API did not return any models. Add model ids manually if needed."
NO_FORMAT = "No working endpoint format detected yet. Run Test config after choosing models."


async def discover_all(
    endpoints: Sequence[str], prober: Prober, tell: Callable[[Mapping[str, JSON]], None]
) -> dict[str, JSON]:
    """Returns the merged report; all endpoints are asked at once, the first that knows something wins."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(prober.probe(url, tell=tell)) for url in endpoints]
    return merged(endpoints, [task.result() for task in tasks])


def merged(endpoints: Sequence[str], found: Sequence[Found]) -> dict[str, JSON]:
    """Returns the report of what was found at each endpoint, in their order."""
    models = {one.id: one for endpoint in reversed(found) for one in reversed(endpoint.models)}
    order = list(dict.fromkeys(one.id for endpoint in found for one in endpoint.models))
    urls: dict[str, JSON] = {}
    auths: dict[str, JSON] = {}
    for endpoint in found:
        for name in endpoint.working:
            urls.setdefault(name.value, endpoint.base_url)
            auths.setdefault(name.value, auth_entry(endpoint.detections[name].auth or "none"))
    preferred = next((one.preferred for one in found if one.working), None)
    warnings: list[JSON] = [] if order else [NO_MODELS]
    if not urls:
        warnings.append(NO_FORMAT)
    warnings += [f"{one.base_url}: {one.why}" for one in found if one.why]
    facts: dict[str, JSON] = {own: models[own].facts() for own in order if models[own].facts()}
    return {
        "ok": bool(order and urls),
        "endpoints": list(endpoints),
        "models": list(order),
        "workingFormats": [name.value for name in ORDER if name.value in urls],
        "preferredFormat": preferred.value if preferred else None,
        "baseUrlByFormat": urls,
        "authByFormat": auths,
        "warnings": warnings,
        "details": [one.form() for one in found],
        **({"modelFacts": facts} if facts else {}),
    }


def facts_of(found: Sequence[Found]) -> dict[str, Mapping[str, JSON]]:
    """Returns what the endpoints' lists told of each model."""
    return {one.id: one.facts() for endpoint in reversed(found) for one in endpoint.models}
