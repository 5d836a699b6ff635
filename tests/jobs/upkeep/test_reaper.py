"""The reaper's loop, with real hints."""

import pytest
from redis import Redis
from typing_extensions import override

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.hints.celery import CeleryQueue
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Leftovers, Reaped
from cutgate.jobs.record import TaskStatus
from cutgate.jobs.spec import CutoutSpec, Lane, lane_of
from cutgate.jobs.upkeep.disposal import Disposal
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from tests.fakes import InlineQueue, MemoryBlobStore, failing
from tests.jobs.build import LANE, Ledger, new_task
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
    reaped = Reaper(ledger, working_queue(ledger), Disposal(MemoryBlobStore())).sweep()
    assert reaped == Reaped(requeued=1, hints={LANE: 3})
    assert ledger.task(task.uid).status is TaskStatus.FINISHED


def test_only_one_of_two_reapers_sends_hints(ledger: Ledger) -> None:
    ledger.submit()
    ledger.clock.advance(seconds=6)
    lanes: list[Lane] = []
    one, two = (Reaper(ledger, InlineQueue(lanes.append), Disposal(MemoryBlobStore())) for _ in range(2))
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
        reaper = Reaper(ledger, queue, Disposal(MemoryBlobStore()))
        ledger.clock.advance(seconds=6)
        assert reaper.sweep() == Reaped(hints={lane: 3})
        assert client.llen(queue_name(lane)) == 5
        ledger.clock.advance(seconds=600)
        assert reaper.sweep() == Reaped()
        client.delete(queue_name(lane))
        assert reaper.sweep() == Reaped(hints={lane: 5})
        client.delete(queue_name(lane))


@pytest.mark.parametrize("reached", [True, False])
def test_the_sources_of_what_it_failed_are_deleted(ledger: Ledger, reached: bool) -> None:
    """One picture's worker is lost, one waits too long, one is waited for."""
    ledger = ledger.limited(max_attempts=1, queue_timeout_seconds=60)
    blobs = MemoryBlobStore() if reached else failing(MemoryBlobStore(), delete=BlobStoreUnavailable("away"))
    task = ledger.submit(item_count=2)
    ledger.next_claim()
    ledger.clock.advance(seconds=61)
    young = ledger.submit()
    for item in task.items + young.items:
        blobs.put(item.source, b"picture")
    reaped = Reaper(ledger, InlineQueue(lambda lane: None), Disposal(blobs)).sweep()
    assert reaped is not None
    assert (reaped.worker_lost, reaped.too_late) == (1, 1)
    left = young.items if reached else task.items + young.items
    assert set(blobs.keys()) == {item.source for item in left}


@pytest.mark.parametrize(
    ("settings", "kept"), [({}, set()), ({"keep_poisoned": True}, {1}), ({"delete_source": False}, {0, 1})]
)
def test_a_poisoned_picture_can_be_kept(settings: dict[str, bool], kept: set[int]) -> None:
    blobs, task = MemoryBlobStore(), new_task(item_count=2)
    plain, poisoned = (item.source for item in task.items)
    for key in (plain, poisoned):
        blobs.put(key, b"picture")
    Disposal(blobs, **settings).dispose(Leftovers(sources=(plain,), poisoned=(poisoned,)))
    left = blobs.keys()
    assert {key.index for key in left} == kept


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
    with Every(0.01, Reaper(ledger, Faulty(sent), Disposal(MemoryBlobStore())).sweep, "reaper"):
        eventually(lambda: LANE in sent)


def test_a_broker_that_is_away_is_an_error_and_sources_go_all_the_same(ledger: Ledger) -> None:
    ledger, blobs = ledger.limited(max_attempts=1), MemoryBlobStore()
    ledger.submit(item_count=2)
    blobs.put(ledger.next_claim().source, b"picture")
    ledger.clock.advance(seconds=16)
    with pytest.raises(LedgerUnavailable):
        Reaper(ledger, Faulty([]), Disposal(blobs)).sweep()
    assert blobs.keys() == ()
