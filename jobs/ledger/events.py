"""News, so that who waits need not poll: the ledger says when an item has ended, and when an errand falls due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from cutgate.jobs.ids import TaskUid


class Waiter(Protocol):
    """Listens for news from the moment it was made."""

    def wait(self, timeout_seconds: float) -> bool:
        """Block until there is news; False when there was none in time.

        News can be lost with a connection: look into the ledger after waiting, and wait in steps of a second.
        """


class TaskEvents(Protocol):
    """Where waiters listen for the ends of items. One connection serves every waiter of a process."""

    def listen(self, uids: Sequence[TaskUid]) -> AbstractContextManager[Waiter]:
        """Subscribe first, read the record next, then wait: nothing can fall between."""

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on the news of every task from now on, for who waits for many and must not spend a thread on each.

        News can be lost here, too. `heard` is called in a thread that all news goes through: it must not block.
        """


class ErrandEvents(Protocol):
    """Where couriers listen for errands that fall due.

    There is news of those that a task's start or end makes due, or a courier that gives them back. What falls due
    with time, after a pause or at the end of a lease, is none: it is found by looking now and then.
    """

    def listen(self) -> AbstractContextManager[Waiter]:
        """Subscribe first, try to take an errand next, then wait: nothing can fall between."""

    def tell(self) -> None:
        """Wake the waiters of this process: what kept them from an errand may be over."""
