"""The reaper's loop, with real hints."""

import pytest
from redis import Redis
from typing_extensions import override

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.hints.celery import CeleryQueue
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Reaped
from cutgate.jobs.ledger.redis.upkeep import BATCH
from cutgate.jobs.record import TaskStatus
from cutgate.jobs.spec import CutoutSpec, Lane, lane_of
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from tests.fakes import InlineQueue
from tests.jobs.build import LANE, Ledger
from tests.waiting import eventually


def working_queue(ledger: Ledger) -> InlineQueue:
    """A queue whose hints are followed by a worker that does its work."""

    def work(lane: Lane) -> None:
        claim = ledger.claim([lane], "worker-1", new_token())
        if claim is not None:
            ledger.done(claim)

    return InlineQueue(work)


def test_a_lost_workers_item_is_done_by_another(ledger: Ledger) -> None:
    task = ledger.submit(item_count=3)
    ledger.next_claim()
    ledger.clock.advance(seconds=16)
    reaped = Reaper(ledger, working_queue(ledger)).sweep()
    assert reaped == Reaped(requeued=1, hints={LANE: 3})
    assert ledger.task(task.uid).status is TaskStatus.FINISHED


def test_only_one_of_two_reapers_sends_hints(ledger: Ledger) -> None:
    ledger.submit()
    ledger.clock.advance(seconds=6)
    lanes: list[Lane] = []
    one, two = (Reaper(ledger, InlineQueue(lanes.append)) for _ in range(2))
    assert one.sweep() == Reaped(hints={LANE: 1})
    assert two.sweep() is None
    assert lanes == [LANE]


def test_the_deficit_is_counted_in_the_broker(ledger: Ledger, redis_url: str) -> None:
    spec = CutoutSpec(model="deficit")
    lane = lane_of(spec)
    queue = CeleryQueue(redis_url)
    ledger.submit(item_count=5, spec=spec)
    with Redis.from_url(redis_url) as client:
        client.delete(queue_name(lane))
        queue.hint(lane)
        queue.hint(lane)
        reaper = Reaper(ledger, queue)
        ledger.clock.advance(seconds=6)
        assert reaper.sweep() == Reaped(hints={lane: 3})
        assert client.llen(queue_name(lane)) == 5
        ledger.clock.advance(seconds=600)
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


def test_the_loop_outlives_every_fault(ledger: Ledger) -> None:
    ledger = ledger.limited(hint_grace_seconds=0)
    ledger.submit()
    sent: list[Lane] = []
    with Every(0.01, Reaper(ledger, Faulty(sent)).sweep, "reaper"):
        eventually(lambda: LANE in sent)


def test_a_backlog_comes_back_within_one_sweep(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone is lost with a thousand leases: full batches follow one another, and only then go their hints."""
    monkeypatch.setattr("cutgate.jobs.upkeep.reaper.BACKLOG_SECONDS", 60)
    ledger = ledger.limited(account_queue_cap=5 * BATCH)
    for _ in range(5):
        ledger.claims(item_count=BATCH)
    ledger.clock.advance(seconds=16)
    waiting: list[int] = []
    Reaper(ledger, InlineQueue(lambda _: waiting.append(ledger.waiting(LANE)))).sweep()
    assert waiting == [BATCH] * BATCH + [5 * BATCH] * 4 * BATCH  # at each hint


def test_hints_do_not_outlive_their_items(ledger: Ledger, redis_url: str) -> None:
    spec = CutoutSpec(model="gone")
    lane = lane_of(spec)
    task, queue = ledger.submit(item_count=3, spec=spec), CeleryQueue(redis_url)
    for _ in range(5):
        queue.hint(lane)
    reaper = Reaper(ledger, queue)
    reaper.sweep()
    assert queue.pending(lane) == 3
    ledger.terminate(task.uid, "alice")
    reaper.sweep()
    assert queue.pending(lane) == 0
