"""How fast items end: what a full queue tells who has to wait. The sums are those of `lua/shared.lua`."""

from __future__ import annotations

import math
from typing import Final

from cutgate.jobs.ledger.encoding import milliseconds

PACE_SECONDS: Final = 120.0
"""An end of this age counts for 1/e of a fresh one; after so long without any, nothing is known."""

_PACE_MS: Final = milliseconds(PACE_SECONDS)


class Pace:
    """The ends of items, each counting for less as it ages."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._since_ms = 0
        self._at_ms: int | None = None

    def keep(self, now_ms: int) -> None:
        """Count an end. The first one starts the measurement: how long it took is not known."""
        ends = self._aged(now_ms)
        if ends is None:
            self._ends, self._since_ms = 0.0, now_ms
        else:
            self._ends = ends + 1
        self._at_ms = now_ms

    def ends_per_second(self, now_ms: int) -> float:
        """Items that ended in a second of late; 0 where it is not known."""
        ends = self._aged(now_ms)
        if ends is None or now_ms <= self._since_ms:
            return 0
        return 1000 * ends / (_PACE_MS * (1 - math.exp((self._since_ms - now_ms) / _PACE_MS)))

    def _aged(self, now_ms: int) -> float | None:
        """What the ends count for now; None when none was within the time that counts."""
        if self._at_ms is None or now_ms - self._at_ms >= _PACE_MS:
            return None
        return self._ends * math.exp((self._at_ms - now_ms) / _PACE_MS)
