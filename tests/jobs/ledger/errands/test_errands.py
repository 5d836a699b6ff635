"""Errands: taken in turn, under a lease that nobody watches, and ended once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.ids import TaskUid, new_task_uid, new_token
from cutgate.jobs.ledger.errands import Errand, ErrandKind
from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import DeliveryKind
from tests.fakes import ManualClock
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, MakeLedger, new_task, run_at_once, take_errand

LEASE_SECONDS = LedgerLimits().errand_lease_seconds


def delivered(ledger: LedgerStore) -> TaskUid:
    """A task that has ended, and whose deliveries are due."""
    task = new_task(deliveries=DELIVERIES)
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    return task.uid


def fetching(ledger: LedgerStore, item_count: int = 1) -> TaskUid:
    """A task whose sources are still to be fetched."""
    task = new_task(item_count=item_count, source_url=URL)
    ledger.create(task)
    return task.uid


class TestTaking:
    def test_a_fetch(self, ledger: LedgerStore, clock: ManualClock) -> None:
        uid, token = fetching(ledger, item_count=2), new_token()
        clock.advance(seconds=5)
        ledger.take_errand("courier-1", new_token())
        errand = ledger.take_errand("courier-1", token)
        assert errand is not None
        assert (errand.kind, errand.task, errand.index) == (ErrandKind.FETCH, uid, 1)
        assert (errand.account, errand.url, errand.attempt, errand.token) == ("alice", URL, 1, token)
        assert errand.now_ms - errand.first_due_at_ms == pytest.approx(5_000, abs=2_000)
        assert errand.now_ms == pytest.approx(clock() * 1000, abs=60_000)
        assert errand.source is not None
        assert (errand.source.task, errand.source.index) == (uid, 1)

    def test_deliveries(self, ledger: LedgerStore) -> None:
        uid = delivered(ledger)
        taken = [take_errand(ledger) for _ in DELIVERIES]
        assert {(errand.kind.value, errand.url) for errand in taken} == {
            (delivery.kind.value, delivery.url) for delivery in DELIVERIES
        }
        assert {(errand.task, errand.index, errand.source, errand.attempt) for errand in taken} == {
            (uid, 0, None, 1)
        }

    def test_every_delivery_has_its_errand_kind(self) -> None:
        assert {kind.value for kind in DeliveryKind} == {kind.value for kind in ErrandKind} - {"fetch"}

    def test_nothing_is_due(self, ledger: LedgerStore) -> None:
        assert ledger.take_errand("courier-1", new_token()) is None
        ledger.create(new_task(deliveries=DELIVERIES))
        assert ledger.take_errand("courier-1", new_token()) is None
        assert ledger.errands_due() == 0

    def test_who_waits_for_longest_comes_first(self, ledger: LedgerStore, clock: ManualClock) -> None:
        uids = []
        for _ in range(3):
            uids.append(fetching(ledger))
            clock.advance(seconds=1)
        assert [take_errand(ledger).task for _ in uids] == uids

    def test_a_repeat_has_the_same_errand(self, ledger: LedgerStore) -> None:
        fetching(ledger, item_count=2)
        token = new_token()
        first = ledger.take_errand("courier-1", token)
        assert first is not None
        assert ledger.take_errand("courier-1", token) == first
        assert ledger.errands_due() == 1

    def test_couriers_at_once_share_no_errand(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(account_errand_cap=8))
        fetching(ledger, item_count=6)
        taken = run_at_once(8, lambda _: ledger.take_errand("courier-1", new_token()))
        assert sorted(errand.index for errand in taken if errand) == list(range(6))

    def test_a_secret_in_an_address_is_not_in_the_repr(self, ledger: LedgerStore) -> None:
        task = new_task(source_url=URL, deliveries=DELIVERIES)
        ledger.create(task)
        assert "secret" not in f"{task} {take_errand(ledger)}"


class TestLease:
    def test_the_errand_of_a_courier_that_died_falls_due_again(
        self, ledger: LedgerStore, clock: ManualClock
    ) -> None:
        fetching(ledger)
        first = take_errand(ledger)
        clock.advance(seconds=LEASE_SECONDS - 5)
        assert ledger.take_errand("courier-2", new_token()) is None
        clock.advance(seconds=6)
        assert ledger.errands_due() == 1
        second = take_errand(ledger)
        assert (second.id, second.attempt, second.first_due_at_ms) == (first.id, 2, first.first_due_at_ms)
        assert second.source != first.source

    def test_past_it_the_courier_is_heard_until_another_has_the_errand(
        self, ledger: LedgerStore, clock: ManualClock
    ) -> None:
        fetching(ledger)
        late = take_errand(ledger)
        clock.advance(seconds=LEASE_SECONDS + 1)
        assert ledger.fetched(late) == LANE

    def test_then_the_old_token_has_no_effect(self, ledger: LedgerStore, clock: ManualClock) -> None:
        fetching(ledger)
        delivered(ledger)
        late = [take_errand(ledger) for _ in range(3)]
        clock.advance(seconds=LEASE_SECONDS + 1)
        again = {errand.id: errand for errand in (take_errand(ledger) for _ in late)}
        for errand in late:
            assert not ledger.postpone(errand, 0)
            if errand.kind is ErrandKind.FETCH:
                assert ledger.fetched(errand) is None
                assert not ledger.fetch_failed(errand, ERROR)
                assert ledger.fetched(again[errand.id]) == LANE
            else:
                assert not ledger.errand_done(errand)
                assert ledger.errand_done(again[errand.id])

    def test_then_the_old_token_stands_for_nothing(self, ledger: LedgerStore, clock: ManualClock) -> None:
        fetching(ledger)
        late = take_errand(ledger)
        clock.advance(seconds=LEASE_SECONDS + 1)
        take_errand(ledger)
        assert ledger.take_errand("courier-1", late.token) is None

    def test_it_is_a_limit(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(errand_lease_seconds=1_000))
        fetching(ledger)
        take_errand(ledger)
        clock.advance(seconds=900)
        assert ledger.take_errand("courier-2", new_token()) is None
        clock.advance(seconds=101)
        assert take_errand(ledger).attempt == 2


class TestPostponing:
    def test_the_errand_falls_due_after_the_time(self, ledger: LedgerStore, clock: ManualClock) -> None:
        delivered(ledger)
        first, other = take_errand(ledger), take_errand(ledger)
        assert ledger.errand_done(other)
        assert ledger.postpone(first, seconds=300)
        clock.advance(seconds=295)
        assert ledger.errands_due() == 0
        clock.advance(seconds=6)
        again = take_errand(ledger)
        assert (again.id, again.attempt, again.first_due_at_ms) == (first.id, 2, first.first_due_at_ms)

    def test_the_courier_has_let_go(self, ledger: LedgerStore, clock: ManualClock) -> None:
        fetching(ledger)
        errand = take_errand(ledger)
        assert ledger.postpone(errand, seconds=0.5)
        assert ledger.fetched(errand) is None
        assert not ledger.fetch_failed(errand, ERROR)
        clock.advance(seconds=1)
        assert ledger.fetched(take_errand(ledger)) == LANE

    def test_a_repeat_changes_nothing(self, ledger: LedgerStore, clock: ManualClock) -> None:
        fetching(ledger)
        errand = take_errand(ledger)
        assert ledger.postpone(errand, seconds=100)
        clock.advance(seconds=60)
        assert ledger.postpone(errand, seconds=100)
        clock.advance(seconds=41)
        again = take_errand(ledger)
        assert ledger.postpone(errand, seconds=100)
        assert ledger.fetched(again) == LANE


class TestEnding:
    def test_a_delivery_ends_once(self, ledger: LedgerStore, clock: ManualClock) -> None:
        delivered(ledger)
        for _ in DELIVERIES:
            errand = take_errand(ledger)
            assert ledger.errand_done(errand)
            assert ledger.errand_done(errand)
            assert not ledger.postpone(errand, 0)
        clock.advance(seconds=10 * LEASE_SECONDS)
        assert (ledger.errands_due(), ledger.take_errand("courier-1", new_token())) == (0, None)

    def test_a_fetch_does_not_end_without_its_item(self, ledger: LedgerStore) -> None:
        fetching(ledger)
        with pytest.raises(ValueError, match="ends with its item"):
            ledger.errand_done(take_errand(ledger))

    def test_a_delivery_ends_no_item(self, ledger: LedgerStore) -> None:
        delivered(ledger)
        errand = take_errand(ledger)
        with pytest.raises(ValueError, match="its task has ended"):
            ledger.fetched(errand)
        with pytest.raises(ValueError, match="its task has ended"):
            ledger.fetch_failed(errand, ERROR)

    def test_a_foreign_token_has_no_effect(self, ledger: LedgerStore) -> None:
        fetching(ledger)
        errand = replace(take_errand(ledger), token=new_token())
        assert ledger.fetched(errand) is None
        assert not ledger.fetch_failed(errand, ERROR)
        assert not ledger.postpone(errand, 0)

    def test_an_unknown_errand(self, ledger: LedgerStore) -> None:
        fetching(ledger)
        errand = take_errand(ledger)
        uid = new_task_uid()
        unknown: Errand = replace(errand, id=f"{uid}:fetch:0", task=uid, token=new_token())
        assert ledger.fetched(unknown) is None
        assert not ledger.fetch_failed(unknown, ERROR)
        assert not ledger.postpone(unknown, 0)
