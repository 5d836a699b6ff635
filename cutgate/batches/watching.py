"""Detects whole files in a folder: a file is taken once it has not changed for a while."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SETTLE_SECONDS: Final = 1.0
"""A file that has not changed for so long is taken to be whole; one that goes on later is taken again."""
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 60.0

Stamp = tuple[int, int]
"""Size in bytes, time of change in nanoseconds."""


class Arrivals:
    """The files that have come and are not done; the caller says what the time is."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[Stamp | None, float]] = {}
        """What each looked like, and since when; in the order in which they came."""
        self._pause_seconds = FIRST_PAUSE_SECONDS

    def __bool__(self) -> bool:
        return bool(self._seen)

    def add(self, paths: Iterable[Path]) -> None:
        """Files have come or changed."""
        for path in paths:
            self._seen.setdefault(path, (None, 0.0))

    def whole(self, now_seconds: float) -> Iterator[Path]:
        """Files that have settled; each is given once. Those that have gone are forgotten."""
        for path, (before, since) in list(self._seen.items()):
            stamp = _stamp(path)
            if stamp is None:
                del self._seen[path]
            elif stamp != before:
                self._seen[path] = (stamp, now_seconds)
            elif now_seconds - since >= SETTLE_SECONDS:
                del self._seen[path]
                yield path

    def put_back(self, paths: Iterable[Path], now_seconds: float) -> float:
        """Give files again after a pause, which grows and is returned in seconds: the service was away."""
        pause_seconds = self._pause_seconds
        for path in paths:
            self._seen[path] = (_stamp(path), now_seconds + pause_seconds)
        self._pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        return pause_seconds

    def reached(self) -> None:
        """The service has answered."""
        self._pause_seconds = FIRST_PAUSE_SECONDS


def _stamp(path: Path) -> Stamp | None:
    """What a file looks like; None when it is gone, or is no file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return (facts.st_size, facts.st_mtime_ns) if path.is_file() else None
