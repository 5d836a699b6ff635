"""Ends of tasks, for all callers of a process that wait for some."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

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

T = TypeVar("T")

FindEnded = Callable[[str, Sequence[TaskUid]], Awaitable[Mapping[TaskUid, Task | None]]]
"""Reads the records of those of an account's tasks that have ended; None where there is none."""
_Key = tuple[str, TaskUid]
_Future = asyncio.Future[Task | None]


class TaskEnds:
    """Says when tasks have ended. Used in the event loop's thread only."""

    def __init__(self, find_ended: FindEnded, events: TaskEvents) -> None:
        """Prepare; it listens to the events from the first wait on."""
        self._find_ended, self._events = find_ended, events
        self._waiting: dict[_Key, set[_Future]] = {}
        self._accounts: defaultdict[TaskUid, set[str]] = defaultdict(set)
        self._news: set[_Key] = set()
        #: What is still to be read of those that were waited for when the present round began.
        self._round: list[_Key] = []
        self._looker: asyncio.Task[None] | None = None

    async def wait(self, account: str, uids: Sequence[TaskUid], wait_seconds: float | None = None) -> Task | None:
        """The first of an account's tasks that has ended; None when it is not there: nothing will happen to it.

        Raises:
            TimeoutError: none has ended in time.
        """
        self._start()
        keys = [(account, uid) for uid in uids]
        future: _Future = asyncio.get_running_loop().create_future()
        for key in keys:
            self._waiting.setdefault(key, set()).add(future)
            self._accounts[key[1]].add(account)
        self._look_soon(keys)  # one may have ended before
        try:
            async with asyncio.timeout(wait_seconds):
                return await future
        finally:
            for key in set(keys):
                self._leave(key, future)

    def __len__(self) -> int:
        """How many tasks are waited for."""
        return len(self._waiting)

    def _start(self) -> None:
        if self._looker is None:
            loop = asyncio.get_running_loop()
            self._has_news = asyncio.Event()
            self._looker = loop.create_task(self._look_on())

            def take_news(uid: TaskUid) -> None:
                """Take a piece of news, in the thread of the news."""
                if uid in self._accounts and not loop.is_closed():
                    loop.call_soon_threadsafe(self._hear, uid)

            self._events.follow(take_news)

    def _leave(self, key: _Key, future: _Future) -> None:
        self._waiting[key].discard(future)
        if not self._waiting[key]:
            account, uid = key
            del self._waiting[key]
            self._accounts[uid].discard(account)
            if not self._accounts[uid]:
                del self._accounts[uid]

    def _hear(self, uid: TaskUid) -> None:
        self._look_soon([(account, uid) for account in self._accounts.get(uid, ())])

    def _look_soon(self, keys: Sequence[_Key]) -> None:
        self._news.update(keys)
        self._has_news.set()

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        share_at = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(share_at if self._waiting else None):
                    await self._has_news.wait()
            self._has_news.clear()
            keys, self._news = self._news, set()
            if loop.time() >= share_at:  # however much news there is
                share_at = loop.time() + STEP_SECONDS / _SHARES
                keys |= self._share()
            await self._look(keys & self._waiting.keys())

    def _share(self) -> set[_Key]:
        """Those whose turn it is."""
        if not self._round:
            self._round = list(self._waiting)
        size = -(-len(self._waiting) // _SHARES)
        share, self._round = self._round[:size], self._round[size:]
        return set(share)

    async def _look(self, keys: AbstractSet[_Key]) -> None:
        by_account: defaultdict[str, list[TaskUid]] = defaultdict(list)
        for account, uid in keys:
            by_account[account].append(uid)
        for account, own in by_account.items():
            for start in range(0, len(own), _AT_ONCE):
                await self._look_at(account, own[start : start + _AT_ONCE])

    async def _look_at(self, account: str, uids: Sequence[TaskUid]) -> None:
        """Read some records. Whatever is in the way of that, they are looked at again in a second."""
        found = await read_apart(partial(self._find_ended, account), uids)
        for uid, task in found.items():
            for future in self._waiting.get((account, uid), ()):
                if not future.done():
                    future.set_result(task)


async def read_apart(
    read: Callable[[Sequence[TaskUid]], Awaitable[Mapping[TaskUid, T]]], uids: Sequence[TaskUid]
) -> Mapping[TaskUid, T]:
    """Read some tasks; if that fails, read each alone, so that a broken one keeps no other back."""
    try:
        return await read(uids)
    except LedgerUnavailable as error:
        _LOG.warning("tasks_not_read", reason=str(error))
    except Exception:
        if len(uids) > 1:
            return {uid: said for one in uids for uid, said in (await read_apart(read, [one])).items()}
        _LOG.exception("tasks_not_read", task_uid=uids[0])
    return {}
