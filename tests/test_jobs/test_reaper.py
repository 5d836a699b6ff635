"""The reaper's loop, over every ledger, with real hints."""

from __future__ import annotations

import pytest
from redis import Redis
from typing_extensions import override

from jobs.errors import LedgerUnavailable
from jobs.ids import new_token
from jobs.loops import Every
from jobs.queue import queue_name
from jobs.queues.celery import CeleryQueue
from jobs.queues.inline import InlineQueue
from jobs.reaper import Reaper
from jobs.record import TaskStatus
from jobs.spec import CutoutSpec, Lane, lane_of
from jobs.store import LedgerLimits, LedgerStore
from jobs.testing import ManualClock
from jobs.upkeep import Reaped
from tests.test_jobs.build import LANE, MakeLedger, claim_next, new_task, result_of
from tests.test_jobs.restart import eventually


def working_queue(ledger: LedgerStore) -> InlineQueue:
    """A queue whose hints are followed by a worker that does its work."""

    def work(lane: Lane) -> None:
        claim = ledger.claim([lane], "worker-1", new_token())
        if claim is not None:
            ledger.finish(claim, result_of(claim))

    return InlineQueue(work)


def test_a_lost_workers_item_is_done_by_another(ledger: LedgerStore, clock: ManualClock) -> None:
    task = new_task(item_count=3)
    ledger.create(task)
    claim_next(ledger)
    clock.advance(seconds=16)
    reaped = Reaper(ledger, working_queue(ledger)).sweep()
    assert reaped == Reaped(requeued=1, hints={LANE: 3})
    stored = ledger.get(task.uid, "alice")
    assert stored is not None
    assert stored.status is TaskStatus.FINISHED


def test_only_one_of_two_reapers_sends_hints(ledger: LedgerStore, clock: ManualClock) -> None:
    ledger.create(new_task())
    clock.advance(seconds=6)
    lanes: list[Lane] = []
    one, two = (Reaper(ledger, InlineQueue(lanes.append)) for _ in range(2))
    assert one.sweep() == Reaped(hints={LANE: 1})
    assert two.sweep() is None
    assert lanes == [LANE]


def test_the_deficit_is_counted_in_the_broker(make_ledger: MakeLedger, clock: ManualClock, redis_url: str) -> None:
    spec = CutoutSpec(model="deficit")
    lane = lane_of(spec)
    ledger, queue = make_ledger(LedgerLimits()), CeleryQueue(redis_url)
    ledger.create(new_task(item_count=5, spec=spec))
    with Redis.from_url(redis_url) as client:
        client.delete(queue_name(lane))
        queue.hint(lane)
        queue.hint(lane)
        reaper = Reaper(ledger, queue)
        clock.advance(seconds=6)
        assert reaper.sweep() == Reaped(hints={lane: 3})
        assert client.llen(queue_name(lane)) == 5
        clock.advance(seconds=600)
        assert reaper.sweep() == Reaped()
        client.delete(queue_name(lane))
        assert reaper.sweep() == Reaped(hints={lane: 5})
        client.delete(queue_name(lane))


class Faulty(InlineQueue):
    """A broker that is away at first, and then has a fault of another kind."""

    def __init__(self, sent: list[Lane]) -> None:
        super().__init__(sent.append)
        self.faults: list[Exception] = [ZeroDivisionError("a bug"), LedgerUnavailable("away")]

    @override
    def hint(self, lane: Lane) -> None:
        if self.faults:
            raise self.faults.pop()
        super().hint(lane)


def test_the_loop_outlives_every_fault(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerLimits(hint_grace_seconds=0))
    ledger.create(new_task())
    sent: list[Lane] = []
    with Every(0.01, Reaper(ledger, Faulty(sent)).sweep, "reaper"):
        assert eventually(lambda: LANE in sent)


def test_a_broker_that_is_away_is_an_error(ledger: LedgerStore, clock: ManualClock) -> None:
    ledger.create(new_task())
    clock.advance(seconds=6)
    with pytest.raises(LedgerUnavailable):
        Reaper(ledger, Faulty([])).sweep()
