"""Which conversation a request belongs to, and keeping a conversation on its candidate.

Law: pure; a conversation is known by a short digest only, so that no client's text is kept. Pins live in the store,
bounded and with an end; a conversation moves only when its candidate fails, is over its limits or too small.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2s

from llr.base.records import dataclass
from llr.routing.keys import pin_key
from llr.routing.route import Candidate, Route
from llr.state.store import Op, Pin, Snapshot

# Header fields that name a conversation, the most telling first.
SESSION_HEADERS: tuple[str, ...] = (
    "x-claude-code-session-id",
    "x-amp-thread-id",
    "session_id",
    "session-id",
    "conversation_id",
    "conversation-id",
    "thread-id",
    "x-opencode-session",
    "x-session-affinity",
    "x-session-id",
    "x-conversation-id",
    "x-thread-id",
)
# A pin is written again only when it has aged by this much (or a tenth of its life): most turns write nothing.
_REFRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class Clues:
    """What in a request can tell its conversation: `user_id` is Messages' `metadata.user_id`; `opening` the text of the
    first messages, without anything that changes from turn to turn or from start to start."""

    prompt_cache_key: str | None = None
    user_id: str | None = None
    opening: str | None = None


NO_CLUES = Clues()


@dataclass(frozen=True, slots=True)
class Pinned:
    """Where a conversation is bound: the candidate's key if it can serve; `gone` if the binding must be dropped."""

    key: str | None = None
    gone: bool = False


def session_of(headers: Mapping[str, str], clues: Clues = NO_CLUES, *, mode: str = "thread") -> str | None:
    """Returns the digest of the conversation, None when it cannot be told.

    `headers` have lower-case names. `mode` is the alias's `affinity`: `thread` needs a sign the client set on purpose,
    `cache` takes the opening of the conversation too, `off` knows none.
    """
    if mode == "off":
        return None
    for name in SESSION_HEADERS:
        value = headers.get(name, "").strip()
        if value:
            return digest("thread", value)
    if clues.prompt_cache_key:
        return digest("cache", clues.prompt_cache_key)
    session = session_in_user_id(clues.user_id)
    if session:
        return digest("user", session)
    return digest("opening", clues.opening) if mode == "cache" and clues.opening else None


def session_in_user_id(user_id: str | None) -> str | None:
    """Returns the session part of `metadata.user_id`: a JSON object's `session_id`, or what follows `_session_`.

    A user id without one names a user, who has many conversations.
    """
    if not user_id:
        return None
    if user_id.lstrip().startswith("{"):
        try:
            parsed = json.loads(user_id)
        except ValueError:
            return None
        session = parsed.get("session_id") if isinstance(parsed, dict) else None
        return session if isinstance(session, str) and session else None
    return user_id.partition("_session_")[2] or None


def digest(kind: str, text: str) -> str:
    """Returns 16 hex digits for one clue."""
    return blake2s(f"{kind}\0{text}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def pinned(route: Route, state: Snapshot, session: str, fitting: Sequence[str], eligible: Sequence[str]) -> Pinned:
    """Returns where the conversation is bound, given the keys of eligible candidates and of those that also fit it."""
    pin = state.pins.get(pin_key(route.key, session))
    if pin is None:
        return Pinned()
    if pin.candidate in fitting:
        return Pinned(pin.candidate)
    return Pinned(gone=pin.candidate not in eligible)


def unpin_ops(route: Route, session: str) -> tuple[Op, ...]:
    """Returns what forgets a conversation's candidate."""
    return (Pin(pin_key(route.key, session), "", 0.0),)


def pin_ops(route: Route, candidate: Candidate, session: str | None, state: Snapshot, *, now: float) -> tuple[Op, ...]:
    """Returns what binds a conversation to the candidate that answered it; `state` is what planning read.

    Nothing where there is no choice, and nothing when the binding stands and is young.
    """
    if session is None or route.affinity == "off" or len(route.tryable) < 2:
        return ()
    key, ttl_s = pin_key(route.key, session), route.affinity_ttl_s
    pin = state.pins.get(key)
    young = pin is not None and pin.expires_at > now + ttl_s - min(_REFRESH_S, ttl_s / 10.0)
    if pin is not None and young and pin.candidate == candidate.key:
        return ()
    return (Pin(key, candidate.key, now + ttl_s),)
