"""Leader election for sweeps: one process at a time leads, the others ask again now and then."""

import random
import time
from typing import Final

from cutgate.jobs.ids import new_token
from cutgate.jobs.ports import Ledger

_JITTER: Final = 0.1
"""Of the time until a follower asks again: a thousand of them must not ask together."""


class Leadership:
    """This process's part in who does a sweep."""

    def __init__(self, store: Ledger, sweep: str, hold_seconds: float) -> None:
        self._store, self._sweep, self._hold_seconds = store, sweep, hold_seconds
        self._holder = new_token()
        self._ask_at_seconds = -1.0

    def holds(self) -> bool:
        """Whether this process leads now."""
        if time.monotonic() < self._ask_at_seconds:
            return False
        wait_seconds = self._store.upkeep.lead(self._sweep, self._holder, self._hold_seconds)
        self._ask_at_seconds = time.monotonic() + wait_seconds * (1 + _JITTER * random.random())  # noqa: S311 — no secret
        return wait_seconds == 0

    def rest(self, seconds: float) -> None:
        """Keep the lead for so long without leading: the sweep is not due before."""
        if seconds > self._hold_seconds and self._store.upkeep.lead(self._sweep, self._holder, seconds) == 0:
            self._ask_at_seconds = time.monotonic() + seconds
