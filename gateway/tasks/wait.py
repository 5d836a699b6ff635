"""Use case: hold a call back until one of its tasks has ended. Knows no protocol and no HTTP."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ports import TaskEvents
from cutgate.jobs.record import Task

STEP_SECONDS: Final = 1.0
"""The record is read this often at least, since news can be lost."""


class NoPlaceToWait(Exception):
    """Too many calls are waiting."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place among those who may wait, which its holder has until it leaves."""

    tasks: Tasks
    events: TaskEvents

    def find(
        self, account: str, uids: Sequence[TaskUid], wait_seconds: float, entry: Entry | None = None
    ) -> tuple[Task | None, ...]:
        """Each task as it stands once one of them has ended, or once the time is over; see `Tasks.find`.

        A task that is not there counts as ended: nothing will ever happen to it.

        Args:
            account: who asks.
            uids: the tasks.
            wait_seconds: how long at most.
            entry: the request, where it is still to be counted.

        Raises:
            KeyChanged, RateExceeded: as `Tasks.find`, and at once.
            LedgerUnavailable: the ledger does not answer.
        """
        until_seconds = time.monotonic() + wait_seconds
        with self.events.listen(uids) as waiter:
            found = self.tasks.find(account, uids, entry)
            if any(task is None or task.ended_at_ms is not None for task in found):
                return found
            while (left_seconds := until_seconds - time.monotonic()) > 0:
                waiter.wait(min(left_seconds, STEP_SECONDS))
                if self.tasks.ended(account, uids):
                    break
        return self.tasks.find(account, uids)


class Waits:
    """Waiting calls, bounded together so that they leave request threads to others."""

    def __init__(self, tasks: Tasks, events: TaskEvents, at_once: int) -> None:
        """Put the parts together.

        Args:
            tasks: reads the record.
            events: says when to look.
            at_once: how many calls may wait.
        """
        self._place = Place(tasks, events)
        self._places = threading.Semaphore(at_once)

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Take a place for a block: before the work is accepted, where a caller must have its answer at once.

        Raises:
            NoPlaceToWait: all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise NoPlaceToWait
        try:
            yield self._place
        finally:
            self._places.release()

    def find(
        self, account: str, uids: Sequence[TaskUid], wait_seconds: float, entry: Entry | None = None
    ) -> tuple[Task | None, ...]:
        """As `Place.find`, and at once with what is known where no place is free.

        Raises:
            KeyChanged, RateExceeded: as `Tasks.find`.
            LedgerUnavailable: the ledger does not answer.
        """
        if wait_seconds:
            with suppress(NoPlaceToWait), self.place() as place:
                return place.find(account, uids, wait_seconds, entry)
        return self._place.tasks.find(account, uids, entry)
