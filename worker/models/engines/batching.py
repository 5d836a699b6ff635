"""Micro-batching: concurrent calls of one network share its runs.

There is no thread beside the callers'. Of those that share a batch the first one runs it, when the network is free
and nobody who is about to join is worth waiting for; the others wait for their part of its output. While a run is
under way the next batch fills by itself. Nothing needs to be closed: with the last caller everything has ended.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats

Slots: TypeAlias = NDArray[Any]
"""(n, 3, height, width) of the network's input type: room for n prepared pictures."""

Fill: TypeAlias = Callable[[Slots], None]
"""Writes a picture into its slot, (3, height, width)."""


ONE_RUN: Final = threading.RLock()
"""Held while a network of this process runs, whichever it is: one run keeps every processor busy."""


class BatchFailed(RuntimeError):
    """The run that a picture shared raised; the cause is chained."""


class _Batch:
    """Pictures that share a run. Everything but what lies in the slots is guarded by the batcher's condition."""

    def __init__(self, slots: Slots, size_px: tuple[int, ...]) -> None:
        self.slots = slots
        self.size_px = size_px
        self.joined = 0
        self.unfilled = 0
        self.outcome: Floats | BaseException | None = None

    @property
    def full(self) -> bool:
        return self.joined == len(self.slots)


@dataclass(slots=True)
class Spent:
    """What a batcher has done so far."""

    runs: int = 0
    pictures: int = 0
    seconds: float = 0.0
    """Of wall time, in runs."""


class Batcher:
    """Gathers calls into batches and runs one batch at a time, in the order in which they began.

    Attributes:
        spent: runs and their time so far.
    """

    def __init__(
        self,
        run: Callable[[Slots], Floats],
        new_slots: Callable[..., Slots],
        *,
        sizes: Sequence[int],
        wait_seconds: float,
    ) -> None:
        """Prepare it; it holds no slots before the first call.

        Args:
            run: the network: (n, 3, height, width) to (n, height, width), for one caller at a time.
            new_slots: makes room for so many pictures, of the size that their callers name.
            sizes: the n that `run` is called with, ascending; a batch in between is filled up with whatever its
                last slots hold, and what comes of that is dropped.
            wait_seconds: how long pictures that are ready wait for those that are still being prepared.
        """
        self._run, self._new_slots = run, new_slots
        self._sizes, self._wait_seconds = tuple(sizes), wait_seconds
        self.spent = Spent()
        self._changed = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._running = False
        self._preparing = 0
        self._spare: dict[tuple[int, ...], list[Slots]] = {}

    def __call__(self, prepare: Callable[[], Fill], *size_px: int) -> Floats:
        """Run the network on one picture, together with those of other callers.

        Args:
            prepare: does what takes its time, on this thread, and gives what fills the slot. The others wait for
                it no longer than the wait of the batcher; for what fills a slot they wait, so it should be short.
            size_px: what tells this picture's slots from others': pictures of one size share a batch.

        Returns:
            (height, width) float32, the network's map of this picture; it is the caller's.

        Raises:
            BatchFailed: the run raised. Every caller of the batch gets one of its own.
        """
        batch, place, fill = self._join(prepare, size_px)
        try:
            fill(batch.slots[place])
        finally:
            # Whoever runs the batch does so for the others, even if its own picture could not be prepared.
            outcome = self._outcome(batch, leads=place == 0)
        if isinstance(outcome, BaseException):
            raise BatchFailed(f"the network failed: {outcome}") from outcome
        own: Floats = outcome[place]
        return own

    def _join(self, prepare: Callable[[], Fill], size_px: tuple[int, ...]) -> tuple[_Batch, int, Fill]:
        with self._changed:
            self._preparing += 1
        try:
            fill = prepare()
        except BaseException:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._preparing -= 1
            batch = self._open_batch(size_px)
            place = batch.joined
            batch.joined += 1
            batch.unfilled += 1
            self._changed.notify_all()
        return batch, place, fill

    def _open_batch(self, size_px: tuple[int, ...]) -> _Batch:
        """The batch that waits with room for a picture of this size, or a new one behind all others."""
        for batch in self._waiting:
            if batch.size_px == size_px and not batch.full:
                return batch
        spare = self._spare.get(size_px)
        slots = spare.pop() if spare else self._new_slots(self._sizes[-1], *size_px)
        self._waiting.append(_Batch(slots, size_px))
        return self._waiting[-1]

    def _outcome(self, batch: _Batch, *, leads: bool) -> Floats | BaseException:
        with self._changed:
            batch.unfilled -= 1
            self._changed.notify_all()
            if leads:
                self._wait_for_turn(batch)
            else:
                self._changed.wait_for(lambda: batch.outcome is not None)
        if leads:
            self._run_batch(batch)
        assert batch.outcome is not None
        return batch.outcome

    def _wait_for_turn(self, batch: _Batch) -> None:
        """Close the batch, once the network is free for it and it is as full as it will be in time."""
        until = time.monotonic() + self._wait_seconds
        while not self._may_run(batch, waited=(left := until - time.monotonic()) <= 0):
            self._changed.wait(left if left > 0 else None)
        self._waiting.popleft()
        self._running = True

    def _may_run(self, batch: _Batch, *, waited: bool) -> bool:
        if self._running or self._waiting[0] is not batch or batch.unfilled:
            return False
        return waited or batch.full or not self._preparing

    def _run_batch(self, batch: _Batch) -> None:
        size = next(size for size in self._sizes if size >= batch.joined)
        outcome: Floats | BaseException
        with ONE_RUN:
            started = time.perf_counter()
            try:
                outcome = self._run(batch.slots[:size])
            except BaseException as error:  # whatever it is, the others must not wait for ever
                outcome = error
            seconds = time.perf_counter() - started
        with self._changed:
            batch.outcome = outcome
            self.spent.runs += 1
            self.spent.pictures += batch.joined
            self.spent.seconds += seconds
            # Of the last size alone: of slots in every size that ever came there would be no end.
            self._spare = {batch.size_px: [*self._spare.get(batch.size_px, ()), batch.slots]}
            self._running = False
            self._changed.notify_all()


def every_size(most: int) -> tuple[int, ...]:
    """Batches of each size up to the greatest: for a CPU, where a slot that nobody reads costs time."""
    return tuple(range(1, most + 1))


def doubled_sizes(most: int) -> tuple[int, ...]:
    """Powers of two below the greatest batch, and that: few shapes for a library that plans for each anew."""
    sizes = [1]
    while sizes[-1] * 2 < most:
        sizes.append(sizes[-1] * 2)
    return (*sizes, most) if most > 1 else (1,)
