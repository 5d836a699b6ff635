"""Budget of pixels for the threads of a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelRoom:
    """Room for pictures in memory, which is given first come, first served; one alone always has it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._pixel_count = 0

    @contextmanager
    def hold(self, pixel_count: int, most: int | None) -> Iterator[None]:
        """Wait until so many more pixels are at most `most`, and keep them for the block; None is no bound."""
        with self._turn, self._changed:  # who comes later waits behind who waits for much
            self._changed.wait_for(
                lambda: most is None or not self._pixel_count or self._pixel_count + pixel_count <= most
            )
            self._pixel_count += pixel_count
        try:
            yield
        finally:
            with self._changed:
                self._pixel_count -= pixel_count
                self._changed.notify_all()
