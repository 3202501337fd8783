"""What known upstreams need from a translation, where no configuration says otherwise.

Law: only what a vendor documents, or what its servers are known to refuse; a row is looked up by the host of the base
URL. Same-format traffic is never changed by it.
"""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# No cache keys: nobody documents to read them. Servers on one's own machine often leave thinking in tags.
_PLAIN: Mapping[str, Any] = MappingProxyType({"prompt_cache_key": False})
_LOCAL: Mapping[str, Any] = MappingProxyType({"prompt_cache_key": False, "think_tags": True})
# By host or the domain it lies in. Sources: the vendors' API references and the errors their servers give.
_HOSTS: Mapping[str, Mapping[str, Any]] = {
    # Ids of exactly nine letters or digits; unknown fields, `stream_options` among them, are refused with 422.
    "mistral.ai": {"tool_id": "nine", "prompt_cache_key": False, "stream_usage": False, "prefill": False},
    # A turn with tool calls must come back with its `reasoning_content`; output formats stop at JSON objects.
    "deepseek.com": {"reasoning_replay": "required", "prompt_cache_key": False, "json_schema": False},
    "moonshot.ai": {"reasoning_replay": "required"},
    "moonshot.cn": {"reasoning_replay": "required"},
    "z.ai": {"reasoning_replay": "allowed", "prompt_cache_key": False, "json_schema": False},
    "bigmodel.cn": {"reasoning_replay": "allowed", "prompt_cache_key": False, "json_schema": False},
    # Passes cache marks on to vendors that have them, and takes reasoning back under its own name.
    "openrouter.ai": {
        "cache_control": True,
        "top_k": True,
        "reasoning_replay": "allowed",
        "reasoning_field": "reasoning",
        "prompt_cache_key": False,
    },
    "minimax.io": {"think_tags": True, "prompt_cache_key": False},
    "minimaxi.com": {"think_tags": True, "prompt_cache_key": False},
    "groq.com": _PLAIN,
    "cerebras.ai": _PLAIN,
    "together.xyz": _PLAIN,
    "deepinfra.com": _PLAIN,
    "novita.ai": _PLAIN,
    "siliconflow.com": _PLAIN,
    "nvidia.com": _PLAIN,
    "perplexity.ai": _PLAIN,
    "models.github.ai": _PLAIN,
}


@lru_cache(maxsize=512)
def traits_of(base_url: str) -> Mapping[str, Any]:
    """Returns what is known of the server behind a base URL, nothing for one nobody described."""
    try:
        host = (urlsplit(base_url).hostname or "").lower().rstrip(".")
    except ValueError:
        return _NOTHING
    if _is_near(host):
        return _LOCAL
    while host:
        if host in _HOSTS:
            return _HOSTS[host]
        host = host.partition(".")[2]
    return _NOTHING


def _is_near(host: str) -> bool:
    """Returns whether a host is this machine or one of its network."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".lan")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
