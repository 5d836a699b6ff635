"""What takes items back from lost workers and sends the hints that are missing.

Every worker's parent and every gateway calls it again and again, since any of them may be gone; one works at a
time.
"""

import time
from dataclasses import asdict
from typing import Final

import structlog

from cutgate.jobs.answers import Reaped
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import HINTS_RESENT, REAPED
from cutgate.jobs.ports import Ledger
from cutgate.jobs.upkeep.leadership import Leadership

HOLD_SECONDS: Final = 3.0
"""How long a reaper that has fallen silent keeps the others away."""
BACKLOG_SECONDS: Final = 0.3
"""How long one sweep goes on while there is more than one call takes on: others need the server as well."""

log = structlog.get_logger(__name__)


class Reaper:
    """Keeps claims and hints in order."""

    def __init__(self, store: Ledger) -> None:
        self._store = store
        self._leadership = Leadership(store, "reaper", HOLD_SECONDS)
        self._unanswered_since_seconds: float | None = None
        """By this process's own clock, which does not stop, or step, with the server's."""

    def sweep(self) -> Reaped | None:
        """Put everything in order once.

        Returns:
            What the first call did; None when another process is at it.
        """
        asked_seconds = self._unanswered_since_seconds or time.monotonic()
        self._unanswered_since_seconds = asked_seconds
        first = None
        if self._leadership.holds():
            first = last = self._reap(time.monotonic() - asked_seconds)
            until_seconds = time.monotonic() + BACKLOG_SECONDS
            while last.items >= BATCH and time.monotonic() < until_seconds:
                last = self._reap()
        self._unanswered_since_seconds = None
        return first

    def _reap(self, silent_seconds: float = 0) -> Reaped:
        reaped = self._store.upkeep.reap(silent_seconds)
        if reaped != Reaped():
            log.info("reaped", **asdict(reaped))
            _tell_metrics(reaped)
        return reaped


def _tell_metrics(reaped: Reaped) -> None:
    for outcome in REAPED.labels["outcome"]:
        metrics.count(REAPED, getattr(reaped, outcome), outcome=outcome)
    metrics.count(HINTS_RESENT, sum(reaped.hints.values()))
