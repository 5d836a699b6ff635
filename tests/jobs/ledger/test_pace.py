"""What a full queue says of its pace: how fast workers ended items of late."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import LaneFigures, LedgerFigures
from cutgate.jobs.errors import LONGEST_RETRY_SECONDS, QueueFull
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import AccountCaps
from tests.jobs.build import ERROR, LANE, OTHER_LANE, OTHER_SPEC, URL, Ledger, new_task, result_of


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(account_queue_cap=60, total_queue_cap=100)


def refusal_of(ledger: Ledger, item_count: int = 1, account: str = "alice", cap: int = 1) -> QueueFull:
    task = replace(new_task(account=account, item_count=item_count), caps=AccountCaps(queue=cap))
    with pytest.raises(QueueFull) as refusal:
        ledger.tasks.create(task)
    return refusal.value


def end_one_each(ledger: Ledger, seconds: float, count: int) -> None:
    """Some items, done and failed in turn, one after each stretch of time."""
    for number in range(count):
        ledger.clock.advance(seconds)
        claim = ledger.next_claim()
        assert ledger.claims.fail(claim, ERROR) if number % 2 else ledger.done(claim)


def test_nothing_is_known_before_anything_ended(ledger: Ledger) -> None:
    ledger.submit()
    assert refusal_of(ledger).retry_after_seconds is None


@pytest.mark.parametrize(("seconds", "over", "retry"), [(2, 3, 6), (10, 5, 50), (0.5, 10, 5)])
def test_the_pace_of_late(ledger: Ledger, seconds: float, over: int, retry: int) -> None:
    ledger.submit(item_count=50)
    end_one_each(ledger, seconds, 40)
    refusal = refusal_of(ledger, item_count=over, cap=10)
    assert (refusal.details["queued"], refusal.over) == (10, over)
    assert refusal.retry_after_seconds == pytest.approx(retry, rel=0.1, abs=1)


def test_a_change_of_pace_shows(ledger: Ledger) -> None:
    ledger.submit(item_count=60)
    end_one_each(ledger, 1, 30)
    fast = refusal_of(ledger).ends_per_second
    end_one_each(ledger, 20, 20)
    slow = refusal_of(ledger).ends_per_second
    assert fast == pytest.approx(1, rel=0.1)
    assert slow == pytest.approx(1 / 20, rel=0.3)


def test_workers_that_are_gone_show(ledger: Ledger) -> None:
    ledger.submit(item_count=30)
    end_one_each(ledger, 1, 20)
    before = refusal_of(ledger).ends_per_second
    ledger.clock.advance(60)
    assert refusal_of(ledger).ends_per_second < before / 2
    ledger.clock.advance(61)
    assert refusal_of(ledger).retry_after_seconds is None


def test_an_accounts_pace_is_its_own(ledger: Ledger) -> None:
    """Workers serve accounts in turn: with a second one that waits, each has half of the pace."""
    for account in ("alice", "bob"):
        ledger.submit(account=account, item_count=45)
    end_one_each(ledger, 1, 40)
    mine = refusal_of(ledger, cap=25)
    assert mine.details["scope"] == "account"
    assert mine.ends_per_second == pytest.approx(0.5, rel=0.15)
    of_all = refusal_of(ledger, item_count=60, account="carol", cap=60)
    assert (of_all.details["scope"], of_all.over) == ("service", 10)
    assert of_all.ends_per_second == pytest.approx(1, rel=0.1)


def test_what_is_terminated_is_no_work_done(ledger: Ledger) -> None:
    tasks = [ledger.submit() for _ in range(20)]
    for task in tasks:
        ledger.clock.advance(1)
        assert ledger.tasks.terminate(task.uid, "alice")
    ledger.submit()
    assert refusal_of(ledger).retry_after_seconds is None


def test_a_repeat_does_not_count_again(ledger: Ledger) -> None:
    ledger.submit(item_count=30)
    for _ in range(20):
        ledger.clock.advance(1)
        claim = ledger.next_claim()
        for _ in range(3):
            assert ledger.done(claim)
    assert refusal_of(ledger).ends_per_second == pytest.approx(1, rel=0.1)


def test_nobody_is_told_to_wait_for_ever(ledger: Ledger) -> None:
    ledger.submit(item_count=30)
    end_one_each(ledger, 100, 3)
    assert refusal_of(ledger, item_count=50, cap=50).retry_after_seconds == LONGEST_RETRY_SECONDS


# What those who watch the ledger see of it.


def oldest_seconds(ledger: Ledger) -> float:
    (figures,) = ledger.figures().lanes
    return figures.oldest_seconds


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.figures() == LedgerFigures(lanes=(), booked=0, done=0, overdue=0)


def test_each_lane_has_its_own(ledger: Ledger) -> None:
    ledger.submit(spec=OTHER_SPEC)
    ledger.clock.advance(7)
    ledger.claimed(item_count=3)
    figures = ledger.figures()
    counts = {lane.lane: (lane.waiting, lane.running) for lane in figures.lanes}
    assert counts == {LANE: (2, 1), OTHER_LANE: (1, 0)}
    assert figures.running == 1
    ages = {lane.lane: lane.oldest_seconds for lane in figures.lanes}
    assert ages[LANE] == pytest.approx(0, abs=1)
    assert ages[OTHER_LANE] == pytest.approx(7, abs=1)


def test_the_oldest_is_found_whoever_is_served_next(ledger: Ledger) -> None:
    ledger.submit(account="alice", item_count=2)
    ledger.clock.advance(5)
    ledger.submit(account="bob")
    ledger.clock.advance(10)
    ledger.next_claim()  # alice goes to the end of the line
    assert oldest_seconds(ledger) == pytest.approx(15, abs=1)
    assert ledger.next_claim().attempt == 1  # bob's
    ledger.next_claim()
    assert ledger.figures().lanes == (LaneFigures(lane=LANE, waiting=0, oldest_seconds=0, running=3),)


def test_the_oldest_is_found_behind_what_is_urgent(ledger: Ledger) -> None:
    ledger.submit()
    ledger.clock.advance(5)
    ledger.submit(urgent=True)
    assert oldest_seconds(ledger) == pytest.approx(5, abs=1)
    ledger.next_claim()
    ledger.submit(urgent=True)
    assert oldest_seconds(ledger) == pytest.approx(5, abs=1)
    ledger.next_claim()
    ledger.clock.advance(3)
    assert oldest_seconds(ledger) == pytest.approx(8, abs=1)


def test_what_was_taken_back_has_waited_all_along(ledger: Ledger) -> None:
    claim = ledger.claimed()
    ledger.clock.advance(5)
    ledger.claims.give_back_owned(claim.owner, died=True)
    ledger.clock.advance(5)
    assert oldest_seconds(ledger) == pytest.approx(10, abs=1)
    assert ledger.figures().running == 0


def running(ledger: Ledger) -> dict[str, int]:
    return {lane.lane: lane.running for lane in ledger.figures().lanes}


def test_what_runs_counts_in_its_lane_until_it_ends_however_it_does(ledger: Ledger) -> None:
    done, given_back, failed, lapsed, died = (ledger.claimed() for _ in range(5))
    ledger.submit(spec=OTHER_SPEC)
    other = ledger.next_claim(OTHER_LANE)
    assert running(ledger) == {LANE: 5, OTHER_LANE: 1}
    for _ in range(2):  # a repeat changes nothing
        assert ledger.done(done)
        assert ledger.claims.fail(failed, ERROR)
        assert ledger.claims.give_back(given_back)
    assert running(ledger) == {LANE: 2, OTHER_LANE: 1}
    assert ledger.tasks.terminate(died.task, died.account)
    assert running(ledger) == {LANE: 1, OTHER_LANE: 1}
    ledger.clock.advance(10_000)
    ledger.upkeep.reap()
    assert running(ledger) == {LANE: 0, OTHER_LANE: 0}
    assert not ledger.claims.finish(lapsed, result_of(lapsed))
    assert not ledger.claims.finish(other, result_of(other))
    assert running(ledger) == {LANE: 0, OTHER_LANE: 0}


def test_what_is_still_to_be_fetched_waits_for_no_worker(ledger: Ledger) -> None:
    ledger.submit(source_url=URL)
    assert ledger.figures().lanes == ()
    ledger.errands.fetched(ledger.next_errand())
    assert [lane.waiting for lane in ledger.figures().lanes] == [1]


def test_only_what_is_done_is_booked_metered_or_not(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 100)
    for account, price in (("alice", 3), ("bob", 5)):
        claim = ledger.claimed(account=account, price=price)
        assert ledger.done(claim)
        assert ledger.done(claim)  # a repeat books nothing
    ledger.submit(price=7)
    assert ledger.claims.fail(ledger.next_claim(), ERROR)
    assert ledger.figures().done == 2
    assert ledger.figures().booked == 3 + 5
