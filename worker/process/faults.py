"""Faults that are no picture's own: a storage that is not mounted, a network that raises whatever it is given.

A node with such a fault is faster than all good ones, and would burn a whole queue.
"""

import threading
from typing import Final

MOST: Final = 3
"""So many in a row, and the process gives up."""
_FIRST_PAUSE_SECONDS: Final = 1.0


class Faults:
    """Counts those in a row; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_row = 0

    def note(self) -> bool:
        """Count one, and say whether the process is to give up."""
        with self._lock:
            self._in_row += 1
            return self.too_many

    def clear(self) -> None:
        """A picture went well."""
        with self._lock:
            self._in_row = 0

    @property
    def too_many(self) -> bool:
        """Whether the process is to give up."""
        return self._in_row >= MOST

    @property
    def pause_seconds(self) -> float:
        """How long to leave work to others: what failed here waits for a worker again."""
        return _FIRST_PAUSE_SECONDS * 2 ** (self._in_row - 1) if self._in_row else 0.0
