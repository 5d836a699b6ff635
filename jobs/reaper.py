"""The loop that takes items back from lost workers and sends the hints that are missing.

It runs in every worker's parent and in a gateway, since no worker may be alive; one of them works at a time.
"""

from __future__ import annotations

import threading
from dataclasses import asdict

import structlog

from jobs.errors import LedgerUnavailable
from jobs.ids import new_token
from jobs.queue import JobQueue
from jobs.upkeep import Reaped, Upkeep

log = structlog.get_logger(__name__)


class Reaper:
    """Keeps claims and hints in order."""

    def __init__(self, store: Upkeep, queue: JobQueue) -> None:
        self._store, self._queue = store, queue
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
            log.info("reaped", **asdict(reaped))
        for lane, count in reaped.hints.items():
            for _ in range(count):
                self._queue.hint(lane)
        return reaped

    def run(self, stop: threading.Event, every_seconds: float = 1) -> None:
        """Sweep again and again, whatever the ledger does, until `stop` is set."""
        while not stop.wait(every_seconds):
            try:
                self.sweep()
            except LedgerUnavailable as error:
                log.warning("reaper_waits", message=error.message)
            except Exception:
                # The loop is the last to save an item: no fault of one sweep may end it.
                log.exception("reaper_failed")
