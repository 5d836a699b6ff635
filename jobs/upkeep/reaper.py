"""What takes items back from lost workers and sends the hints that are missing.

Every worker's parent and every gateway calls it again and again, since any of them may be gone; one works at a
time.
"""

from dataclasses import asdict
from typing import Any

import structlog

from cutgate.jobs.hints.queue import JobQueue
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Reaped
from cutgate.jobs.ledger.redis.upkeep import RedisUpkeep
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import HINTS_RESENT, REAPED
from cutgate.jobs.upkeep.disposal import Disposal

log = structlog.get_logger(__name__)


class Reaper:
    """Keeps claims and hints in order."""

    def __init__(self, store: RedisUpkeep, queue: JobQueue, disposal: Disposal) -> None:
        self._store, self._queue, self._disposal = store, queue, disposal
        self._token = new_token()

    def sweep(self) -> Reaped | None:
        """Put everything in order once.

        Returns:
            What was done; None when another process is at it.

        Raises:
            LedgerUnavailable: the ledger or the broker does not answer. A hint that was not sent is missing again
                after the grace time.
        """
        under_way = {lane: self._queue.pending(lane) for lane in self._store.lanes()}
        reaped = self._store.reap(self._token, under_way)
        if reaped is None:
            return None
        if reaped != Reaped():
            log.info("reaped", **_counts(reaped))
            _tell_metrics(reaped)
        try:
            for lane, count in reaped.hints.items():
                for _ in range(count):
                    self._queue.hint(lane)
        finally:
            # No later sweep names them again.
            self._disposal.dispose(reaped.left)
        return reaped


def _tell_metrics(reaped: Reaped) -> None:
    for outcome in REAPED.labels["outcome"]:
        metrics.count(REAPED, getattr(reaped, outcome), outcome=outcome)
    metrics.count(HINTS_RESENT, sum(reaped.hints.values()))


def _counts(reaped: Reaped) -> dict[str, Any]:
    """What a line in the log says: not every source."""
    counts = asdict(reaped)
    del counts["left"]
    return counts
