"""Several items at once in one process: each with its own claim, heartbeat and thread; they share the network.

On a CPU one picture is read or written beside another's run of the network, which keeps all processors busy alone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing.sharedctypes import RawArray
from typing import Any, Final

import structlog

from cutgate.jobs.record import Claim
from cutgate.jobs.spec import Lane
from cutgate.worker.pictures.images import SourceImage
from cutgate.worker.process.heartbeat import Heartbeat
from cutgate.worker.process.runner import Runner

log = structlog.get_logger(__name__)

WAIT_SHARE: Final = 0.5
"""Of an item's time, what it may spend on waiting until it is alone."""


class Deadlines:
    """When each item that is being worked on must have ended, for the process that looks from outside.

    It lies in memory that a forked child shares with its parent, without locks: a child that is killed would keep
    them. An entry is one number, which is written at once.
    """

    def __init__(self, count: int) -> None:
        """Make room for so many items, before the fork."""
        self._ends_at = RawArray("d", count)

    def __len__(self) -> int:
        return len(self._ends_at)

    def set(self, place: int, seconds: float) -> None:
        """The item at this place has so much time from now."""
        self._ends_at[place] = time.monotonic() + seconds

    def clear(self, place: int) -> None:
        """The item has ended."""
        self._ends_at[place] = 0

    def clear_all(self) -> None:
        """The child has gone."""
        for place in range(len(self)):
            self.clear(place)

    def any(self) -> bool:
        """Whether an item is being worked on."""
        return any(self._ends_at)

    def overdue(self, margin_seconds: float) -> bool:
        """Whether an item has not ended so long after its time."""
        latest = time.monotonic() - margin_seconds
        return any(0 < ends_at < latest for ends_at in self._ends_at)


class ConcurrentItems:
    """Works on as many items at once as there are deadlines; one alone has the caller's own thread.

    Their pictures are held in memory, so there is a bound on their pixels. A picture's size is known once it is
    decoded: until then it counts as one of the largest, and beside those at work there must be room for such a one
    before another is claimed. So what is claimed never waits for memory, and with a bound below two of the largest
    one picture is decoded at a time.
    """

    def __init__(self, runner: Runner, deadlines: Deadlines, max_pixels: int | None = None) -> None:
        self._runner, self._deadlines, self._max_pixels = runner, deadlines, max_pixels
        self._free = list(range(len(deadlines)))
        self._pixels: dict[int, int] = {}
        self._changed = threading.Condition()
        self._threads = ThreadPoolExecutor(len(deadlines), "item")

    def take_one(self, lanes: Sequence[Lane]) -> None:
        """Claim one item of the lanes, begin with it, and return once there is room for another.

        A hint that is kept until then is safe to acknowledge: the ledger has the claim, and this process asks for
        no more work than it can begin with.

        An item whose worker has died before is worked on alone. If it killed that worker it kills this one too,
        and those that happen to lie beside it should not use up their attempts with it. Where one of them takes so
        long that it may hang, the item is put back: its time should not run out while it waits.
        """
        claim = self._runner.claim(lanes)
        if claim is None:
            return
        place = self._place_for(claim)
        if len(self._deadlines) == 1:
            self._work(place, claim, self._runner.work_on)
        elif claim.attempt > 1:
            with Heartbeat(self._runner.store, claim, self._runner.beat_seconds) as beat:
                alone = self._wait_for_free(len(self._deadlines) - 1, claim.deadline_in_seconds * WAIT_SHARE)
                # The time of waiting is the item's own: one heartbeat, and one deadline, for both.
                work = partial(self._runner.work_on, beat=beat) if alone else self._runner.store.claims.give_back
                self._work(place, claim, work)
        else:
            runner = replace(self._runner, read_image=partial(self._read_image, place))
            self._threads.submit(self._work, place, claim, runner.work_on)
            with self._changed:
                self._changed.wait_for(self._has_room)

    def drain(self) -> None:
        """Return when every item has ended."""
        self._wait_for_free(len(self._deadlines))

    def _place_for(self, claim: Claim) -> int:
        with self._changed:
            place = self._free.pop()
            self._pixels[place] = self._runner.limits.max_pixels
        self._deadlines.set(place, claim.deadline_in_seconds)
        return place

    def _read_image(self, place: int, *arguments: Any, **options: Any) -> SourceImage:
        """As the runner's; the picture's size is known then."""
        source = self._runner.read_image(*arguments, **options)
        with self._changed:
            self._pixels[place] = source.rgb.shape[0] * source.rgb.shape[1]
            self._changed.notify_all()
        return source

    def _has_room(self) -> bool:
        """Whether another item can be begun."""
        if not self._free:
            return False
        if self._max_pixels is None or not self._pixels:
            return True
        return sum(self._pixels.values()) + self._runner.limits.max_pixels <= self._max_pixels

    def _wait_for_free(self, count: int, seconds: float | None = None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self._free) >= count, seconds)

    def _work(self, place: int, claim: Claim, work: Callable[[Claim], object]) -> None:
        try:
            work(claim)
        except Exception:
            # Such as a ledger that stayed away until the item's time was over; it goes on from there by itself.
            log.exception("item_left", task_uid=claim.task, item=claim.index, account=claim.account)
        finally:
            self._deadlines.clear(place)
            with self._changed:
                del self._pixels[place]
                self._free.append(place)
                self._changed.notify_all()
