"""Waiting for what another thread, process or server does."""

import time
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 90.0
"""Long enough for a busy machine; what comes true at once costs one look."""

_LOOK_SECONDS: Final = 0.02


def eventually(
    holds: Callable[[], object],
    seconds: float = PATIENCE_SECONDS,
    *,
    say: Callable[[], object] = lambda: "it did not come true in time",
    despite: tuple[type[Exception], ...] = (),
) -> float:
    """Wait until something holds."""
    started = time.monotonic()
    while not _holds(holds, despite):
        assert time.monotonic() - started < seconds, say()
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - started


def _holds(holds: Callable[[], object], despite: tuple[type[Exception], ...]) -> bool:
    try:
        return bool(holds())
    except despite:
        return False
