"""Errands: taken in turn, under a lease that nobody watches, and ended once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cutgate.jobs.answers import Reaped
from cutgate.jobs.ids import TaskUid, new_task_uid, new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ErrandKind, NewTask
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import MemoryBlobStore
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, Ledger
from tests.ledgers import kept_sources

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

    def test_a_repeat_has_the_same_errand(self, ledger: Ledger) -> None:
        ledger.submit(item_count=2, source_url=URL)
        token = new_token()
        first = ledger.errands.take("courier-1", token)
        assert first is not None
        assert ledger.errands.take("courier-1", token) == first
        assert ledger.errands.due() == 1

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


# What a task's end makes due: in the same step, however it ends, once.


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


def terminate_waiting(ledger: Ledger, task: NewTask) -> None:
    assert ledger.tasks.terminate(task.uid, "alice")
    assert ledger.tasks.terminate(task.uid, "alice")


def terminate_running(ledger: Ledger, task: NewTask) -> None:
    ledger.next_claim()
    assert ledger.tasks.terminate(task.uid, "alice")


def wait_too_long(ledger: Ledger, task: NewTask) -> None:
    ledger.clock.advance(seconds=601)
    assert ledger.upkeep.reap() == Reaped(too_late=1)
    assert kept_sources(ledger, task.uid) == {item.source for item in task.items if item.source_url is None}


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


def test_they_fall_due_with_the_last_item(ledger: Ledger) -> None:
    first, last = ledger.claimed_items(item_count=2, deliveries=DELIVERIES)
    assert ledger.done(first)
    assert ledger.errands.due() == 0
    assert ledger.claims.fail(last, ERROR)
    assert kinds_due(ledger, last.task) == BOTH


def test_two_of_a_kind_are_two_errands(ledger: Ledger) -> None:
    ledger.ended_task(deliveries=DELIVERIES + DELIVERIES)
    assert len({ledger.next_errand().id for _ in range(4)}) == 4


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
