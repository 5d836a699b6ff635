"""Waits for many tasks at once without a thread for each: what `wait` does for threads, for an event loop."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ports import TaskEvents
from cutgate.jobs.record import Task

STEP_SECONDS: Final = 1.0
"""Every record is read this often at least, since news can be lost."""
_SHARES: Final = 20
"""They are not all read at the same moment: others wait for the interpreter and for the ledger meanwhile."""
_AT_ONCE: Final = 100
"""Records of one round trip."""
_LOG: Final = structlog.get_logger(__name__)

FindEnded = Callable[[str, Sequence[TaskUid]], Awaitable[Mapping[TaskUid, Task | None]]]


class AsyncWaits:
    """Says when tasks have ended. Used in the event loop's thread only."""

    def __init__(self, find_ended: FindEnded, events: TaskEvents) -> None:
        """Listen from now on.

        Args:
            find_ended: reads the records of those of an account's tasks that have ended; None where there is none.
            events: says when to look.
        """
        self._find_ended = find_ended
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[TaskUid, _Waited] = {}
        self._news: set[TaskUid] = set()
        self._in_turn: list[TaskUid] = []
        """What is still to be read of those that were waited for when the present round began."""
        self._has_news = asyncio.Event()
        self._looker = self._loop.create_task(self._look_on())
        events.follow(self._take_news)

    async def wait(self, account: str, uid: TaskUid, wait_seconds: float | None = None) -> Task | None:
        """The task once it has ended; None when it is not there, for nothing will ever happen to it.

        Args:
            account: whose it is.
            uid: of the task.
            wait_seconds: how long at most; None for as long as it takes.

        Raises:
            TimeoutError: it has not ended in time.
        """
        waited = self._waiting.setdefault(uid, _Waited(account))
        future: asyncio.Future[Task | None] = self._loop.create_future()
        waited.futures.add(future)
        self._look_soon(uid)  # it may have ended before
        try:
            async with asyncio.timeout(wait_seconds):
                return await future
        finally:
            waited.futures.discard(future)
            if not waited.futures:
                self._waiting.pop(uid, None)

    def close(self) -> None:
        """Look no more."""
        self._looker.cancel()

    def __len__(self) -> int:
        """How many tasks are waited for."""
        return len(self._waiting)

    def _take_news(self, uid: TaskUid) -> None:
        """Take a piece of news, in the thread of the news."""
        if uid in self._waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look_soon, uid)

    def _look_soon(self, uid: TaskUid) -> None:
        self._news.add(uid)
        self._has_news.set()

    async def _look_on(self) -> None:
        share_at = self._loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(share_at if self._waiting else None):
                    await self._has_news.wait()
            self._has_news.clear()
            uids, self._news = self._news, set()
            if self._loop.time() >= share_at:  # however much news there is
                share_at = self._loop.time() + STEP_SECONDS / _SHARES
                uids |= self._share()
            await self._look(uids & self._waiting.keys())

    def _share(self) -> set[TaskUid]:
        """Those whose turn it is."""
        if not self._in_turn:
            self._in_turn = list(self._waiting)
        size = -(-len(self._waiting) // _SHARES)
        share, self._in_turn = self._in_turn[:size], self._in_turn[size:]
        return set(share)

    async def _look(self, uids: AbstractSet[TaskUid]) -> None:
        by_account: defaultdict[str, list[TaskUid]] = defaultdict(list)
        for uid in uids:
            by_account[self._waiting[uid].account].append(uid)
        for account, own in by_account.items():
            for some in _batched(own, _AT_ONCE):
                await self._look_at(account, some)

    async def _look_at(self, account: str, uids: Sequence[TaskUid]) -> None:
        """Read some records. Whatever is in the way of that, they are looked at again in a second."""
        try:
            for uid, task in (await self._find_ended(account, uids)).items():
                self._settle(uid, task)
        except LedgerUnavailable as error:
            _LOG.warning("endings_not_read", reason=str(error))
        except Exception:
            if len(uids) == 1:
                _LOG.exception("ending_not_read", task_uid=uids[0])
            else:  # one that cannot be read is in nobody else's way
                for uid in uids:
                    await self._look_at(account, [uid])

    def _settle(self, uid: TaskUid, task: Task | None) -> None:
        waited = self._waiting.get(uid)
        for future in () if waited is None else waited.futures:
            if not future.done():
                future.set_result(task)


@dataclass(slots=True)
class _Waited:
    """A task that is waited for."""

    account: str
    futures: set[asyncio.Future[Task | None]] = field(default_factory=set)


def _batched(uids: Sequence[TaskUid], size: int) -> Iterator[Sequence[TaskUid]]:
    """The ids in parts of at most `size`."""
    return (uids[start : start + size] for start in range(0, len(uids), size))
