"""What a task's end makes due: in the same step, however it ends, once."""

from collections.abc import Callable

import pytest

from cutgate.jobs.answers import Reaped
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ErrandKind, NewTask
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import MemoryBlobStore
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, Ledger
from tests.ledgers import spent_sources


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(
        lease_seconds=15,
        job_timeout_seconds=120,
        queue_timeout_seconds=600,
        max_attempts=1,
        retention_seconds=1_000,
    )


def finish(ledger: Ledger, task: NewTask) -> None:
    claim = ledger.next_claim()
    assert ledger.done(claim)
    assert ledger.done(claim)


def fail(ledger: Ledger, task: NewTask) -> None:
    assert ledger.claims.fail(ledger.next_claim(), ERROR)


def fail_to_fetch(ledger: Ledger, task: NewTask) -> None:
    assert ledger.errands.fetch_failed(ledger.next_errand(), ERROR)


def terminate_waiting(ledger: Ledger, task: NewTask) -> None:
    assert ledger.tasks.terminate(task.uid, "alice")
    assert ledger.tasks.terminate(task.uid, "alice")


def terminate_running(ledger: Ledger, task: NewTask) -> None:
    ledger.next_claim()
    assert ledger.tasks.terminate(task.uid, "alice")


def wait_too_long(ledger: Ledger, task: NewTask) -> None:
    ledger.clock.advance(seconds=601)
    assert ledger.upkeep.reap() == Reaped(too_late=1)
    assert spent_sources(ledger) == {item.source for item in task.items if item.source_url is None}


def lose_every_worker(ledger: Ledger, task: NewTask) -> None:
    ledger.next_claim()
    ledger.clock.advance(seconds=16)
    assert ledger.upkeep.reap() == Reaped(worker_lost=1)


def lose_the_owner(ledger: Ledger, task: NewTask) -> None:
    assert ledger.claims.give_back_owned(ledger.next_claim().owner, died=True) == 1


End = Callable[[Ledger, NewTask], None]
ENDS: list[End] = [
    finish, fail, terminate_waiting, terminate_running, wait_too_long, lose_every_worker, lose_the_owner
]  # fmt: skip
BOTH = [ErrandKind.CALLBACK, ErrandKind.UPLOAD]


def kinds_due(ledger: Ledger, uid: TaskUid) -> list[ErrandKind]:
    errands = [ledger.next_errand() for _ in range(ledger.errands.due())]
    assert {errand.task for errand in errands} <= {uid}
    return sorted(errand.kind for errand in errands)


@pytest.mark.parametrize("end", ENDS)
def test_they_fall_due_however_the_task_ends(ledger: Ledger, end: End) -> None:
    task = ledger.submit(deliveries=DELIVERIES)
    assert ledger.errands.due() == 0
    end(ledger, task)
    assert kinds_due(ledger, task.uid) == BOTH
    assert ledger.no_errand()


@pytest.mark.parametrize("end", [terminate_waiting, wait_too_long, fail_to_fetch])
def test_they_fall_due_when_nothing_was_fetched(ledger: Ledger, end: End) -> None:
    task = ledger.submit(source_url=URL, deliveries=DELIVERIES)
    end(ledger, task)
    assert kinds_due(ledger, task.uid) == BOTH


def test_they_fall_due_with_the_last_item(ledger: Ledger) -> None:
    first, last = ledger.claimed_items(item_count=2, deliveries=DELIVERIES)
    assert ledger.done(first)
    assert ledger.errands.due() == 0
    assert ledger.claims.fail(last, ERROR)
    assert kinds_due(ledger, last.task) == BOTH


def test_two_of_a_kind_are_two_errands(ledger: Ledger) -> None:
    ledger.ended_task(deliveries=DELIVERIES + DELIVERIES)
    assert len({ledger.next_errand().id for _ in range(4)}) == 4


def test_a_task_without_any_makes_nothing_due(ledger: Ledger) -> None:
    ledger.ended_task()
    assert ledger.errands.due() == 0


def test_a_repeat_of_create_adds_none(ledger: Ledger) -> None:
    task = ledger.submit(deliveries=DELIVERIES)
    ledger.tasks.create(task)
    assert ledger.tasks.terminate(task.uid, "alice")
    assert ledger.errands.due() == len(DELIVERIES)


def test_retention_removes_what_is_left_of_them(ledger: Ledger) -> None:
    ledger.ended_task(deliveries=DELIVERIES)
    held = ledger.next_errand()
    ledger.clock.advance(seconds=1_001)
    assert Sweeper(ledger, MemoryBlobStore(), orphan_grace_seconds=3_600).sweep() == 1
    assert ledger.errands.due() == 0
    assert not ledger.errands.postpone(held, seconds=0)
    assert ledger.errands.done(held)
    assert ledger.no_errand()
    assert ledger.waiting(LANE) == 0
