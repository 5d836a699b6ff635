"""Concurrent calls that share runs, with a real engine on a tiny network and gates in place of pauses."""

import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.batching import Batcher, BatchFailed, Fill, doubled_sizes, every_size
from cutgate.worker.models.graphs.free_batch import free_batch
from tests.pictures.tiny_network import SIDE_PX, tiny_network

PATIENCE_SECONDS = 20
LONG_SECONDS = 60.0
"""So long that whatever happens in a test did not wait for it."""

SESSION = onnxruntime.InferenceSession(
    free_batch(tiny_network(sigmoid=False)).SerializeToString(), providers=["CPUExecutionProvider"]
)


FREE_SESSION = onnxruntime.InferenceSession(
    free_batch(tiny_network(sigmoid=False, free=True)).SerializeToString(), providers=["CPUExecutionProvider"]
)
"""The same for pictures of any size."""


def run(batch: NDArray[Any], session: onnxruntime.InferenceSession = SESSION) -> Floats:
    output: Floats = session.run(None, {"input": batch})[0]
    return output[:, 0]


def new_slots(count: int) -> NDArray[Any]:
    return np.full((count, 3, SIDE_PX, SIDE_PX), np.nan, np.float32)


def free_slots(count: int, height_px: int, width_px: int) -> NDArray[Any]:
    return np.full((count, 3, height_px, width_px), np.nan, np.float32)


def filled_with(level: float) -> Fill:
    def fill(slot: NDArray[Any]) -> None:
        slot[...] = level

    return fill


def odds(level: float) -> float:
    """What the network makes of a picture of one level."""
    return float(run(np.full((1, 3, SIDE_PX, SIDE_PX), level, np.float32))[0, 0, 0])


class Gated:
    """The network behind a gate, which notes what it was given and whether two runs met."""

    def __init__(self, *, opened: bool = True, session: onnxruntime.InferenceSession = SESSION) -> None:
        self.session = session
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.sizes: list[int] = []
        self.met = False
        self._inside = threading.Lock()
        if opened:
            self.gate.set()

    def __call__(self, batch: NDArray[Any]) -> Floats:
        if not self._inside.acquire(blocking=False):
            self.met = True
            raise AssertionError("two runs at a time")
        try:
            self.sizes.append(len(batch))
            self.entered.release()
            assert self.gate.wait(PATIENCE_SECONDS)
            return run(batch, self.session)
        finally:
            self._inside.release()


class Callers:
    """Threads that call a batcher; `arrived` counts those whose picture is about to lie in its slot."""

    def __init__(self, pool: ThreadPoolExecutor, batcher: Batcher) -> None:
        self.pool, self.batcher = pool, batcher
        self.arrived, self.preparing = threading.Semaphore(0), threading.Semaphore(0)

    def call(
        self, level: float, *, prepared: threading.Event | None = None, size_px: tuple[int, ...] = ()
    ) -> Future[Floats]:
        def fill(slot: NDArray[Any]) -> None:
            self.arrived.release()
            slot[...] = level

        def prepare() -> Fill:
            self.preparing.release()
            assert prepared is None or prepared.wait(PATIENCE_SECONDS)
            return fill

        return self.pool.submit(self.batcher, prepare, *size_px)

    def keep_busy(self, network: Gated, size_px: tuple[int, ...] = ()) -> Future[Floats]:
        """A first call, which is in the network when this returns."""
        first = self.call(0.0, size_px=size_px)
        assert network.entered.acquire(timeout=PATIENCE_SECONDS)
        self.wait_for(1)
        return first

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=PATIENCE_SECONDS)


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(8) as made:
        yield made


def batcher(network: Any, most: int = 4, wait_seconds: float = LONG_SECONDS) -> Batcher:
    return Batcher(network, new_slots, sizes=every_size(most), wait_seconds=wait_seconds)


def free_batcher(network: Any, most: int) -> Batcher:
    return Batcher(network, free_slots, sizes=every_size(most), wait_seconds=0)


def level_of(future: Future[Floats]) -> float:
    map_ = future.result(PATIENCE_SECONDS)
    assert map_.shape == (SIDE_PX, SIDE_PX)
    assert np.ptp(map_) == 0
    return float(map_[0, 0])


def test_one_alone_runs_at_once() -> None:
    network = Gated()
    assert batcher(network)(lambda: filled_with(0.25))[0, 0] == odds(0.25)
    assert network.sizes == [1]


@pytest.mark.parametrize(("sizes", "ran"), [(every_size(4), [1, 3]), (doubled_sizes(4), [1, 4])])
def test_who_comes_during_a_run_shares_the_next_which_is_filled_up_to_a_size(
    pool: ThreadPoolExecutor, sizes: tuple[int, ...], ran: list[int]
) -> None:
    network = Gated(opened=False)
    callers = Callers(pool, Batcher(network, new_slots, sizes=sizes, wait_seconds=LONG_SECONDS))
    first = callers.keep_busy(network)
    others = [callers.call(level) for level in (0.1, 0.2, 0.3)]
    callers.wait_for(3)
    network.gate.set()
    assert [level_of(future) for future in (first, *others)] == [odds(level) for level in (0.0, 0.1, 0.2, 0.3)]
    assert network.sizes == ran


def test_no_batch_is_larger_than_the_greatest(pool: ThreadPoolExecutor) -> None:
    network = Gated(opened=False)
    callers = Callers(pool, batcher(network, most=2))
    first = callers.keep_busy(network)
    others = [callers.call(level) for level in (0.1, 0.2, 0.3, 0.4, 0.5)]
    callers.wait_for(5)
    network.gate.set()
    assert level_of(first) == odds(0.0)
    assert {level_of(future) for future in others} == {odds(level) for level in (0.1, 0.2, 0.3, 0.4, 0.5)}
    assert network.sizes == [1, 2, 2, 1]


@pytest.mark.parametrize("wait_seconds", [LONG_SECONDS, 0.01])
def test_who_is_ready_waits_for_who_prepares_but_not_for_ever(
    pool: ThreadPoolExecutor, wait_seconds: float
) -> None:
    network, prepared = Gated(), threading.Event()
    callers = Callers(pool, batcher(network, wait_seconds=wait_seconds))
    late = callers.call(0.4, prepared=prepared)
    assert callers.preparing.acquire(timeout=PATIENCE_SECONDS)
    ready = callers.call(0.2)
    if wait_seconds == LONG_SECONDS:
        callers.wait_for(1)
        assert not network.sizes
    else:
        assert level_of(ready) == odds(0.2)
    prepared.set()
    assert (level_of(ready), level_of(late)) == (odds(0.2), odds(0.4))
    assert network.sizes == ([2] if wait_seconds == LONG_SECONDS else [1, 1])


def test_an_error_reaches_each_of_its_batch_and_nobody_else(pool: ThreadPoolExecutor) -> None:
    network = Gated(opened=False)

    def fails_for_two(batch: NDArray[Any]) -> Floats:
        maps = network(batch)
        if len(batch) == 2:
            raise ValueError("out of memory")
        return maps

    callers = Callers(pool, batcher(fails_for_two))
    first = callers.keep_busy(network)
    pair = [callers.call(level) for level in (0.1, 0.2)]
    callers.wait_for(2)
    network.gate.set()
    errors = [future.exception(PATIENCE_SECONDS) for future in pair]
    assert all(isinstance(error, BatchFailed) and "out of memory" in str(error) for error in errors)
    assert errors[0] is not errors[1]
    assert level_of(first) == odds(0.0)
    assert level_of(callers.call(0.3)) == odds(0.3)


@pytest.mark.parametrize("where", ["prepare", "fill"])
def test_a_picture_that_cannot_be_prepared_harms_no_other(pool: ThreadPoolExecutor, where: str) -> None:
    network = Gated(opened=False)
    callers = Callers(pool, batcher(network))

    def refuse(*slot: NDArray[Any]) -> Any:
        callers.arrived.release()
        raise ValueError("no picture")

    first = callers.keep_busy(network)
    # Where it gets as far as a slot, it would run the batch for the others.
    broken = pool.submit(callers.batcher, refuse if where == "prepare" else lambda: refuse)
    callers.wait_for(1)
    other = callers.call(0.2)
    callers.wait_for(1)
    network.gate.set()
    assert isinstance(broken.exception(PATIENCE_SECONDS), ValueError)
    assert (level_of(first), level_of(other)) == (odds(0.0), odds(0.2))


@settings(max_examples=25, deadline=None)
@given(
    levels=st.lists(st.floats(0, 1, width=16), min_size=1, max_size=24),
    callers=st.integers(1, 8),
    most=st.integers(1, 5),
    wait_seconds=st.sampled_from([0.0, 0.001, LONG_SECONDS]),
)
def test_each_caller_gets_its_own_map(levels: list[float], callers: int, most: int, wait_seconds: float) -> None:
    network = Gated()
    shared = batcher(network, most, wait_seconds)
    with ThreadPoolExecutor(callers) as pool:
        found = list(pool.map(lambda level: float(shared(lambda: filled_with(level))[3, 5]), levels))
    assert found == [odds(level) for level in levels]
    assert not network.met
    assert sum(network.sizes) == len(levels) == shared.spent.pictures
    assert shared.spent.runs == len(network.sizes)
    assert max(network.sizes) <= most


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (4, (1, 2, 4)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))],
)
def test_few_sizes(most: int, sizes: tuple[int, ...]) -> None:
    assert doubled_sizes(most) == sizes


class TestSizes:
    def test_pictures_of_one_size_share_a_run_and_others_have_their_own(self, pool: ThreadPoolExecutor) -> None:
        network = Gated(opened=False, session=FREE_SESSION)
        callers = Callers(pool, free_batcher(network, 4))
        first = callers.keep_busy(network, (4, 4))
        sizes = [(8, 8), (16, 8), (8, 8), (8, 24), (16, 8), (8, 8)]
        levels = [0.1 * number for number in range(len(sizes))]
        futures = [callers.call(level, size_px=size_px) for level, size_px in zip(levels, sizes, strict=True)]
        callers.wait_for(len(sizes))
        network.gate.set()
        assert first.result(PATIENCE_SECONDS).shape == (4, 4)
        for future, size_px, level in zip(futures, sizes, levels, strict=True):
            found = future.result(PATIENCE_SECONDS)
            assert found.shape == size_px
            assert found == pytest.approx(odds(level), abs=1e-4)
        assert sorted(network.sizes) == [1, 1, 2, 3]
        assert not network.met

    def test_slots_of_sizes_that_went_by_are_not_kept(self) -> None:
        rooms: list[weakref.ref[NDArray[Any]]] = []

        def new_slots(count: int, *size_px: int) -> NDArray[Any]:
            slots = free_slots(count, *size_px)
            rooms.append(weakref.ref(slots))
            return slots

        batcher = Batcher(Gated(session=FREE_SESSION), new_slots, sizes=(1,), wait_seconds=0)
        for side_px in (*range(8, 40), 39, 39):
            batcher(lambda: filled_with(0.5), side_px, 8)
        assert len(rooms) == 32  # the last size found what was there
        assert [room() is not None for room in rooms] == [False] * 31 + [True]


def test_two_networks_of_a_process_take_turns(pool: ThreadPoolExecutor) -> None:
    first, second = Gated(opened=False), Gated()
    busy = pool.submit(Batcher(first, new_slots, sizes=(1,), wait_seconds=0), lambda: filled_with(0.0))
    assert first.entered.acquire(timeout=PATIENCE_SECONDS)
    waiting = Callers(pool, Batcher(second, new_slots, sizes=(1,), wait_seconds=0))
    answer = waiting.call(1.0)
    assert waiting.arrived.acquire(timeout=PATIENCE_SECONDS)
    assert not second.entered.acquire(timeout=0.2)
    first.gate.set()
    assert answer.result(PATIENCE_SECONDS)[0, 0] == odds(1.0)
    assert busy.done()
