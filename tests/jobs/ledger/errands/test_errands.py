"""Errands: taken in turn, under a lease that nobody watches, and ended once."""

from dataclasses import replace
from typing import Any

import pytest

from cutgate.jobs.ids import new_task_uid, new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ErrandKind
from tests.jobs.build import DELIVERIES, ERROR, URL, Ledger, run_at_once

LEASE_SECONDS = LedgerLimits().errand_lease_seconds
NOBODYS = new_task_uid()


class TestTaking:
    def test_a_fetch(self, ledger: Ledger) -> None:
        uid, token = ledger.submit(item_count=2, source_url=URL).uid, new_token()
        ledger.clock.advance(seconds=5)
        ledger.errands.take("courier-1", new_token())
        errand = ledger.errands.take("courier-1", token)
        assert errand is not None
        assert (errand.kind, errand.task, errand.index) == (ErrandKind.FETCH, uid, 1)
        assert (errand.account, errand.url, errand.attempt, errand.token) == ("alice", URL, 1, token)
        assert errand.now_ms - errand.first_due_at_ms == pytest.approx(5_000, abs=2_000)
        assert errand.now_ms == pytest.approx(ledger.clock() * 1000, abs=60_000)
        assert errand.source is not None
        assert (errand.source.task, errand.source.index) == (uid, 1)

    def test_deliveries(self, ledger: Ledger) -> None:
        uid = ledger.ended_task(deliveries=DELIVERIES).uid
        taken = [ledger.next_errand() for _ in DELIVERIES]
        assert {(errand.kind.value, errand.url) for errand in taken} == {
            (delivery.kind.value, delivery.url) for delivery in DELIVERIES
        }
        assert {(errand.task, errand.index, errand.source, errand.attempt) for errand in taken} == {
            (uid, 0, None, 1)
        }

    def test_nothing_is_due(self, ledger: Ledger) -> None:
        assert ledger.no_errand()
        ledger.submit(deliveries=DELIVERIES)
        assert ledger.no_errand()
        assert ledger.errands.due() == 0

    def test_a_repeat_has_the_same_errand(self, ledger: Ledger) -> None:
        ledger.submit(item_count=2, source_url=URL)
        token = new_token()
        first = ledger.errands.take("courier-1", token)
        assert first is not None
        assert ledger.errands.take("courier-1", token) == first
        assert ledger.errands.due() == 1

    def test_couriers_at_once_share_no_errand(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_errand_cap=8)
        ledger.submit(item_count=6, source_url=URL)
        taken = run_at_once(8, lambda _: ledger.errands.take("courier-1", new_token()))
        assert sorted(errand.index for errand in taken if errand) == list(range(6))

    def test_a_secret_in_an_address_is_not_in_the_repr(self, ledger: Ledger) -> None:
        assert "secret" not in f"{ledger.submit(source_url=URL, deliveries=DELIVERIES)} {ledger.next_errand()}"


class TestLease:
    def test_the_errand_of_a_courier_that_died_falls_due_again(self, ledger: Ledger) -> None:
        ledger = ledger.limited(errand_lease_seconds=1_000)
        first = ledger.fetching()
        ledger.clock.advance(seconds=995)
        assert ledger.no_errand()
        ledger.clock.advance(seconds=6)
        assert ledger.errands.due() == 1
        second = ledger.next_errand()
        assert (second.id, second.attempt, second.first_due_at_ms) == (first.id, 2, first.first_due_at_ms)
        assert second.source != first.source

    def test_past_it_the_courier_is_heard_until_another_has_the_errand(self, ledger: Ledger) -> None:
        late = ledger.fetching()
        ledger.clock.advance(seconds=LEASE_SECONDS + 1)
        assert ledger.errands.fetched(late)

    def test_then_the_old_token_has_no_effect(self, ledger: Ledger) -> None:
        ledger.submit(source_url=URL)
        ledger.ended_task(deliveries=DELIVERIES)
        late = [ledger.next_errand() for _ in range(3)]
        ledger.clock.advance(seconds=LEASE_SECONDS + 1)
        again = {errand.id: errand for errand in (ledger.next_errand() for _ in late)}
        for errand in late:
            assert not ledger.errands.postpone(errand, 0)
            assert ledger.errands.take("courier-1", errand.token) is None
            if errand.kind is ErrandKind.FETCH:
                assert not ledger.errands.fetched(errand)
                assert not ledger.errands.fetch_failed(errand, ERROR)
                assert ledger.errands.fetched(again[errand.id])
            else:
                assert not ledger.errands.done(errand)
                assert ledger.errands.done(again[errand.id])


class TestPostponing:
    def test_the_errand_falls_due_after_the_time(self, ledger: Ledger) -> None:
        ledger.ended_task(deliveries=DELIVERIES)
        first, other = ledger.next_errand(), ledger.next_errand()
        assert ledger.errands.done(other)
        assert ledger.errands.postpone(first, seconds=300)
        ledger.clock.advance(seconds=295)
        assert ledger.errands.due() == 0
        ledger.clock.advance(seconds=6)
        again = ledger.next_errand()
        assert (again.id, again.attempt, again.first_due_at_ms) == (first.id, 2, first.first_due_at_ms)

    def test_the_courier_has_let_go(self, ledger: Ledger) -> None:
        errand = ledger.fetching()
        assert ledger.errands.postpone(errand, seconds=0.5)
        assert not ledger.errands.fetched(errand)
        assert not ledger.errands.fetch_failed(errand, ERROR)
        ledger.clock.advance(seconds=1)
        assert ledger.errands.fetched(ledger.next_errand())

    def test_a_repeat_changes_nothing(self, ledger: Ledger) -> None:
        errand = ledger.fetching()
        assert ledger.errands.postpone(errand, seconds=100)
        ledger.clock.advance(seconds=60)
        assert ledger.errands.postpone(errand, seconds=100)
        ledger.clock.advance(seconds=41)
        again = ledger.next_errand()
        assert ledger.errands.postpone(errand, seconds=100)
        assert ledger.errands.fetched(again)


class TestEnding:
    def test_a_delivery_ends_once(self, ledger: Ledger) -> None:
        ledger.ended_task(deliveries=DELIVERIES)
        for _ in DELIVERIES:
            errand = ledger.next_errand()
            assert ledger.errands.done(errand)
            assert ledger.errands.done(errand)
            assert not ledger.errands.postpone(errand, 0)
        ledger.clock.advance(seconds=10 * LEASE_SECONDS)
        assert (ledger.errands.due(), ledger.no_errand()) == (0, True)

    def test_a_fetch_does_not_end_without_its_item(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="ends with its item"):
            ledger.errands.done(ledger.fetching())

    def test_a_delivery_ends_no_item(self, ledger: Ledger) -> None:
        ledger.ended_task(deliveries=DELIVERIES)
        errand = ledger.next_errand()
        with pytest.raises(ValueError, match="its task has ended"):
            ledger.errands.fetched(errand)
        with pytest.raises(ValueError, match="its task has ended"):
            ledger.errands.fetch_failed(errand, ERROR)

    @pytest.mark.parametrize("unknown", [{}, {"id": f"{NOBODYS}:fetch:0", "task": NOBODYS}])
    def test_a_foreign_token_or_an_unknown_errand(self, ledger: Ledger, unknown: dict[str, Any]) -> None:
        errand = replace(ledger.fetching(), token=new_token(), **unknown)
        assert not ledger.errands.fetched(errand)
        assert not ledger.errands.fetch_failed(errand, ERROR)
        assert not ledger.errands.postpone(errand, 0)


class TestThatKillCouriers:
    """One whose couriers die with it ends, instead of killing the next one every lease."""

    @pytest.mark.parametrize("fetch", [True, False])
    def test_it_ends_at_last(self, ledger: Ledger, fetch: bool) -> None:
        task = ledger.submit(source_url=URL) if fetch else ledger.ended_task(deliveries=DELIVERIES[:1])
        for _ in range(ledger.limits.errand_max_crashes):
            ledger.next_errand()
            ledger.clock.advance(seconds=ledger.limits.errand_lease_seconds + 1)
        assert ledger.no_errand()
        if fetch:
            error = ledger.task(task.uid).items[0].error
            assert error is not None
            assert error.kind == "processing_failed"
            assert ledger.accounts.balance("alice") is None

    def test_one_that_is_put_off_does_not_count(self, ledger: Ledger) -> None:
        ledger.ended_task(deliveries=DELIVERIES[:1])
        for _ in range(2 * ledger.limits.errand_max_crashes):
            assert ledger.errands.postpone(ledger.next_errand(), seconds=60)
            ledger.clock.advance(seconds=61)
        ledger.next_errand()


def test_an_index_that_names_what_is_not_there_is_mended(ledger: Ledger) -> None:
    ledger.ended_task(deliveries=DELIVERIES[:1])
    ledger.client.zadd(f"{ledger.key_prefix}errand_turns:upload", {"nobody": -2})
    ledger.client.zadd(f"{ledger.key_prefix}errands", {"gone:upload:0": 1})
    assert ledger.no_errand()  # this call mends, and the next finds what is behind
    assert ledger.next_errand().account == "alice"
