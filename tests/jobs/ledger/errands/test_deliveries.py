"""What a task's end makes due: in the same step, however it ends, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.errands import ErrandKind
from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import NewTask
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import ManualClock, MemoryBlobStore
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, MakeLedger, claim_next, new_task, result_of, take_errand

LIMITS = LedgerLimits(
    lease_seconds=15, job_timeout_seconds=120, queue_timeout_seconds=600, max_attempts=1, retention_seconds=1_000
)


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> LedgerStore:
    return make_ledger(LIMITS)


def finish(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    claim = claim_next(ledger)
    assert ledger.finish(claim, result_of(claim))
    assert ledger.finish(claim, result_of(claim))


def fail(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    assert ledger.fail(claim_next(ledger), ERROR)


def terminate_waiting(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    assert ledger.terminate(task.uid, "alice")
    assert ledger.terminate(task.uid, "alice")


def terminate_running(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    claim_next(ledger)
    assert ledger.terminate(task.uid, "alice")


def wait_too_long(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    clock.advance(seconds=601)
    reaped = ledger.reap("reaper-1", {})
    assert reaped is not None
    assert reaped.too_late == 1


def lose_every_worker(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    claim_next(ledger)
    clock.advance(seconds=16)
    reaped = ledger.reap("reaper-1", {})
    assert reaped is not None
    assert reaped.worker_lost == 1


def lose_the_owner(ledger: LedgerStore, clock: ManualClock, task: NewTask) -> None:
    assert ledger.give_back_owned(claim_next(ledger).owner, died=True).items == 1


End = Callable[[LedgerStore, ManualClock, NewTask], None]
ENDS: list[End] = [
    finish,
    fail,
    terminate_waiting,
    terminate_running,
    wait_too_long,
    lose_every_worker,
    lose_the_owner,
]


def kinds_due(ledger: LedgerStore, uid: TaskUid) -> list[ErrandKind]:
    errands = [take_errand(ledger) for _ in range(ledger.errands_due())]
    assert {errand.task for errand in errands} <= {uid}
    return sorted(errand.kind for errand in errands)


@pytest.mark.parametrize("end", ENDS)
def test_they_fall_due_however_the_task_ends(ledger: LedgerStore, clock: ManualClock, end: End) -> None:
    task = new_task(deliveries=DELIVERIES)
    ledger.create(task)
    assert ledger.errands_due() == 0
    end(ledger, clock, task)
    assert kinds_due(ledger, task.uid) == [ErrandKind.CALLBACK, ErrandKind.UPLOAD]
    assert ledger.take_errand("courier-1", new_token()) is None


@pytest.mark.parametrize("end", [terminate_waiting, wait_too_long])
def test_they_fall_due_when_nothing_was_fetched(ledger: LedgerStore, clock: ManualClock, end: End) -> None:
    task = new_task(source_url=URL, deliveries=DELIVERIES)
    ledger.create(task)
    end(ledger, clock, task)
    assert kinds_due(ledger, task.uid) == [ErrandKind.CALLBACK, ErrandKind.UPLOAD]


def test_they_fall_due_with_a_failed_fetch(ledger: LedgerStore) -> None:
    task = new_task(source_url=URL, deliveries=DELIVERIES)
    ledger.create(task)
    assert ledger.fetch_failed(take_errand(ledger), ERROR)
    assert kinds_due(ledger, task.uid) == [ErrandKind.CALLBACK, ErrandKind.UPLOAD]


def test_they_fall_due_with_the_last_item(ledger: LedgerStore) -> None:
    task = new_task(item_count=2, deliveries=DELIVERIES)
    ledger.create(task)
    first, last = claim_next(ledger), claim_next(ledger)
    assert ledger.finish(first, result_of(first))
    assert ledger.errands_due() == 0
    assert ledger.fail(last, ERROR)
    assert kinds_due(ledger, task.uid) == [ErrandKind.CALLBACK, ErrandKind.UPLOAD]


def test_two_of_a_kind_are_two_errands(ledger: LedgerStore) -> None:
    task = new_task(deliveries=DELIVERIES + DELIVERIES)
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    errands = [take_errand(ledger) for _ in range(4)]
    assert len({errand.id for errand in errands}) == 4


def test_a_task_without_any_makes_nothing_due(ledger: LedgerStore) -> None:
    task = new_task()
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    assert ledger.errands_due() == 0


def test_a_repeat_of_create_adds_none(ledger: LedgerStore) -> None:
    task = new_task(deliveries=DELIVERIES)
    ledger.create(task)
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    assert ledger.errands_due() == len(DELIVERIES)


def test_retention_removes_what_is_left_of_them(ledger: LedgerStore, clock: ManualClock) -> None:
    task = new_task(deliveries=DELIVERIES)
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    held = take_errand(ledger)
    clock.advance(seconds=1_001)
    assert Sweeper(ledger, MemoryBlobStore(), orphan_grace_seconds=3_600).sweep() == 1
    assert ledger.errands_due() == 0
    assert not ledger.postpone(held, seconds=0)
    assert ledger.errand_done(held)
    assert ledger.take_errand("courier-1", new_token()) is None
    assert ledger.waiting(LANE) == 0
