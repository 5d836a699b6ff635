"""Use case: hold a call back until one of its tasks has ended. Knows no protocol and no HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from gateway.query import Tasks
from jobs.events import TaskEvents
from jobs.ids import TaskUid
from jobs.record import Task

STEP_SECONDS: Final = 1.0
"""The record is read this often at least, since news can be lost."""


class Waits:
    """Waiting calls, bounded together so that they leave request threads to others."""

    def __init__(self, tasks: Tasks, events: TaskEvents, at_once: int) -> None:
        """Put the parts together.

        Args:
            tasks: reads the record.
            events: says when to look.
            at_once: how many calls may wait; one more is answered with what is known.
        """
        self._tasks = tasks
        self._events = events
        self._places = threading.Semaphore(at_once)

    def find(self, account: str, uids: Sequence[TaskUid], wait_seconds: float) -> tuple[Task | None, ...]:
        """Each task as it stands once one of them has ended, or once the time is over; see `Tasks.find`.

        A task that is not there counts as ended: nothing will ever happen to it.

        Raises:
            LedgerUnavailable: the ledger does not answer.
        """
        if not wait_seconds or not self._places.acquire(blocking=False):
            return self._tasks.find(account, uids)
        try:
            return self._wait(account, uids, time.monotonic() + wait_seconds)
        finally:
            self._places.release()

    def _wait(self, account: str, uids: Sequence[TaskUid], until_seconds: float) -> tuple[Task | None, ...]:
        with self._events.listen(uids) as waiter:
            while True:
                found = self._tasks.find(account, uids)
                left_seconds = until_seconds - time.monotonic()
                if left_seconds <= 0 or any(task is None or task.ended_at_ms is not None for task in found):
                    return found
                waiter.wait(min(left_seconds, STEP_SECONDS))
