"""What was computed small, read at the pixels of the large picture: for these pixels alone, and in strips.

A large picture's band of soft pixels is a small part of it; nothing here is as large as the picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes, Floats

STRIP_PIXELS: Final = 2**20
"""Pixels of the picture that are looked at together, which bounds the memory."""

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some of a picture's pixels."""

    height: int
    """Of the picture, as `width`."""
    width: int
    rows: Indices
    columns: Indices

    @property
    def index(self) -> tuple[Indices, Indices]:
        """What selects the pixels from an array as large as the picture."""
        return self.rows, self.columns


def soft_pixels(levels: ByteMask, low: int, high: int) -> Iterator[Pixels]:
    """The pixels of a (height, width) uint8 array whose level is between two others, strip by strip."""
    height, width = levels.shape
    strip_rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, strip_rows):
        strip = levels[top : top + strip_rows]
        places = np.flatnonzero((strip > low) & (strip < high))
        if places.size:
            rows, columns = np.divmod(places, width)
            yield Pixels(height, width, rows + top, columns)


def fill_band(levels: Bytes, band: ByteMask, values: Callable[[Pixels], Floats]) -> Bytes:
    """A copy of some levels, computed anew where a band is soft, strip by strip.

    Args:
        levels: (height, width) or (height, width, channels) uint8.
        band: (height, width) uint8; soft is what is neither 0 nor 255.
        values: gives (n,) or (n, channels) float32 for n pixels; 0 to 1 become 0 to 255, more is clipped.

    Returns:
        As `levels`, and equal to it outside the band.
    """
    filled = levels.copy()
    for pixels in soft_pixels(band, 0, 255):
        filled[pixels.index] = np.rint(np.clip(values(pixels), 0, 1) * 255).astype(np.uint8)
    return filled


def sampled(small: Floats, pixels: Pixels) -> Floats:
    """The values that a picture enlarged from `small` would have at some pixels; linear between its pixels.

    Args:
        small: (rows, columns) or (rows, columns, channels) float32 that shows the whole picture.
        pixels: n of the picture's pixels.

    Returns:
        (n,) or (n, channels) float32.
    """
    above, below, down = _between(pixels.rows, small.shape[0] / pixels.height, small.shape[0])
    left, right, along = _between(pixels.columns, small.shape[1] / pixels.width, small.shape[1])
    values = small.reshape(-1, *small.shape[2:])
    if small.ndim == 3:
        down, along = down[:, None], along[:, None]

    def across(row: Indices) -> Floats:
        start = row * small.shape[1]
        first = values.take(start + left, axis=0)
        return np.asarray(first + along * (values.take(start + right, axis=0) - first))

    top = across(above)
    return np.asarray(top + down * (across(below) - top))


def _between(places: Indices, scale: float, count: int) -> tuple[Indices, Indices, Floats]:
    """The two neighbours of each place in the smaller array, and how near the second is."""
    table = (np.arange(round(count / scale)) + 0.5) * scale - 0.5
    table = np.clip(table, 0, count - 1)
    first = table.astype(np.intp)
    second = np.minimum(first + 1, count - 1)
    return first[places], second[places], (table - first).astype(np.float32)[places]
