"""Items whose source is at a URL: they count from the first moment, and wait once fetched."""

import pytest

from cutgate.jobs.answers import Balance, Reaped
from cutgate.jobs.errors import InsufficientCredits, QueueFull, Terminated, TimedOut
from cutgate.jobs.ids import source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, NewItem, NewTask, TaskStatus
from tests.jobs.build import ERROR, LANE, SPEC, URL, Ledger, new_task, run_at_once
from tests.ledgers import hints_of, spent_sources, stored_item


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(queue_timeout_seconds=600, account_queue_cap=3)


def test_it_begins_as_fetching(ledger: Ledger) -> None:
    stored = ledger.task(ledger.submit(source_url=URL).uid)
    assert (stored.status, stored.items[0].state) == (TaskStatus.QUEUING, ItemState.FETCHING)
    assert ledger.waiting(LANE) == 0
    assert ledger.no_claim()


def test_fetched_it_waits_and_is_done(ledger: Ledger) -> None:
    errand = ledger.fetching()
    assert ledger.errands.fetched(errand)
    item = ledger.item(errand)
    assert (item.state, item.attempts) == (ItemState.QUEUED, 0)
    assert stored_item(ledger, errand.task).source == errand.source
    assert ledger.waiting(LANE) == 1
    claim = ledger.next_claim()
    assert (claim.task, claim.source, claim.attempt) == (errand.task, errand.source, 1)
    assert ledger.done(claim)
    assert ledger.task(errand.task).status is TaskStatus.FINISHED


def test_a_repeat_of_fetched_answers_as_the_first_time(ledger: Ledger) -> None:
    """Whoever gets a refusal deletes the bytes."""
    errand = ledger.fetching()
    assert [ledger.errands.fetched(errand) for _ in range(2)] == [True, True]
    claim = ledger.next_claim()
    assert ledger.errands.fetched(errand)
    assert ledger.waiting(LANE) == 0
    assert not ledger.errands.fetch_failed(errand, ERROR)
    assert ledger.done(claim)


def test_only_one_of_two_ends_counts(ledger: Ledger) -> None:
    errand = ledger.fetching()
    answers = run_at_once(
        4, lambda n: bool(ledger.errands.fetched(errand)) if n % 2 else ledger.errands.fetch_failed(errand, ERROR)
    )
    item = ledger.item(errand)
    assert answers == ([False, True] if item.state is ItemState.QUEUED else [True, False]) * 2


def test_a_failed_fetch_fails_the_item_and_releases_its_price(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 5)
    errand = ledger.fetching(price=3)
    assert ledger.accounts.balance("alice") == Balance(granted=5, used=0, reserved=3)
    assert ledger.errands.fetch_failed(errand, ERROR)
    assert ledger.errands.fetch_failed(errand, ERROR)
    assert not ledger.errands.fetched(errand)
    stored = ledger.task(errand.task)
    assert (stored.status, stored.items[0].error) == (TaskStatus.ERROR, ERROR)
    assert ledger.accounts.balance("alice") == Balance(granted=5, used=0, reserved=0)
    assert ledger.tasks.unfinished("alice") == ()
    ledger.clock.advance(seconds=1_000)
    assert ledger.no_errand()


def test_it_counts_for_credits_and_caps(ledger: Ledger) -> None:
    ledger.submit(item_count=2, source_url=URL)
    with pytest.raises(QueueFull):
        ledger.submit(item_count=2, source_url=URL)
    ledger.accounts.grant("alice", 1)
    with pytest.raises(InsufficientCredits):
        ledger.submit(price=2, source_url=URL)
    assert ledger.errands.due() == 2


def test_its_place_is_that_of_its_acceptance(ledger: Ledger) -> None:
    first, second, third = ledger.fetching(), ledger.fetching(), ledger.submit()
    assert ledger.errands.fetched(second)
    assert ledger.errands.fetched(first)
    assert [ledger.next_claim().task for _ in range(3)] == [first.task, second.task, third.uid]


def test_some_items_are_fetched_and_others_sent(ledger: Ledger) -> None:
    model = new_task()
    sent = model.items[0]
    fetched = NewItem(source=source_key(model.uid, 1), spec=SPEC, source_url=URL)
    task = NewTask(uid=model.uid, account="alice", origin="test", items=(sent, fetched))
    ledger.tasks.create(task)
    assert [item.state for item in ledger.task(task.uid).items] == [ItemState.QUEUED, ItemState.FETCHING]
    claim = ledger.next_claim()
    assert (claim.index, ledger.done(claim)) == (0, True)
    assert ledger.task(task.uid).status is TaskStatus.RUNNING
    errand = ledger.next_errand()
    assert (errand.index, ledger.errands.fetch_failed(errand, ERROR)) == (1, True)
    assert ledger.task(task.uid).status is TaskStatus.FINISHED


class TestTerminate:
    def test_it_takes_the_errand_along(self, ledger: Ledger) -> None:
        errand = ledger.fetching(item_count=2)
        assert ledger.tasks.terminate(errand.task, "alice")
        errors = [item.error for item in ledger.task(errand.task).items]
        assert errors == [Terminated("the task was terminated").facts()] * 2
        assert (ledger.errands.due(), ledger.no_errand()) == (0, True)
        assert not ledger.errands.fetched(errand)
        assert not ledger.errands.postpone(errand, 0)

    def test_what_was_fetched_is_left_over(self, ledger: Ledger) -> None:
        errand = ledger.fetching()
        ledger.errands.fetched(errand)
        assert errand.source is not None
        assert ledger.tasks.terminate(errand.task, "alice")
        assert spent_sources(ledger) == {errand.source}
        assert ledger.waiting(LANE) == 0

    def test_a_line_of_others_stays_whole(self, ledger: Ledger) -> None:
        other = ledger.submit()
        ledger.ended_task(source_url=URL)
        assert ledger.next_claim().task == other.uid


class TestAge:
    def test_what_is_fetched_for_too_long_fails(self, ledger: Ledger) -> None:
        errand = ledger.fetching()
        ledger.clock.advance(seconds=590)
        assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=11)
        assert ledger.upkeep.reap() == Reaped(too_late=1)
        assert ledger.error(errand).kind == TimedOut.kind
        assert not ledger.errands.fetched(errand)
        assert ledger.no_errand()

    def test_it_goes_on_once_fetched(self, ledger: Ledger) -> None:
        ledger.submit(source_url=URL)
        ledger.clock.advance(seconds=500)
        errand = ledger.next_errand()
        ledger.errands.fetched(errand)
        ledger.clock.advance(seconds=101)
        assert errand.source is not None
        assert ledger.upkeep.reap() == Reaped(too_late=1)
        assert spent_sources(ledger) == {errand.source}

    def test_workers_are_told_once_it_is_fetched(self, ledger: Ledger) -> None:
        ledger.submit(source_url=URL)
        ledger.clock.advance(seconds=300)
        assert ledger.upkeep.reap() == Reaped()
        assert hints_of(ledger) == []
        assert ledger.errands.fetched(ledger.next_errand())
        assert hints_of(ledger) == [LANE]
