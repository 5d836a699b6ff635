"""What WebSockets keep to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What connections keep to."""

    at_once: int = 500
    """Connections; one above is closed with code 1013."""
    threads: int = 8
    """Threads for calls that block, over all connections."""
    max_message_bytes: int = 64 * 2**20
    """Longest message that a peer may send; after a longer one the connection is closed with code 1009."""
    idle_seconds: float = 120
    """A connection on which nothing came for so long, while its peer waits for nothing, is closed."""
    ping_seconds: float = 25
    """Time between pings, which show that the peer is there."""
    admission_seconds: float = 15
    """Time in which a peer has to show who it is."""
