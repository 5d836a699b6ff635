"""The workers' presence in this process's memory, for tests of what stands on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from typing_extensions import override

from jobs.presence import Presence, WorkerPresence
from jobs.stores.codec import decode_presence, encode_presence


class MemoryPresence(Presence):
    """The workers' presence in memory."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Start empty; the clock is as in `MemoryLedger`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._workers: dict[str, tuple[bytes, float]] = {}

    @override
    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        with self._lock:
            self._workers[worker.owner] = (encode_presence(worker).encode(), self._clock() + ttl_seconds)

    @override
    def leave(self, owner: str) -> None:
        with self._lock:
            self._workers.pop(owner, None)

    @override
    def alive(self) -> tuple[WorkerPresence, ...]:
        with self._lock:
            now = self._clock()
            texts = [text.decode() for _, (text, until) in sorted(self._workers.items()) if until > now]
        return tuple(decode_presence(text) for text in texts)
