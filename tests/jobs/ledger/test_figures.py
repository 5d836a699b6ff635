"""What those who watch the ledger see of it."""

import pytest

from cutgate.jobs.answers import LaneFigures, LedgerFigures
from tests.jobs.build import ERROR, LANE, OTHER_LANE, OTHER_SPEC, URL, Ledger


def oldest_seconds(ledger: Ledger) -> float:
    (figures,) = ledger.figures().lanes
    return figures.oldest_seconds


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.figures() == LedgerFigures(lanes=(), running=0, booked=0, done=0)


def test_each_lane_has_its_own(ledger: Ledger) -> None:
    ledger.submit(spec=OTHER_SPEC)
    ledger.clock.advance(7)
    ledger.claimed(item_count=3)
    figures = ledger.figures()
    assert figures.running == 1
    waiting = {lane.lane: lane.waiting for lane in figures.lanes}
    assert waiting == {LANE: 2, OTHER_LANE: 1}
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
    assert ledger.figures().lanes == (LaneFigures(lane=LANE, waiting=0, oldest_seconds=0),)


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
