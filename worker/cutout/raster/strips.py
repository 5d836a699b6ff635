"""A large picture in strips of rows, so that what is computed on the way is never as large as the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

STRIP_ROWS: Final = 256


def strips(rows: int) -> Iterator[slice]:
    """The rows of a picture, some at a time, from top to bottom; each slice ends within the picture."""
    return (slice(top, min(top + STRIP_ROWS, rows)) for top in range(0, rows, STRIP_ROWS))
