"""The parts of the program that operations reach only when one of them asks: probes and the catalogue.

Law: imported by name at the moment of use, so that editing a file never loads the network. A part that this build does
not have refuses with one sentence and exit code 1.

What the parts offer:
`llr.control.probe`: `async discover(question, progress)` and `async test(question, progress)`, results as JSON objects
with the keys that reports use (`ok`, `models`, `workingFormats`, `preferredFormat`, `baseUrlByFormat`, `modelSupport`,
`endpointMatrix`, `unresolvedModels`, `failureScope`, `warnings`).
`llr.control.catalogue`: `lookup(name, limit, config_path)` with `exact` and `suggestions`, each with `id` and
`context_window`; `async refresh(source, config_path, env)`.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.control.report import FAILED, refuse


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks: which endpoints, with which key, about which models. `env` decides about proxies.

    Without a key none is sent. `allow_plain_http` lets it travel unencrypted to another machine; `proxy` and `ca_file`
    are the provider's own.
    """

    endpoints: tuple[str, ...]
    api_key: str = field(repr=False)
    models: tuple[str, ...] = ()
    headers: Mapping[str, JSON] = field(default_factory=dict, repr=False)
    requests_per_minute: int = 30
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_plain_http: bool = False
    max_rate_limit_retries: int = 3
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None


def part(module: str, what: str, instead: str = "") -> Any:
    """Returns the module. Raises `Refused` when this build does not have it."""
    if find_spec(module) is None:
        raise refuse("not-built", f"{what} is not in this build yet.", instead, exit_code=FAILED)
    return import_module(module)
