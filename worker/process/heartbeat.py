"""Signs of life: a claim's lease is renewed while native code runs, and a claim that was taken away is noticed."""

import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

from cutgate.jobs.errors import LedgerUnavailable, TimedOut
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import Claim, Phase
from cutgate.jobs.upkeep.loops import Every

log = structlog.get_logger(__name__)


class ClaimLost(Exception):
    """The ledger says that the item is no longer this worker's; whatever is being made must be dropped."""


class Heartbeat:
    """Keeps one claim alive, and tells the pipeline when to stop.

    Leases are renewed from a thread, so that a long native call does not lose the item; a hang is therefore seen
    by the hard deadline alone. `check`, called between the pipeline's steps, asks the ledger itself: an item that
    was taken away is noticed at the next step and not at the next beat.

    `phase` is what the worker does now; each renewal reports it.
    """

    def __init__(
        self,
        store: Ledger,
        claim: Claim,
        beat_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._claim, self._clock = store, claim, clock
        self._ends_at = clock() + claim.deadline_in_seconds
        self._lost = threading.Event()
        self.phase = Phase.READING
        self._beat = Every(beat_seconds, self._renew, "lease")

    def __enter__(self) -> Self:
        self._beat.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._beat.__exit__(*error)

    def check(self) -> None:
        """Return while the claim holds and there is time left.

        Raises:
            ClaimLost: the ledger refused a renewal.
            TimedOut: the hard deadline has passed.
        """
        if self.seconds_left() <= 0:
            raise TimedOut("the picture took longer than the service allows")
        try:
            self._renew()
        except LedgerUnavailable as error:
            log.warning("ledger_unavailable", thread="pipeline", message=error.message)
        if self._lost.is_set():
            raise ClaimLost

    def seconds_left(self) -> float:
        """Time until the hard deadline; negative when it has passed."""
        return self._ends_at - self._clock()

    def _renew(self) -> None:
        if not self._store.claims.renew(self._claim, self.phase):
            self._lost.set()
