"""What a server grants its clients."""

from llr.base.records import dataclass
from llr.net.head import MAX_HEAD_BYTES


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits of one server, in seconds, bytes and connections.

    `head_s`: from a request's first byte (or the connection's start) to its whole head. `idle_s`: between requests.
    `body_s`: for a whole request body; `body_gap_s`: between two of its bytes. `write_s`: without the client taking
    what fills the buffer. `linger_s`: after an answer that closes, for the client to close its side.
    """

    max_connections: int = 4096
    max_head_bytes: int = MAX_HEAD_BYTES
    head_s: float = 20.0
    idle_s: float = 75.0
    body_s: float = 300.0
    body_gap_s: float = 30.0
    write_s: float = 120.0
    linger_s: float = 2.0
