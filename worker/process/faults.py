"""Faults that are no picture's own: a storage that is not mounted, a network that raises whatever it is given.

A node with such a fault is faster than all good ones, and would burn a whole queue.
"""

import threading
from typing import Final

MAX_IN_A_ROW: Final = 3
"""After so many the process gives up."""
_FIRST_PAUSE_SECONDS: Final = 1.0


class Faults:
    """Counts those in a row; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_row = 0

    def record(self) -> bool:
        """Count one, and answer `should_give_up`."""
        with self._lock:
            self._in_row += 1
            return self.should_give_up

    def clear(self) -> None:
        """A picture went well."""
        with self._lock:
            self._in_row = 0

    @property
    def should_give_up(self) -> bool:
        """Whether the process is to give up."""
        return self._in_row >= MAX_IN_A_ROW

    @property
    def pause_seconds(self) -> float:
        """How long to leave work to others: what failed here waits for a worker again."""
        return _FIRST_PAUSE_SECONDS * 2 ** (self._in_row - 1) if self._in_row else 0.0
