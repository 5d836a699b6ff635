"""News of tasks, so that a waiter need not poll: the ledger says when an item has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from jobs.ids import TaskUid


class Waiter(Protocol):
    """Listens for the end of items of some tasks, from the moment it was made."""

    def wait(self, timeout_seconds: float) -> bool:
        """Block until an item of one of the tasks ends; False when none did in time.

        News can be lost with a connection: read the record after waiting, and wait in steps of a second.
        """


class TaskEvents(Protocol):
    """Where waiters listen. One connection serves every waiter of a process."""

    def listen(self, uids: Sequence[TaskUid]) -> AbstractContextManager[Waiter]:
        """Subscribe first, read the record next, then wait: nothing can fall between."""

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on the news of every task from now on, for who waits for many and must not spend a thread on each.

        News can be lost here, too. `heard` is called in a thread that all news goes through: it must not block.
        """
