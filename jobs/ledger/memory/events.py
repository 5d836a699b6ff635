"""News within this process's memory, for tests of what stands on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from typing_extensions import override

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.events import ErrandEvents, TaskEvents, Waiter
from cutgate.jobs.ledger.redis.waiters import Waiters

_COURIERS: Final = "couriers"


class MemoryTaskEvents(TaskEvents):
    """What a memory ledger tells; it is the ledger's `events`."""

    def __init__(self) -> None:
        self._waiters = Waiters()

    @override
    def listen(self, uids: Sequence[TaskUid]) -> AbstractContextManager[Waiter]:
        return self._waiters.listen(uids)

    @override
    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        self._waiters.follow(lambda channel: heard(TaskUid(channel)))

    def tell(self, uid: TaskUid) -> None:
        """Say that an item of a task has ended."""
        self._waiters.tell(uid)


class MemoryErrandEvents(ErrandEvents):
    """What a memory ledger tells couriers; it is the ledger's `errand_events`."""

    def __init__(self) -> None:
        self._waiters = Waiters()

    @override
    def listen(self) -> AbstractContextManager[Waiter]:
        return self._waiters.listen([_COURIERS])

    @override
    def tell(self) -> None:
        self._waiters.tell(_COURIERS)
