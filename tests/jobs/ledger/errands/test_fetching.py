"""Items whose source is at a URL: they count from the first moment, and wait once fetched."""

from dataclasses import replace
from typing import Any

import pytest

from cutgate.jobs.answers import Balance, Reaped
from cutgate.jobs.errors import InsufficientCredits, QueueFull, Terminated, WaitedTooLong
from cutgate.jobs.ids import BlobKey, background_key, new_token, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Errand, ItemState, NewItem, NewTask, RateUse, TaskStatus
from tests.jobs.build import ERROR, LANE, SPEC, URL, Ledger, new_task
from tests.ledgers import hints_of, kept_sources, spent_sources


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(queue_timeout_seconds=600, account_queue_cap=3)


def test_a_repeat_of_fetched_answers_as_the_first_time(ledger: Ledger) -> None:
    """Whoever gets a refusal deletes the bytes."""
    errand = ledger.fetching()
    assert [ledger.errands.fetched(errand) for _ in range(2)] == [True, True]
    claim = ledger.next_claim()
    assert ledger.errands.fetched(errand)
    assert ledger.waiting(LANE) == 0
    assert not ledger.errands.fetch_failed(errand, ERROR)
    assert ledger.done(claim)


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


class TestAge:
    def test_what_is_fetched_for_too_long_fails(self, ledger: Ledger) -> None:
        errand = ledger.fetching()
        ledger.clock.advance(seconds=590)
        assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=11)
        assert ledger.upkeep.reap() == Reaped(too_late=1)
        assert ledger.error(errand).kind == WaitedTooLong.kind
        assert kept_sources(ledger, errand.task) == set()
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
        assert kept_sources(ledger, errand.task) == {errand.source}

    def test_workers_are_told_once_it_is_fetched(self, ledger: Ledger) -> None:
        ledger.submit(source_url=URL)
        ledger.clock.advance(seconds=300)
        assert ledger.upkeep.reap() == Reaped()
        assert hints_of(ledger) == []
        assert ledger.errands.fetched(ledger.next_errand())
        assert hints_of(ledger) == [LANE]


# Pictures behind the subject: sent along or fetched, handed to the worker, and gone with the source.


BACKGROUND_URL = "https://pictures.example/beach.jpg?key=hidden"


def submit(ledger: Ledger, *, source_url: str | None = None, **of_item: Any) -> NewTask:
    task = new_task(source_url=source_url)
    task = replace(task, items=(replace(task.items[0], **of_item),))
    ledger.tasks.create(task)
    return task


def with_sent(ledger: Ledger, source_url: str | None = None) -> tuple[NewTask, BlobKey]:
    task = new_task(source_url=source_url)
    background = background_key(task.uid, 0, new_token())
    task = replace(task, items=(replace(task.items[0], background=background),))
    ledger.tasks.create(task)
    return task, background


def fetching(ledger: Ledger, **facts: Any) -> tuple[NewTask, Errand]:
    task = submit(ledger, background_url=BACKGROUND_URL, **facts)
    return task, ledger.next_errand()


def test_one_that_was_sent_comes_with_the_claim(ledger: Ledger) -> None:
    _, background = with_sent(ledger)
    assert ledger.next_claim().background == background
    ledger.submit()
    assert ledger.next_claim().background is None


def test_one_at_a_url_holds_the_item_until_it_is_fetched(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.task(task.uid).items[0].state is ItemState.FETCHING
    assert (errand.url, errand.source, errand.background_url) == ("", None, BACKGROUND_URL)
    assert (ledger.waiting(LANE), ledger.no_claim()) == (0, True)
    assert ledger.errands.fetched(errand)
    claim = ledger.next_claim()
    assert (claim.source, claim.background) == (task.items[0].source, errand.background)


def test_both_are_fetched_by_one_errand(ledger: Ledger) -> None:
    _, errand = fetching(ledger, source_url=URL)
    assert (errand.url, errand.background_url) == (URL, BACKGROUND_URL)
    assert ledger.no_errand()
    assert ledger.errands.fetched(errand)
    claim = ledger.next_claim()
    assert (claim.source, claim.background) == (errand.source, errand.background)


def test_each_taking_of_an_errand_writes_elsewhere(ledger: Ledger) -> None:
    _, first = fetching(ledger)
    ledger.errands.postpone(first, 0)
    second = ledger.next_errand()
    assert second.background != first.background
    assert not ledger.errands.fetched(first)
    assert ledger.errands.fetched(second)
    assert ledger.next_claim().background == second.background


def test_a_claim_given_back_keeps_it(ledger: Ledger) -> None:
    _, background = with_sent(ledger)
    assert ledger.claims.give_back(ledger.next_claim())
    assert ledger.next_claim().background == background


@pytest.mark.parametrize("source_url", [None, URL])
def test_it_goes_with_the_source(ledger: Ledger, source_url: str | None) -> None:
    task, background = with_sent(ledger, source_url)
    source = task.items[0].source
    if source_url is not None:
        errand = ledger.next_errand()
        assert ledger.errands.fetched(errand)
        assert errand.source is not None
        source = errand.source
    assert ledger.done(ledger.next_claim())
    assert spent_sources(ledger) == {source, background}


def test_a_source_that_lay_here_goes_when_its_background_is_not_to_be_had(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.errands.fetch_failed(errand, ERROR)
    assert spent_sources(ledger) == {task.items[0].source}
    assert ledger.task(task.uid).items[0].error == ERROR


def test_terminated_while_it_is_fetched_its_source_goes(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.tasks.terminate(task.uid, "alice")
    assert spent_sources(ledger) == {task.items[0].source}
    assert not ledger.errands.fetched(errand)


def test_its_address_is_secret_and_excludes_one_that_was_sent(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert "hidden" not in f"{task} {errand}"
    background = background_key(task.uid, 0, new_token())
    with pytest.raises(ValueError, match="lies here, or is fetched"):
        submit(ledger, background=background, background_url=BACKGROUND_URL)


class TestMegapixels:
    """Those of a fetched picture count in a rate once they are known; the picture is worked on all the same."""

    RATE = RateUse(name="removebg:alice", limit=60, seconds=60_000)

    def left(self, ledger: Ledger) -> int:
        """How many places are left, of which this takes one."""
        return ledger.accounts.take_rate(self.RATE).remaining

    def test_all_beyond_the_first_do(self, ledger: Ledger) -> None:
        assert self.left(ledger) == 59
        errand = ledger.fetching(rate=self.RATE)
        assert [ledger.errands.fetched(errand, megapixels=50) for _ in range(2)] == [True, True]
        assert self.left(ledger) == 59 - 49 - 1

    def test_what_is_not_free_is_owed_and_the_next_ones_wait_for_it(self, ledger: Ledger) -> None:
        for _ in range(3):
            assert ledger.errands.fetched(ledger.fetching(rate=self.RATE), megapixels=31)
        assert ledger.waiting(LANE) == 3
        refused = ledger.accounts.take_rate(self.RATE)
        assert (refused.granted, refused.remaining) == (False, 0)
        assert refused.frees_in_seconds == pytest.approx(31_000, abs=900)
        ledger.clock.advance(seconds=31_000)
        assert ledger.accounts.take_rate(self.RATE).granted

    def test_a_picture_larger_than_the_rate_takes_all_of_it_as_one_that_is_sent(self, ledger: Ledger) -> None:
        assert ledger.errands.fetched(ledger.fetching(rate=self.RATE), megapixels=1_000)
        assert ledger.accounts.take_rate(self.RATE).frees_in_seconds == pytest.approx(1_000, abs=900)

    def test_what_is_not_brought_does_not_count(self, ledger: Ledger) -> None:
        assert ledger.errands.fetch_failed(ledger.fetching(rate=self.RATE), ERROR)
        late = ledger.fetching(rate=self.RATE)
        ledger.tasks.terminate(late.task, "alice")
        assert not ledger.errands.fetched(late, megapixels=50)
        assert ledger.errands.fetched(ledger.fetching(), megapixels=50)
        assert self.left(ledger) == 59
