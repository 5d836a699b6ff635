"""Items whose source is at a URL: they count from the first moment, and wait once fetched."""

from __future__ import annotations

import pytest

from cutgate.jobs.errors import InsufficientCredits, QueueFull, Terminated, TimedOut
from cutgate.jobs.ids import new_token, source_key
from cutgate.jobs.ledger.answers import Balance, Leftovers, Reaped
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, NewItem, NewTask, Task, TaskStatus
from tests.fakes import ManualClock
from tests.jobs.build import (
    ERROR,
    LANE,
    SPEC,
    URL,
    MakeLedger,
    claim_next,
    new_task,
    result_of,
    run_at_once,
    take_errand,
)

LIMITS = LedgerLimits(queue_timeout_seconds=600, account_queue_cap=3)


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> RedisLedger:
    return make_ledger(LIMITS)


def created(ledger: RedisLedger, *, item_count: int = 1, price: int = 1) -> NewTask:
    task = new_task(item_count=item_count, price=price, source_url=URL)
    ledger.create(task)
    return task


def standing(ledger: RedisLedger, task: NewTask) -> Task:
    stored = ledger.get(task.uid, task.account)
    assert stored is not None
    return stored


def test_it_begins_as_fetching(ledger: RedisLedger) -> None:
    stored = standing(ledger, created(ledger))
    assert (stored.status, stored.items[0].state) == (TaskStatus.QUEUING, ItemState.FETCHING)
    assert ledger.waiting(LANE) == 0
    assert ledger.claim([LANE], "worker-1", new_token()) is None


def test_fetched_it_waits_and_is_done(ledger: RedisLedger) -> None:
    task = created(ledger)
    errand = take_errand(ledger)
    assert ledger.fetched(errand) == LANE
    (item,) = standing(ledger, task).items
    assert (item.state, item.source, item.attempts) == (ItemState.QUEUED, errand.source, 0)
    assert ledger.waiting(LANE) == 1
    claim = claim_next(ledger)
    assert (claim.task, claim.source, claim.attempt) == (task.uid, errand.source, 1)
    assert ledger.finish(claim, result_of(claim))
    assert standing(ledger, task).status is TaskStatus.FINISHED


def test_a_repeat_of_fetched_answers_as_the_first_time(ledger: RedisLedger) -> None:
    """Whoever gets a refusal deletes the bytes."""
    created(ledger)
    errand = take_errand(ledger)
    assert ledger.fetched(errand) == ledger.fetched(errand) == LANE
    claim = claim_next(ledger)
    assert ledger.fetched(errand) == LANE
    assert ledger.waiting(LANE) == 0
    assert not ledger.fetch_failed(errand, ERROR)
    assert ledger.finish(claim, result_of(claim))


def test_only_one_of_two_ends_counts(ledger: RedisLedger) -> None:
    task = created(ledger)
    errand = take_errand(ledger)
    answers = run_at_once(
        4, lambda n: bool(ledger.fetched(errand)) if n % 2 else ledger.fetch_failed(errand, ERROR)
    )
    (item,) = standing(ledger, task).items
    assert answers == ([False, True] if item.state is ItemState.QUEUED else [True, False]) * 2


def test_a_failed_fetch_fails_the_item_and_releases_its_price(ledger: RedisLedger, clock: ManualClock) -> None:
    ledger.grant("alice", 5)
    task = created(ledger, price=3)
    assert ledger.balance("alice") == Balance(granted=5, used=0, reserved=3)
    errand = take_errand(ledger)
    assert ledger.fetch_failed(errand, ERROR)
    assert ledger.fetch_failed(errand, ERROR)
    assert ledger.fetched(errand) is None
    stored = standing(ledger, task)
    assert (stored.status, stored.items[0].error) == (TaskStatus.ERROR, ERROR)
    assert ledger.balance("alice") == Balance(granted=5, used=0, reserved=0)
    assert ledger.unfinished("alice") == ()
    clock.advance(seconds=1_000)
    assert ledger.take_errand("courier-1", new_token()) is None


def test_it_counts_for_credits_and_caps(ledger: RedisLedger) -> None:
    created(ledger, item_count=2)
    with pytest.raises(QueueFull):
        created(ledger, item_count=2)
    ledger.grant("alice", 1)
    with pytest.raises(InsufficientCredits):
        created(ledger, price=2)
    assert ledger.errands_due() == 2


def test_its_place_is_that_of_its_acceptance(ledger: RedisLedger) -> None:
    first, second = created(ledger), created(ledger)
    ledger.create(third := new_task())
    errands = {errand.task: errand for errand in (take_errand(ledger), take_errand(ledger))}
    assert ledger.fetched(errands[second.uid])
    assert ledger.fetched(errands[first.uid])
    assert [claim_next(ledger).task for _ in range(3)] == [first.uid, second.uid, third.uid]


def test_some_items_are_fetched_and_others_sent(ledger: RedisLedger) -> None:
    model = new_task()
    sent = model.items[0]
    fetched = NewItem(source=source_key(model.uid, 1), spec=SPEC, source_url=URL)
    task = NewTask(uid=model.uid, account="alice", origin="test", items=(sent, fetched))
    ledger.create(task)
    assert [item.state for item in standing(ledger, task).items] == [ItemState.QUEUED, ItemState.FETCHING]
    claim = claim_next(ledger)
    assert (claim.index, ledger.finish(claim, result_of(claim))) == (0, True)
    assert standing(ledger, task).status is TaskStatus.RUNNING
    errand = take_errand(ledger)
    assert (errand.index, ledger.fetch_failed(errand, ERROR)) == (1, True)
    assert standing(ledger, task).status is TaskStatus.FINISHED


class TestTerminate:
    def test_it_takes_the_errand_along(self, ledger: RedisLedger) -> None:
        task = created(ledger, item_count=2)
        errand = take_errand(ledger)
        assert ledger.terminate(task.uid, "alice") == Leftovers()
        stored = standing(ledger, task)
        assert [item.error for item in stored.items] == [Terminated("the task was terminated").facts()] * 2
        assert (ledger.errands_due(), ledger.take_errand("courier-1", new_token())) == (0, None)
        assert ledger.fetched(errand) is None
        assert not ledger.postpone(errand, 0)

    def test_what_was_fetched_is_left_over(self, ledger: RedisLedger) -> None:
        task = created(ledger)
        errand = take_errand(ledger)
        ledger.fetched(errand)
        assert errand.source is not None
        assert ledger.terminate(task.uid, "alice") == Leftovers(sources=(errand.source,))
        assert ledger.waiting(LANE) == 0

    def test_a_line_of_others_stays_whole(self, ledger: RedisLedger) -> None:
        ledger.create(other := new_task())
        assert ledger.terminate(created(ledger).uid, "alice")
        assert claim_next(ledger).task == other.uid


class TestAge:
    def test_what_is_fetched_for_too_long_fails(self, ledger: RedisLedger, clock: ManualClock) -> None:
        task = created(ledger)
        errand = take_errand(ledger)
        clock.advance(seconds=590)
        assert ledger.reap("reaper-1", {LANE: 0}) == Reaped()
        clock.advance(seconds=11)
        assert ledger.reap("reaper-1", {LANE: 0}) == Reaped(too_late=1)
        (item,) = standing(ledger, task).items
        assert item.error is not None
        assert item.error.kind == TimedOut.kind
        assert ledger.fetched(errand) is None
        assert ledger.take_errand("courier-1", new_token()) is None

    def test_it_goes_on_once_fetched(self, ledger: RedisLedger, clock: ManualClock) -> None:
        created(ledger)
        clock.advance(seconds=500)
        errand = take_errand(ledger)
        ledger.fetched(errand)
        clock.advance(seconds=101)
        assert errand.source is not None
        assert ledger.reap("reaper-1", {}) == Reaped(too_late=1, left=Leftovers(sources=(errand.source,)))

    def test_a_hint_is_missing_only_once_fetched(self, ledger: RedisLedger, clock: ManualClock) -> None:
        created(ledger)
        clock.advance(seconds=300)
        assert ledger.reap("reaper-1", {LANE: 0}) == Reaped()
        ledger.fetched(take_errand(ledger))
        assert ledger.reap("reaper-1", {LANE: 0}) == Reaped()
        clock.advance(seconds=6)
        assert ledger.reap("reaper-1", {LANE: 0}) == Reaped(hints={LANE: 1})
