"""What takes items back from lost workers and sends the hints that are missing.

Every worker's parent and every gateway calls it again and again, since any of them may be gone; one works at a
time.
"""

import time
from dataclasses import asdict
from typing import Final

import structlog

from cutgate.jobs.hints.queue import JobQueue
from cutgate.jobs.ledger.answers import Reaped
from cutgate.jobs.ledger.redis.upkeep import BATCH, RedisUpkeep
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import HINTS_RESENT, REAPED
from cutgate.jobs.upkeep.leadership import Leadership

HOLD_SECONDS: Final = 3.0
"""How long a reaper that has fallen silent keeps the others away."""
BACKLOG_SECONDS: Final = 0.3
"""How long one sweep goes on while there is more than one call takes on: others need the server as well."""

log = structlog.get_logger(__name__)


class Reaper:
    """Keeps claims and hints in order."""

    def __init__(self, store: RedisUpkeep, queue: JobQueue) -> None:
        self._store, self._queue = store, queue
        self._leadership = Leadership(store, "reaper", HOLD_SECONDS)

    def sweep(self) -> Reaped | None:
        """Put everything in order once.

        Returns:
            What the first call did; None when another process is at it.

        Raises:
            LedgerUnavailable: the ledger or the broker does not answer. A hint that was not sent is missing again
                after the grace time.
        """
        if not self._leadership.holds():
            return None
        until_seconds = time.monotonic() + BACKLOG_SECONDS
        first = last = self._reap(hints=True)
        # While there are more lost items than one call takes on, no time goes into hints.
        while last.items >= BATCH and time.monotonic() < until_seconds:
            last = self._reap(hints=False)
        last = first
        while max(last.hints.values(), default=0) >= BATCH and time.monotonic() < until_seconds:
            last = self._reap(hints=True)
        return first

    def _reap(self, *, hints: bool) -> Reaped:
        under_way = {lane: self._queue.pending(lane) for lane in self._store.lanes()} if hints else {}
        reaped = self._store.reap(under_way)
        if reaped != Reaped():
            log.info("reaped", **asdict(reaped))
            _tell_metrics(reaped)
        for lane, waiting in reaped.needless.items():
            self._queue.trim(lane, waiting)
        for lane, count in reaped.hints.items():
            for _ in range(count):
                self._queue.hint(lane)
        return reaped


def _tell_metrics(reaped: Reaped) -> None:
    for outcome in REAPED.labels["outcome"]:
        metrics.count(REAPED, getattr(reaped, outcome), outcome=outcome)
    metrics.count(HINTS_RESENT, sum(reaped.hints.values()))
