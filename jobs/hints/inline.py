"""Hints that are followed at once, in the caller's thread: for tests."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from cutgate.jobs.hints.queue import JobQueue
from cutgate.jobs.spec import Lane


class InlineQueue(JobQueue):
    """A queue that is its own worker."""

    def __init__(self, run: Callable[[Lane], None]) -> None:
        """Keep what a worker would do.

        Args:
            run: called once for each hint; it claims and does one item of the lane.
        """
        self._run = run

    @override
    def hint(self, lane: Lane) -> None:
        self._run(lane)

    @override
    def pending(self, lane: Lane) -> int:
        """None: each hint was followed before `hint` returned."""
        return 0
