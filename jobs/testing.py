"""Fakes for the tests of whoever stands on the contract; each passes the behaviour suite of the real part.

clock = ManualClock()
ledger = MemoryLedger(LedgerLimits(), clock)
app = create_app(settings, ledger, MemoryBlobStore(), InlineQueue(run))
with ledger.events.listen([uid]) as waiter: ...
with ledger.errand_events.listen() as waiter: ...
clock.advance(seconds=16)       # every lease of a worker has lapsed
clock.advance(seconds=91)       # and every lease of a courier: what it had is due again
"""

from __future__ import annotations

import threading
import time

from cutgate.jobs.blobs.memory import MemoryBlobStore
from cutgate.jobs.hints.inline import InlineQueue
from cutgate.jobs.ledger.memory.ledger import MemoryLedger
from cutgate.jobs.ledger.memory.presence import MemoryPresence

__all__ = ["InlineQueue", "ManualClock", "MemoryBlobStore", "MemoryLedger", "MemoryPresence"]


class ManualClock:
    """A clock that stands still until it is advanced. It starts at the present: fresh task ids are young."""

    def __init__(self, now_seconds: float | None = None) -> None:
        self._started_at_seconds = time.time() if now_seconds is None else now_seconds
        self._advanced_seconds = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Unix time in seconds."""
        return self._started_at_seconds + self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._advanced_seconds += seconds

    def offset_ms(self) -> int:
        """How far it was advanced: what a store on a real server's clock adds to that one."""
        return round(self._advanced_seconds * 1000)
