"""Calls that wait for a task's end, and the places that they take."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import pytest

from cutgate.gateway.waiting import ends
from cutgate.gateway.waiting.ends import TaskEnds
from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.record import Task
from tests.gateway.harness import Answer, Harness
from tests.ledgers import FreshLedger, noted_calls
from tests.waiting import eventually

SOON_SECONDS = 2.0
"""Far less than the calls below would wait, far more than an answer takes."""
A_WHILE_SECONDS = 0.15


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def waiting(gateway: Harness, *uids: str, seconds: int = 20) -> Answer:
    return gateway.call("ListTasksDetails", TaskUIDList=list(uids), WaitSeconds=seconds)


def held(gateway: Harness, threads: ThreadPoolExecutor, *uids: str, seconds: int = 20) -> Future[Answer]:
    """A call that waits in a thread of its own."""
    future = threads.submit(waiting, gateway, *uids, seconds=seconds)
    time.sleep(A_WHILE_SECONDS)
    assert not future.done()
    return future


def statuses(answer: Answer) -> list[str]:
    return [entry["Status"] for entry in answer["TaskDetailList"]]


def timed(call: Callable[[], Answer]) -> tuple[Answer, float]:
    started_at = time.monotonic()
    return call(), time.monotonic() - started_at


def test_the_answer_comes_when_a_task_ends(gateway: Harness, threads: ThreadPoolExecutor) -> None:
    first, second = gateway.submit(), gateway.submit()
    future = held(gateway, threads, second, first)
    gateway.finish_one()
    assert statuses(future.result(SOON_SECONDS)) == ["Queuing", "Finished"]


def test_a_task_that_has_ended_or_is_not_there_is_not_waited_for(gateway: Harness) -> None:
    ended, waits = gateway.submit(), gateway.submit()
    gateway.finish_one()
    for uid in (ended, new_task_uid()):
        answer, seconds = timed(partial(waiting, gateway, waits, uid))
        assert seconds < SOON_SECONDS
        assert statuses(answer)[0] == "Queuing"


def test_the_time_is_kept(gateway: Harness) -> None:
    uid = gateway.submit()
    answer, seconds = timed(lambda: waiting(gateway, uid, seconds=1))
    assert 1 <= seconds < SOON_SECONDS
    assert statuses(answer) == ["Queuing"]


def test_without_news_the_record_is_read_each_second(gateway: Harness, threads: ThreadPoolExecutor) -> None:
    # The ledger that tells the news is another one, so that none arrives.
    uid = gateway.submit()
    silent = FreshLedger(gateway.settings.ledger_limits()).events
    gateway.app = gateway.make_app(gateway.settings, events=silent)
    future = held(gateway, threads, uid)
    gateway.finish_one()
    assert statuses(future.result(SOON_SECONDS)) == ["Finished"]


def test_half_of_the_places_are_there_for_an_account(gateway: Harness, threads: ThreadPoolExecutor) -> None:
    gateway = gateway.with_settings(held_callers=4)
    uid = gateway.submit()
    waits = [held(gateway, threads, uid) for _ in range(2)]
    answer, seconds = timed(lambda: waiting(gateway, uid))
    assert (statuses(answer), seconds < SOON_SECONDS) == (["Queuing"], True)
    gateway.finish_one()
    assert [statuses(future.result(SOON_SECONDS)) for future in waits] == [["Finished"]] * 2
    # Their places are free again.
    other = gateway.submit()
    last = held(gateway, threads, other)
    gateway.finish_one()
    assert statuses(last.result(SOON_SECONDS)) == ["Finished"]


@pytest.mark.parametrize(("seconds", "code"), [(-1, 230), (31, 230), (1.5, 310), ("1", 310), (True, 310), (0, 0)])
def test_the_field(gateway: Harness, seconds: Any, code: int) -> None:
    uid = gateway.submit()
    answer = gateway.call("ListTasksDetails", TaskUIDList=[uid], WaitSeconds=seconds)
    assert answer["RetCode"] == code
    if code:
        assert "[WaitSeconds]" in answer["Message"]


def test_a_call_that_waits_reads_when_it_begins_and_ends(
    gateway: Harness, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between it asks only which of its tasks have ended."""
    batch, single = gateway.submit_batch(2), gateway.submit()
    calls = noted_calls(monkeypatch)
    future = held(gateway, threads, batch, single)
    gateway.finish_one()
    eventually(lambda: "ended" in calls)
    gateway.finish_one()
    assert statuses(future.result(SOON_SECONDS)) == ["Finished", "Queuing"]
    asked = [name for name in calls if name not in {"claim", "end"}]
    assert (asked[0], asked[-1], set(asked[1:-1])) == ("poll", "read", {"ended", "read"})


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ("ListTasksDetails", "TaskUIDList"),
        ("ListGenerateTaskDetail", "TaskUIDs"),
        ("GetGenerateTaskDetail", "TaskUID"),
    ],
)
def test_a_poll_asks_the_ledger_once(
    gateway: Harness, monkeypatch: pytest.MonkeyPatch, action: str, named: str
) -> None:
    """Its rate, whether its key still counts, and its tasks."""
    uid = gateway.submit()
    gateway.finish_one()
    calls = noted_calls(monkeypatch)
    fields: dict[str, Any] = {named: uid if named == "TaskUID" else [uid]}
    answer = gateway.call(action, **fields)
    assert (answer["RetCode"], calls) == (0, ["poll"])
    if action == "ListTasksDetails":
        assert statuses(waiting(gateway, uid)) == ["Finished"]
        assert calls == ["poll", "poll"]


PATIENCE_SECONDS = 20


class Silence:
    """Brings no news."""

    def follow(self, _: Callable[[TaskUid], None]) -> None:
        pass


@pytest.fixture
def quick_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "STEP_SECONDS", 0.05)


@pytest.mark.usefixtures("quick_steps")
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


@pytest.mark.usefixtures("quick_steps")
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


@pytest.mark.usefixtures("quick_steps")
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
