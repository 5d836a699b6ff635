"""The reaper's loop."""

import pytest

from cutgate.jobs.answers import Reaped
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.record import TaskStatus
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from tests.jobs.build import LANE, Ledger
from tests.ledgers import hints_of, lose_hints
from tests.waiting import eventually


def test_a_lost_workers_item_is_done_by_another(ledger: Ledger) -> None:
    task = ledger.submit(item_count=3)
    ledger.next_claim()
    lose_hints(ledger)
    ledger.clock.advance(seconds=16)
    assert Reaper(ledger).sweep() == Reaped(requeued=1)
    while lose_hints(ledger, 1):
        claim = ledger.claims.take([LANE], "worker-1", new_token())
        assert claim is None or ledger.done(claim)
    assert ledger.task(task.uid).status is TaskStatus.FINISHED


def test_only_one_of_two_reapers_sends_hints(ledger: Ledger) -> None:
    ledger.submit()
    lose_hints(ledger)
    ledger.clock.advance(seconds=6)
    one, two = Reaper(ledger), Reaper(ledger)
    assert one.sweep() == Reaped(hints={LANE: 1})
    assert two.sweep() is None
    assert hints_of(ledger) == [LANE]


def test_the_loop_outlives_every_fault(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[Exception] = [ZeroDivisionError("a bug"), LedgerUnavailable("away")]
    reap = ledger.upkeep.reap

    def faulty() -> Reaped:
        if faults:
            raise faults.pop()
        return reap()

    monkeypatch.setattr(ledger.upkeep, "reap", faulty)
    ledger.submit()
    lose_hints(ledger)
    ledger.clock.advance(seconds=6)
    with Every(0.01, Reaper(ledger).sweep, "reaper"):
        eventually(lambda: hints_of(ledger) == [LANE])


def test_a_backlog_comes_back_within_one_sweep(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone is lost with a thousand leases: full batches follow one another."""
    monkeypatch.setattr("cutgate.jobs.upkeep.reaper.BACKLOG_SECONDS", 60)
    ledger = ledger.limited(account_queue_cap=5 * BATCH)
    for _ in range(5):
        ledger.claimed_items(item_count=BATCH)
    ledger.clock.advance(seconds=16)
    Reaper(ledger).sweep()
    assert ledger.waiting(LANE) == 5 * BATCH
    assert set(hints_of(ledger)) == {LANE}
