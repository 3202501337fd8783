"""`metadata.localModels`: local model files and the provider that is made of their enabled variants."""

from llr.base.names import ProviderFormat, ProviderId
from llr.base.redact import Secret
from llr.config.cursor import Cursor
from llr.config.models import ModelEntry
from llr.config.providers import ProviderEntry
from llr.config.schema import Model, Provider

LOCAL_ID = "local-models"
LOCAL_URL = "http://127.0.0.1:39391/v1"
LOCAL_KEY = "local-runtime"


def local_provider(root: Cursor) -> ProviderEntry | None:
    """Returns the generated provider of the enabled variants, None when there is none."""
    place = root.key("metadata").first(("localModels",)).of("localModels")
    if place.present and place.obj() is None:
        place.warn("not-an-object", f"{place.path} must be an object, it is ignored")
    library = place.key("library")
    found: dict[str, ModelEntry] = {}
    for key, item in place.key("variants").members():
        own = item.first(("id",)).text()
        if item.obj() is None or item.first(("enabled",)).value is not True or not own:
            continue
        if own in found:
            item.first(("id",)).error("local-variant-duplicate", f"duplicate local variant model id {own}")
            continue
        found[own] = _entry(own, key, item, library)
    if not found:
        return None
    models = tuple(found.values())
    provider = Provider(
        id=ProviderId(LOCAL_ID),
        name="Local Models",
        models=tuple(entry.model for entry in models),
        type="local-runtime",
        base_url=LOCAL_URL,
        api_key=Secret(LOCAL_KEY),
        format=ProviderFormat.OPENAI,
        formats=(ProviderFormat.OPENAI,),
    )
    return ProviderEntry(LOCAL_ID, place, True, models, provider)


def _entry(own: str, key: str, item: Cursor, library: Cursor) -> ModelEntry:
    base = item.first(("baseModelId",)).text()
    file = next((place for name, place in library.members() if (place.first(("id",)).text() or name) == base), None)
    listed = file.first(("availability",)).text() if file is not None else ""
    window = item.first(("contextWindow",)).posint()
    capabilities = item.first(("capabilities",)).obj() or {}
    model = Model(
        id=own,
        context_window=window,
        capabilities={name: value for name, value in capabilities.items() if isinstance(value, bool)},
        metadata={
            "localVariantKey": item.first(("key",)).text() or key,
            "baseModelId": base,
            "runtime": item.first(("runtime",)).text(),
            "preload": item.first(("preload",)).value is True,
            "availability": item.first(("availability",)).text() or listed or "available",
            "capacityState": item.first(("capacityState",)).text(),
            "estimatedBytes": item.first(("estimatedBytes",)).posint(),
        },
    )
    return ModelEntry(own, Cursor(None, item.path, item.issues, "model"), True, model)
