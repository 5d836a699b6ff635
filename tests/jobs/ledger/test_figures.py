"""What those who watch the ledger see of it."""

from __future__ import annotations

import pytest

from cutgate.jobs.ledger.store import LaneFigures, LedgerFigures, LedgerStore
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, LANE, OTHER_LANE, OTHER_SPEC, URL, claim_next, new_task, result_of, take_errand


def oldest_seconds(ledger: LedgerStore) -> float:
    (figures,) = ledger.figures().lanes
    return figures.oldest_seconds


def test_an_empty_ledger(ledger: LedgerStore) -> None:
    assert ledger.figures() == LedgerFigures(lanes=(), running=0, booked=0)


def test_each_lane_has_its_own(ledger: LedgerStore, clock: ManualClock) -> None:
    ledger.create(new_task(spec=OTHER_SPEC))
    clock.advance(7)
    ledger.create(new_task(item_count=3))
    claim_next(ledger)
    figures = ledger.figures()
    assert figures.running == 1
    waiting = {lane.lane: lane.waiting for lane in figures.lanes}
    assert waiting == {LANE: 2, OTHER_LANE: 1}
    ages = {lane.lane: lane.oldest_seconds for lane in figures.lanes}
    assert ages[LANE] == pytest.approx(0, abs=1)
    assert ages[OTHER_LANE] == pytest.approx(7, abs=1)


def test_the_oldest_is_found_whoever_is_served_next(ledger: LedgerStore, clock: ManualClock) -> None:
    ledger.create(new_task(account="alice", item_count=2))
    clock.advance(5)
    ledger.create(new_task(account="bob"))
    clock.advance(10)
    claim_next(ledger)  # alice goes to the end of the line
    assert oldest_seconds(ledger) == pytest.approx(15, abs=1)
    assert claim_next(ledger).attempt == 1  # bob's
    claim_next(ledger)
    assert ledger.figures().lanes == (LaneFigures(lane=LANE, waiting=0, oldest_seconds=0),)


def test_what_was_taken_back_has_waited_all_along(ledger: LedgerStore, clock: ManualClock) -> None:
    ledger.create(new_task())
    claim = claim_next(ledger)
    clock.advance(5)
    ledger.give_back_owned(claim.owner, died=True)
    clock.advance(5)
    assert oldest_seconds(ledger) == pytest.approx(10, abs=1)
    assert ledger.figures().running == 0


def test_what_is_still_to_be_fetched_waits_for_no_worker(ledger: LedgerStore) -> None:
    ledger.create(new_task(source_url=URL))
    assert ledger.figures().lanes == ()
    ledger.fetched(take_errand(ledger))
    assert [lane.waiting for lane in ledger.figures().lanes] == [1]


def test_only_what_is_done_is_booked_metered_or_not(ledger: LedgerStore) -> None:
    ledger.grant("alice", 100)
    for account, price in (("alice", 3), ("bob", 5)):
        ledger.create(new_task(account=account, price=price))
        claim = claim_next(ledger)
        assert ledger.finish(claim, result_of(claim))
        assert ledger.finish(claim, result_of(claim))  # a repeat books nothing
    ledger.create(new_task(price=7))
    assert ledger.fail(claim_next(ledger), ERROR)
    assert ledger.figures().booked == 3 + 5
