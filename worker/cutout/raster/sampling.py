"""What was computed small, read at the pixels of the large picture: for these pixels alone, and in strips.

A large picture's band of soft pixels is a small part of it; nothing here is as large as the picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes, Floats
from cutgate.worker.cutout.raster.filters import Array, dilated, resize_nearest, square, to_levels

STRIP_PIXELS: Final = 2**17
"""Pixels of the picture that are looked at together: what is computed of them stays in the processor's cache."""

LINE_PX: Final = 1024
"""Places are read in lines of so many: OpenCV takes no line of 2^15 or more."""

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some of a picture's pixels."""

    height: int
    """Of the picture, as `width`."""
    width: int
    strip: slice
    """The rows that hold all of them."""
    places: Indices
    """Where they are in the strip's flattened rows."""

    def of(self, array: Array) -> Array:
        """The values of these pixels in an array as large as the picture: (n,) or (n, channels)."""
        strip = array[self.strip]
        return strip.reshape(-1, *strip.shape[2:]).take(self.places, axis=0)

    def put(self, array: Bytes, levels: Bytes) -> None:
        """Change the values of these pixels, (n,) or (n, channels), in an array as large as the picture.

        The array lies together in memory.
        """
        whole = np.dtype((np.void, levels[0].nbytes))  # colours one by one take twice the time
        array[self.strip].reshape(-1).view(whole)[self.places] = levels.reshape(-1).view(whole)


def soft_pixels(levels: ByteMask, low: int, high: int) -> Iterator[Pixels]:
    """The pixels of a (height, width) uint8 array whose level is between two others, strip by strip."""
    height, width = levels.shape
    strip_rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, strip_rows):
        strip = levels[top : top + strip_rows]
        places = np.flatnonzero((strip > low) & (strip < high))
        if places.size:
            yield Pixels(height, width, slice(top, top + len(strip)), places)


def fill_band(levels: Bytes, band: ByteMask, values: Callable[[Pixels], Floats]) -> Bytes:
    """A copy of some levels, computed anew where a band is soft, strip by strip.

    Args:
        levels: (height, width) or (height, width, channels) uint8.
        band: (height, width) uint8; soft is what is neither 0 nor 255.
        values: gives (n,) or (n, channels) float32 for n pixels; 0 to 1 become 0 to 255, more is clipped.

    Returns:
        As `levels`, and equal to it outside the band.
    """
    filled = np.array(levels, order="C")
    for pixels in soft_pixels(band, 0, 255):
        pixels.put(filled, to_levels(values(pixels)))
    return filled


def reached(small: Floats, height_px: int, width_px: int) -> ByteMask:
    """(height, width) uint8: 1 where a picture enlarged from `small` may be above 0, and 0 elsewhere."""
    return resize_nearest(dilated((small > 0).view(np.uint8), square(3)), height_px, width_px)


def sampled(small: Floats, pixels: Pixels) -> Floats:
    """The values that a picture enlarged from `small` would have at some pixels; linear between its pixels.

    Args:
        small: (rows, columns) or (rows, columns, channels) float32 that shows the whole picture; 3 or 4 channels.
        pixels: n of the picture's pixels.

    Returns:
        (n,) or (n, channels) float32.
    """
    count = pixels.places.size
    if not count:
        return np.empty((0, *small.shape[2:]), np.float32)
    at = np.zeros((2, -(-count // LINE_PX) * LINE_PX), np.float32)
    places, width = pixels.places.astype(np.int32), np.int32(pixels.width)
    rows = places // width  # which is fast, and `divmod` is not
    columns = places - rows * width
    scales = small.shape[0] / pixels.height, small.shape[1] / pixels.width
    for line, steps, first, scale in zip(at, (rows, columns), (pixels.strip.start, 0), scales, strict=True):
        line[:count] = steps  # in place, for the product of whole numbers and float32 is float64
        line *= np.float32(scale)
        line += np.float32((first + 0.5) * scale - 0.5)
    down, across = at.reshape(2, -1, LINE_PX)
    values = cv2.remap(small, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.reshape(-1, *small.shape[2:])[:count], np.float32)
