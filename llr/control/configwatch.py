"""Noticing that the config file changed, and taking the new one over when it can serve.

Law: the old config stays until a new one is acceptable. A file that does not parse, has no usable provider or lacks a
needed master key is refused with its reason; any other error is reported and the rest serves.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from llr.base.clock import Clock
from llr.base.names import ProviderId
from llr.base.records import dataclass
from llr.config.accept import required_issues
from llr.config.schema import Config, Issue, Parsed, Provider
from llr.control.configfile import ConfigSyntaxError, Loaded

POLL_S = 0.5

# What a changed file differs in: modification time, size, inode; None for a missing file.
Signature: TypeAlias = "tuple[int, int, int] | None"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new config serves. `cleared` are providers whose health records no longer say anything;

    `server_changed` says that `metadata.localServer` asks for a listener of another kind.
    """

    loaded: Loaded
    config: Config
    cleared: frozenset[ProviderId]
    server_changed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The old config stays; `reason` is one line, `issues` everything that is wrong with the new one."""

    reason: str
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file says what it said before."""


Reload: TypeAlias = "Accepted | Refused | Unchanged"


def file_signature(path: str) -> Signature:
    """Returns what tells one version of a file from the next, None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def refusal(parsed: Parsed, *, require_auth: bool) -> Refused | None:
    """Returns why a document cannot take over, None when it can."""
    config = parsed.config
    if config is None:
        fatal = next((issue.message for issue in parsed.issues if issue.fatal), "config is not usable")
        return Refused(fatal, parsed.issues)
    auth = require_auth or config.local_server.require_auth
    missing = required_issues(config, provider=True, master_key=auth)
    if not missing:
        return None
    because = next((f": {issue.message}" for issue in parsed.errors), "") if not config.providers else ""
    return Refused(f"{missing[0].message}{because}", (*missing, *parsed.issues))


def cleared_providers(old: Config, new: Config) -> frozenset[ProviderId]:
    """Returns the providers of both whose credentials, address or headers differ: a rotated key counts at once."""
    before = {provider.id: _reach(provider) for provider in old.providers}
    return frozenset(
        provider.id for provider in new.providers if provider.id in before and before[provider.id] != _reach(provider)
    )


def _reach(provider: Provider) -> tuple[object, ...]:
    return (
        provider.api_key,
        provider.api_key_env,
        provider.base_url,
        provider.base_url_by_format,
        provider.headers,
        provider.auth,
        provider.auth_by_format,
        provider.proxy,
        provider.ca_file,
        provider.endpoint_paths,
    )


def judge(old: Loaded, new: Loaded, *, require_auth: bool) -> Reload:
    """Returns what becomes of a freshly read file beside the one that serves."""
    if new.etag == old.etag:
        return Unchanged()
    if not new.exists:
        return Refused("config file is missing")
    refused = refusal(new.parsed, require_auth=require_auth)
    if refused is not None:
        return refused
    config, before = new.parsed.config, old.parsed.config
    if config is None:
        return Refused("config is not usable", new.parsed.issues)
    if before is None:
        return Accepted(new, config, frozenset(), server_changed=False)
    return Accepted(new, config, cleared_providers(before, config), config.local_server != before.local_server)


class ConfigWatch:
    """Polls one file; `run` until cancelled, or `reload` when asked.

    `load` reads the file (it may block, so it runs in a thread), `on_reload` gets every outcome but
    Unchanged, and that too where it follows a refusal: the file is good again.
    `path` is what is looked at, links followed anew each time: a link that is made to point elsewhere is a change.
    `seen` is its signature from before `current` was read.
    One reload runs at a time; asking during one waits and then sees the newest file.
    """

    def __init__(
        self,
        current: Loaded,
        *,
        path: str | None = None,
        seen: Signature = None,
        load: Callable[[], Loaded],
        on_reload: Callable[[Reload], Awaitable[None]],
        clock: Clock,
        debounce_s: float,
        require_auth: bool = False,
        signature: Callable[[str], Signature] = file_signature,
        poll_s: float = POLL_S,
    ) -> None:
        self._current, self._path = current, path or current.path
        self._load, self._on_reload, self._clock = load, on_reload, clock
        self._debounce_s, self._poll_s, self._require_auth = debounce_s, poll_s, require_auth
        self._signature = signature
        self._seen = seen or signature(self._path)
        self._busy, self._refused = asyncio.Lock(), ""

    @property
    def current(self) -> Loaded:
        """Returns the file version that serves."""
        return self._current

    @property
    def refused(self) -> str:
        """Returns why the file as it was last read does not serve; "" when it does."""
        return self._refused

    async def run(self) -> None:
        """Watches until cancelled: a change is taken up once the file has been quiet for the debounce time."""
        while True:
            await self._clock.sleep(self._poll_s)
            if self._signature(self._path) == self._seen:
                continue
            await self._settle()
            await self.reload()

    async def _settle(self) -> None:
        found = self._signature(self._path)
        while True:
            await self._clock.sleep(self._debounce_s)
            later = self._signature(self._path)
            if later == found:
                return
            found = later

    async def reload(self) -> Reload:
        """Reads the file now and returns what came of it; the old config stays unless the new one was accepted."""
        async with self._busy:
            self._seen = self._signature(self._path)
            outcome = await self._judged()
            if isinstance(outcome, Accepted):
                self._current = outcome.loaded
            if not isinstance(outcome, Unchanged) or self._refused:
                await self._on_reload(outcome)
            self._refused = outcome.reason if isinstance(outcome, Refused) else ""
            return outcome

    async def _judged(self) -> Reload:
        try:
            loaded = await asyncio.to_thread(self._load)
        except ConfigSyntaxError as exc:
            return Refused(str(exc))
        except OSError as exc:
            return Refused(f"{self._current.path}: {exc.strerror or exc}")
        return judge(self._current, loaded, require_auth=self._require_auth)
