"""The workers' presence in this process's memory, for tests of what stands on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from typing_extensions import override

from cutgate.jobs.ledger.encoding import decode_presence, encode_presence
from cutgate.jobs.ledger.presence import Presence, WorkerPresence
from cutgate.jobs.spec import Lane


class MemoryPresence(Presence):
    """The workers' presence in memory."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start empty; the clock is as in `MemoryLedger`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._workers: dict[tuple[str, Lane], tuple[bytes, float]] = {}
        self._offered: dict[Lane, float] = {}

    @override
    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        with self._lock:
            now = self._clock()
            self._workers[worker.owner, worker.lane] = (encode_presence(worker).encode(), now + ttl_seconds)
            self._offered[worker.lane] = now

    @override
    def leave(self, owner: str) -> None:
        with self._lock:
            for name in [name for name in self._workers if name[0] == owner]:
                del self._workers[name]

    @override
    def alive(self) -> tuple[WorkerPresence, ...]:
        with self._lock:
            now = self._clock()
            texts = [text.decode() for _, (text, until) in sorted(self._workers.items()) if until > now]
        return tuple(decode_presence(text) for text in texts)

    @override
    def offered(self, within_seconds: float) -> frozenset[Lane]:
        alive = {worker.lane for worker in self.alive()}
        with self._lock:
            since = self._clock() - within_seconds
            return frozenset(alive | {lane for lane, at in self._offered.items() if at >= since})
