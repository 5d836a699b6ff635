"""Several items at once, with the real ledger in memory and pictures that end when the test says so."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typing_extensions import override

from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.ledger.claims import Claims
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.record import Claim, ItemState, KeptMask, NewItem, NewTask, Result
from cutgate.jobs.spec import CutoutSpec, Refinement, lane_of
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.engines.runtime import Segmenter
from cutgate.worker.pictures.images import SourceImage, read_image
from cutgate.worker.process.concurrency import ConcurrentItems, Deadlines
from cutgate.worker.process.health import Health
from cutgate.worker.process.runner import Runner
from tests.fakes import ManualClock, MemoryBlobStore
from tests.ledgers import FreshLedger
from tests.waiting import eventually
from tests.worker.process.crew import picture

SPEC = CutoutSpec(model="stand-in", refinement=Refinement.OFF)
LANE = lane_of(SPEC)
PATIENCE_SECONDS = 20
LEAST_PX = 20
"""Width of the first picture; each next one is a pixel wider, and the network knows it by that."""
HEIGHT_PX = 30
LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10**6, max_side_px=2000)
RAISES = 7


class Refusing(Claims):
    """Claims that fail at the end of one item in a way that nobody foresaw."""

    @override
    def finish(self, claim: Claim, result: Result, *, slow: bool = False, mask: KeptMask | None = None) -> bool:
        if claim.index == RAISES:
            raise RuntimeError("unforeseen")
        return super().finish(claim, result, slow=slow, mask=mask)


class Stage:
    """Items of one task and what works on them, with a network that answers when the test says so.

    Several may be in it at the same time, unless it is `whole`, as on a CPU.
    """

    def __init__(self, count: int, limits: LedgerLimits, max_pixels: int | None, *, whole: bool) -> None:
        self.ledger, self.blobs = FreshLedger(limits, ManualClock()), MemoryBlobStore()
        self.ledger.claims = Refusing(self.ledger.database)
        segmenter = Segmenter(
            self.predict, model="stand-in", engine="none", provider="none", dtype="none", threads=1
        )
        runner = Runner(
            store=self.ledger,
            blobs=self.blobs,
            health=Health(self.ledger, self.blobs),
            predict_for=lambda _: segmenter if whole else self.predict,
            owner="w1",
            limits=LIMITS,
            beat_seconds=60,
            read_image=self.read_image,
        )
        self.read: list[int] = []
        self.may_read = threading.Event()
        self.may_read.set()
        self.at_work: dict[int, threading.Thread] = {}
        self.ended: list[int] = []
        self.go_on = [threading.Event() for _ in range(10)]
        self.deadlines = Deadlines(count)
        self.items = ConcurrentItems(runner, self.deadlines, max_pixels)
        self.takers: list[threading.Thread] = []

    def read_image(self, *arguments: Any, **options: Any) -> SourceImage:
        assert self.may_read.wait(PATIENCE_SECONDS)
        source = read_image(*arguments, **options)
        self.read.append(source.rgb.shape[1] - LEAST_PX)
        return source

    def predict(self, image: RgbImage) -> ByteMask:
        index = image.shape[1] - LEAST_PX
        self.at_work[index] = threading.current_thread()
        assert self.go_on[index].wait(PATIENCE_SECONDS)
        del self.at_work[index]
        self.ended.append(index)
        return image[..., 0]

    def submit(self, count: int, unreadable: int = 0) -> None:
        uid = new_task_uid()
        items = tuple(NewItem(source=source_key(uid, index), spec=SPEC) for index in range(count))
        for index, item in enumerate(items):
            self.blobs.put(item.source, b"no picture" if index < unreadable else picture(LEAST_PX + index))
        self.ledger.tasks.create(NewTask(uid=uid, account="ada", origin="test", items=items))
        self.uid = uid

    def states(self) -> list[ItemState]:
        task = self.ledger.tasks.get(self.uid, "ada")
        assert task is not None
        return [item.state for item in task.items]

    def take(self) -> threading.Thread:
        """Take one as Celery has it done, on a thread of the test's."""
        taker = threading.Thread(target=self.items.take_one, args=[[LANE]])
        self.takers.append(taker)
        taker.start()
        return taker

    def take_whole(self, count: int = 1) -> None:
        """Take so many, one after the other, each until its hint is done with."""
        for _ in range(count):
            taker = self.take()
            taker.join(PATIENCE_SECONDS)
            assert not taker.is_alive()

    def lose_one(self) -> None:
        """Have a worker die with an item."""
        assert self.ledger.claims.take([LANE], "lost", "token-of-the-lost") is not None
        self.ledger.claims.give_back_owned("lost", died=True)

    def finish(self, *indices: int) -> None:
        for index in indices:
            self.go_on[index].set()


@pytest.fixture
def stages() -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(
        count: int, job_timeout_seconds: float = 120, max_pixels: int | None = None, *, whole: bool = False
    ) -> Stage:
        limits = LedgerLimits(job_timeout_seconds=job_timeout_seconds)
        made.append(Stage(count, limits, max_pixels, whole=whole))
        return made[-1]

    yield make
    for stage in made:
        stage.may_read.set()
        stage.finish(*range(len(stage.go_on)))
        for taker in stage.takers:
            taker.join(PATIENCE_SECONDS)
        stage.items.drain()


def test_one_alone_is_worked_on_by_the_callers_thread(stages: Callable[..., Stage]) -> None:
    stage = stages(1)
    stage.submit(1)
    taker = stage.take()
    eventually(lambda: 0 in stage.at_work)
    assert stage.at_work[0] is taker
    stage.finish(0)
    taker.join(PATIENCE_SECONDS)
    assert stage.ended == [0]


def test_while_there_is_room_a_claim_is_all_that_a_hint_waits_for(stages: Callable[..., Stage]) -> None:
    stage = stages(3)
    stage.submit(4)
    stage.take_whole(2)
    eventually(lambda: sorted(stage.at_work) == [0, 1])
    assert stage.states() == [ItemState.RUNNING, ItemState.RUNNING, ItemState.QUEUED, ItemState.QUEUED]


def test_the_last_hint_is_held_until_there_is_room(stages: Callable[..., Stage]) -> None:
    stage = stages(2)
    stage.submit(3)
    stage.take_whole()
    second = stage.take()
    eventually(lambda: sorted(stage.at_work) == [0, 1])
    assert second.is_alive()
    assert stage.states()[2] is ItemState.QUEUED
    stage.finish(0)
    second.join(PATIENCE_SECONDS)
    assert not second.is_alive()
    assert stage.ended == [0]


def test_one_is_read_while_the_network_sees_another(stages: Callable[..., Stage]) -> None:
    stage = stages(2, whole=True)
    stage.submit(2)
    stage.take_whole()
    eventually(lambda: list(stage.at_work) == [0])
    stage.take()
    eventually(lambda: stage.read == [0, 1] and list(stage.at_work) == [0])
    stage.finish(0)
    eventually(lambda: stage.ended == [0] and list(stage.at_work) == [1])


def test_without_room_for_one_of_the_largest_no_other_is_claimed(stages: Callable[..., Stage]) -> None:
    first_pixels = LEAST_PX * HEIGHT_PX
    tight = stages(2, max_pixels=LIMITS.max_pixels + first_pixels - 1)
    tight.submit(2)
    taker = tight.take()
    eventually(lambda: list(tight.at_work) == [0])
    taker.join(0.2)
    assert taker.is_alive()
    assert tight.states() == [ItemState.RUNNING, ItemState.QUEUED]
    tight.finish(0)
    taker.join(PATIENCE_SECONDS)
    assert tight.ended == [0]

    wide = stages(2, max_pixels=LIMITS.max_pixels + first_pixels)
    wide.submit(2)
    wide.take_whole()
    wide.take()
    eventually(lambda: sorted(wide.at_work) == [0, 1])


def test_what_is_not_decoded_counts_as_one_of_the_largest(stages: Callable[..., Stage]) -> None:
    stage = stages(2, max_pixels=2 * LIMITS.max_pixels - 1)
    stage.may_read.clear()
    stage.submit(2)
    taker = stage.take()
    eventually(lambda: stage.states()[0] is ItemState.RUNNING)
    taker.join(0.2)
    assert taker.is_alive()
    stage.may_read.set()
    taker.join(PATIENCE_SECONDS)
    assert list(stage.ended) == []
    stage.take()
    eventually(lambda: sorted(stage.at_work) == [0, 1])


def test_one_larger_than_the_bound_is_worked_on_alone(stages: Callable[..., Stage]) -> None:
    stage = stages(2, max_pixels=1)
    stage.submit(3)
    stage.finish(0, 1, 2)
    stage.take_whole(3)
    assert stage.ended == [0, 1, 2]


def test_what_fails_leaves_its_room(stages: Callable[..., Stage]) -> None:
    stage = stages(2, max_pixels=2 * LIMITS.max_pixels - 1)
    stage.submit(3, unreadable=2)
    stage.take_whole(2)
    stage.finish(2)
    stage.take_whole()
    stage.items.drain()
    assert stage.states() == [ItemState.FAILED, ItemState.FAILED, ItemState.DONE]


def test_what_lost_its_worker_is_worked_on_alone(stages: Callable[..., Stage]) -> None:
    stage = stages(3)
    stage.submit(3)
    stage.take_whole(2)
    eventually(lambda: sorted(stage.at_work) == [0, 1])
    stage.lose_one()
    third = stage.take()
    eventually(lambda: stage.states()[2] is ItemState.RUNNING)
    stage.finish(0)
    eventually(lambda: stage.ended == [0])
    assert sorted(stage.at_work) == [1]
    stage.finish(1)
    eventually(lambda: list(stage.at_work) == [2])
    assert third.is_alive()
    stage.finish(2)
    third.join(PATIENCE_SECONDS)
    assert stage.ended == [0, 1, 2]


def test_what_cannot_be_alone_in_half_of_its_time_is_put_back(stages: Callable[..., Stage]) -> None:
    stage = stages(3, job_timeout_seconds=2)
    stage.submit(2)
    stage.take_whole()
    eventually(lambda: list(stage.at_work) == [0])
    stage.lose_one()
    second = stage.take()
    eventually(lambda: stage.states()[1] is ItemState.RUNNING)
    second.join(PATIENCE_SECONDS)
    assert stage.states() == [ItemState.RUNNING, ItemState.QUEUED]
    stage.finish(0, 1)
    eventually(lambda: stage.ended == [0])
    stage.take_whole()
    assert stage.ended == [0, 1]


def test_what_raises_makes_room_as_well(stages: Callable[..., Stage]) -> None:
    stage = stages(2)
    stage.submit(9)
    stage.finish(*range(len(stage.go_on)))
    stage.take_whole(9)
    stage.items.drain()
    assert sorted(stage.ended) == list(range(9))


def test_draining_waits_for_all(stages: Callable[..., Stage]) -> None:
    stage = stages(3)
    stage.submit(2)
    stage.take_whole(2)
    drain = threading.Thread(target=stage.items.drain)
    drain.start()
    stage.finish(1)
    eventually(lambda: stage.ended == [1])
    assert drain.is_alive()
    stage.finish(0)
    drain.join(PATIENCE_SECONDS)
    assert not drain.is_alive()


def test_an_item_past_its_time_shows(stages: Callable[..., Stage]) -> None:
    stage = stages(2)
    stage.submit(1)
    stage.take_whole()
    limit_seconds = LedgerLimits().job_timeout_seconds
    assert not stage.deadlines.overdue(0)
    assert stage.deadlines.overdue(-limit_seconds - 1)
    stage.finish(0)
    stage.items.drain()
    assert not stage.deadlines.overdue(-limit_seconds - 1)


def test_deadlines_are_of_the_present_child_alone() -> None:
    deadlines = Deadlines(2)
    deadlines.set(1, seconds=0)
    time.sleep(0.001)
    assert deadlines.overdue(0)
    deadlines.clear_all()
    assert not deadlines.overdue(0)
