"""What all WebSockets of a process share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from cutgate.gateway.runware.authentication import Gatekeeper
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.runware.tasks.table import RunwareTasks
from cutgate.gateway.sockets.endings import Endings
from cutgate.gateway.sockets.hub import Sockets
from cutgate.gateway.tasks.query import Tasks

LARGE_BYTES: Final = 2**21
"""What counts as a large message."""
LARGE_AT_ONCE: Final = 2
"""Large messages that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What conversations work with; made in the sockets' thread."""

    sockets: Sockets
    endings: Endings
    gatekeeper: Gatekeeper
    runware: RunwareTasks
    sessions: Sessions
    tasks: Tasks
    large: asyncio.Semaphore
    """Room for large messages, over all connections: one costs several times its size while it is read."""
    calls: int
    """Calls of one connection that may wait for results at a time."""
    max_tasks: int
    """Tasks of one message."""
