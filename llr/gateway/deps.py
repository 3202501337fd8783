"""What a gateway needs from outside, and what it derives from one configuration, built once per configuration."""

from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, Protocol

from llr.base.clock import Clock
from llr.base.ids import IdSource
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass, field
from llr.config.schema import Config, Settings
from llr.gateway.access import AccessRules
from llr.gateway.history import History
from llr.gateway.learned import Calibration, Learned
from llr.gateway.observe import Observer, ignore
from llr.providers.auth import Credentials
from llr.providers.prepare import DEFAULT_USER_AGENT, Preparer
from llr.routing.resolve import LONGEST_NAME, MOST_ROUTES, Resolver
from llr.routing.route import Kind, Route
from llr.state.store import Store
from llr.wire.http import Timeouts, Transport

_NO_ENV: Mapping[str, str] = MappingProxyType({})


class Line(Protocol):
    """The way to the other processes of this gateway."""

    async def ask(self, question: JSON) -> Sequence[JSON]:
        """Returns what each of the others answers; who does not answer in time is left out."""

    def tell(self, news: JSON) -> None:
        """Tells all the others, without waiting."""


class Peers:
    """The other processes: none as long as there is no line to them."""

    __slots__ = ("line",)

    def __init__(self, line: Line | None = None) -> None:
        self.line = line


class Live:
    """One configuration in service with all that follows from it alone."""

    __slots__ = ("_routes", "access", "config", "memo", "preparer", "resolver", "settings", "timeouts")

    def __init__(
        self,
        config: Config,
        settings: Settings,
        *,
        env: Mapping[str, str] = _NO_ENV,
        user_agent: str = DEFAULT_USER_AGENT,
    ) -> None:
        self.config = config
        self.settings = settings
        self.resolver = Resolver(config, env=env, settings=settings)
        self.preparer = Preparer(env, user_agent)
        self.access = AccessRules.of(config, settings)
        self.memo: dict[str, Any] = {}
        self.timeouts: dict[str, Timeouts] = {}
        self._routes: dict[str, Route] = {}

    def route(self, model: str, client: FormatId, kind: Kind) -> Route:
        """Returns the route of a name. Raises as `Resolver.resolve`."""
        # One text as the key: hashing enums costs more than the whole look-up.
        key = f"{client._value_} {kind._value_} {model}"
        found = self._routes.get(key)
        if found is None:
            found = self.resolver.resolve(model, client, kind=kind)
            # Every name has many spellings with blanks around it.
            if len(self._routes) < MOST_ROUTES and len(model) <= LONGEST_NAME:
                self._routes[key] = found
        return found


class ConfigHolder:
    """The configuration in service. A request takes `current` once and keeps it to its end."""

    __slots__ = ("_env", "_user_agent", "current")

    def __init__(
        self,
        config: Config,
        settings: Settings,
        *,
        env: Mapping[str, str] = _NO_ENV,
        user_agent: str = DEFAULT_USER_AGENT,
    ) -> None:
        self._env = env
        self._user_agent = user_agent
        self.current = Live(config, settings, env=env, user_agent=user_agent)

    def swap(self, config: Config, settings: Settings) -> None:
        """Puts another configuration into service; requests under way keep the one they began with."""
        self.current = Live(config, settings, env=self._env, user_agent=self._user_agent)


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything a `Gateway` is given.

    `require_auth` enforces the master key; `bound_hosts` are names it listens under besides loopback ones;
    `failures_only` says that `observe` cares only for requests of which an attempt failed; `carrier_key` signs thinking
    carriers, `old_carrier_keys` still verify them; `holder` is what names of this process begin with in a shared store.
    """

    configs: ConfigHolder
    store: Store
    transport: Transport
    credentials: Credentials
    clock: Clock
    rng: Random
    ids: IdSource
    observe: Observer = ignore
    failures_only: bool = False
    require_auth: bool = False
    bound_hosts: tuple[str, ...] = ()
    carrier_key: bytes = b""
    old_carrier_keys: tuple[bytes, ...] = ()
    started_at: float = 0.0
    version: str = ""
    holder: str = ""
    learned: Learned = field(default_factory=Learned)
    calibration: Calibration = field(default_factory=Calibration)
    history: History = field(default_factory=History)
    recovered: dict[str, float] = field(default_factory=dict)
    peers: Peers = field(default_factory=Peers)
    memo: dict[str, Any] = field(default_factory=dict)
