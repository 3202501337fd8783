"""A config that comes from environment variables: where there is no file, in a worker deployment."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.config.document import read_document
from llr.config.migrate import upgrade

NAMES = ("LLM_ROUTER_CONFIG_JSON", "ROUTE_CONFIG_JSON", "LLM_ROUTER_JSON")


def config_text(env: Mapping[str, str]) -> str:
    """Returns the JSON text of the first variable that is set, "" when none is; parse once per distinct text."""
    return next((env[name] for name in NAMES if env.get(name)), "")


def document_from(text: str, env: Mapping[str, str]) -> JSON:
    """Returns the document in `text` at the current version; `LLM_ROUTER_MASTER_KEY` replaces its master key.

    A root that is no object comes back as it is, for `parse_config` to refuse. Raises `DocumentError`.
    """
    value = read_document(text.encode("utf-8", "replace")).value
    if not isinstance(value, dict):
        return value
    found = upgrade(value)
    master = env.get("LLM_ROUTER_MASTER_KEY", "")
    return {**found, "masterKey": master} if master else found
