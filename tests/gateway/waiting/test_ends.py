"""Waits in an event loop, and records that cannot be read."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import pytest

from cutgate.gateway.waiting import ends
from cutgate.gateway.waiting.ends import TaskEnds
from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.record import Task

PATIENCE_SECONDS = 20


class Silence:
    """Brings no news."""

    def follow(self, _: Callable[[TaskUid], None]) -> None:
        pass


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "STEP_SECONDS", 0.05)


def test_a_record_that_cannot_be_read_ends_no_other_wait() -> None:
    broken, good, later = (new_task_uid() for _ in range(3))

    async def find(_: str, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Task | None]:
        if broken in uids:
            raise ValueError("the record of a later version")
        return dict.fromkeys(uids)

    async def waiting() -> tuple[object, ...]:
        waits = TaskEnds(find, cast("TaskEvents", Silence()))
        first = asyncio.gather(
            waits.wait("ada", [broken], 0.5), waits.wait("ada", [good], PATIENCE_SECONDS), return_exceptions=True
        )
        results = await first
        return *results, await waits.wait("ada", [later], PATIENCE_SECONDS)

    failed, *found = asyncio.run(waiting())
    assert isinstance(failed, TimeoutError)
    assert found == [None, None]


def test_not_all_records_are_read_at_the_same_moment() -> None:
    many = [new_task_uid() for _ in range(60)]
    read: list[Sequence[TaskUid]] = []

    async def find(_: str, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Task | None]:
        read.append(uids)
        return {}

    async def waiting() -> None:
        waits = TaskEnds(find, cast("TaskEvents", Silence()))
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            callers = [group.create_task(waits.wait("ada", [uid])) for uid in many]
            while not read:
                await asyncio.sleep(0)
            read.clear()  # what is new is looked at at once
            while {uid for uids in read for uid in uids} != {*many}:
                await asyncio.sleep(0.01)
            for caller in callers:
                caller.cancel()

    asyncio.run(waiting())
    assert max(map(len, read)) == 3


class Chatter:
    """Brings news whenever it is told to."""

    def follow(self, take: Callable[[TaskUid], None]) -> None:
        self.tell = take


def test_however_much_news_there_is_all_records_are_read() -> None:
    restless, quiet = new_task_uid(), new_task_uid()
    chatter = Chatter()
    looks = 0

    async def find(_: str, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Task | None]:
        nonlocal looks
        chatter.tell(restless)
        await asyncio.sleep(0)
        looks += quiet in uids
        return {quiet: None} if looks == 2 else {}

    async def waiting() -> object:
        waits = TaskEnds(find, cast("TaskEvents", chatter))
        other = asyncio.create_task(waits.wait("ada", [restless]))
        try:
            return await waits.wait("ada", [quiet], PATIENCE_SECONDS)
        finally:
            other.cancel()

    assert asyncio.run(waiting()) is None
