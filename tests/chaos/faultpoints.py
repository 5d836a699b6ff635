"""Places where a process dies when it is told to, and the journal of what was done to whom.

The harness and the processes share a folder: which points are live lies in a file that is read at each pass, so
one running service goes through all scenarios; each fault is written down before it happens.
"""

import json
import math
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

BEFORE_ANSWER: Final = "before answer"
AFTER_CLAIM: Final = "after claim"
AFTER_RESULT: Final = "after result"
AFTER_FINISH: Final = "after finish"
UNMOUNTED: Final = "unmounted"
RAISING: Final = "raising"
"""What a whole process suffers from, for as long as it lives."""


class FaultPoints:
    """One folder, from either side."""

    def __init__(self, folder: Path) -> None:
        self._live, self._journal = folder / "live.json", folder / "journal.txt"

    def switch(self, chances: Mapping[str, float]) -> None:
        """From now on these points are live, each with its chance in [0, 1], and no others."""
        new = self._live.with_suffix(".new")
        new.write_text(json.dumps(dict(chances)), encoding="utf-8")
        new.replace(self._live)

    def pass_by(self, point: str) -> None:
        """Die here if the point is live and its chance has come; the first to pass one always dies."""
        chances: dict[str, float] = json.loads(self._live.read_text(encoding="utf-8"))
        if point in chances and (random.random() < chances[point] or self._nothing_happened_yet()):
            self.note()
            os.kill(os.getpid(), signal.SIGKILL)

    def strike(self, point: str, pid: int) -> None:
        """From now on a worker's process suffers from something."""
        self.note()
        (self._live.parent / f"{point}-{pid}").touch()

    def is_struck(self, point: str, pid: int, seconds: float = math.inf) -> bool:
        """Whether the process does; it recovers after so many seconds."""
        try:
            since_seconds = (self._live.parent / f"{point}-{pid}").stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() < since_seconds + seconds

    def _nothing_happened_yet(self) -> bool:
        return not self._journal.exists() or self._journal.stat().st_mtime_ns < self._live.stat().st_mtime_ns

    def note(self) -> None:
        """Write down that a fault happens now."""
        with self._journal.open("a", encoding="ascii") as journal:
            journal.write(f"{round(time.time() * 1000)}\n")

    def times_ms(self, since_ms: int) -> list[int]:
        """When faults happened, in milliseconds since the epoch."""
        if not self._journal.exists():
            return []
        times = map(int, self._journal.read_text(encoding="ascii").split())
        return [time_ms for time_ms in times if time_ms >= since_ms]
