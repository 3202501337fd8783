"""A store that remembers nothing: every request is planned as if it were the first.

Law: pure. Meant for tests and for a process whose memory does not outlive a request: rotation always starts at the
first candidate, limits read 0 and grant everything, nothing ever cools.
"""

from collections.abc import Sequence

from llr.state.store import Keys, Op, Snapshot

_NOTHING = Snapshot()


class StatelessStore:
    """A `Store` that grants all and knows nothing."""

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns an empty snapshot."""
        return _NOTHING

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns True for every op, none of which is kept."""
        return (True,) * len(ops)

    async def everything(self, *, now: float) -> Snapshot:
        """Returns an empty snapshot."""
        return _NOTHING

    async def aclose(self) -> None:
        """Returns at once."""
