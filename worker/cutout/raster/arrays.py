"""The array types of the maths, and what their levels say. Heights come before widths; all sizes are in pixels."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
"""uint8 of any shape."""

Samples: TypeAlias = NDArray[np.uint16]
"""uint16 of any shape: levels of a picture of 16 bits per channel."""

Levels: TypeAlias = Bytes | Samples
"""Levels of either depth; the highest one of the type is full."""

Floats: TypeAlias = NDArray[np.float32]
"""float32 of any shape."""

RgbImage: TypeAlias = Bytes
"""(height, width, 3) uint8: sRGB colours."""

RgbaImage: TypeAlias = Bytes
"""(height, width, 4) uint8: sRGB colours and straight alpha."""

ByteMask: TypeAlias = Bytes
"""(height, width) uint8: 0 is background, 255 is subject."""

FloatMask: TypeAlias = Floats
"""(height, width) float32 in [0, 1]: 0 is background, 1 is subject."""

FloatImage: TypeAlias = Floats
"""(height, width, 3) float32 in [0, 1]: sRGB colours."""

SEEN: Final = 26
"""Of a network's map: a tenth. Below it the network sees nothing."""

LIKELY: Final = 128
"""From here on subject is more likely than background."""

SURE: Final = 230
"""From here on there is no doubt."""

LEAST_SUBJECT_SHARE: Final = 1e-4
"""The share of likely pixels above which a mask holds a subject: in a network's own map, a square of 10 px."""

STRIP_ROWS: Final = 128
"""Few enough for what is made of them to stay in the heap: more is given back to the system, and cleared anew."""


def strips(rows: int) -> Iterator[slice]:
    """The rows of a picture, some at a time, from top to bottom; each slice ends within the picture.

    In strips, what is computed on the way is never as large as a large picture.
    """
    return (slice(top, min(top + STRIP_ROWS, rows)) for top in range(0, rows, STRIP_ROWS))


def widened(strip: slice, by_rows: int) -> tuple[slice, slice]:
    """A strip with so many rows more above and below it, as far as there are such; and its own rows among them."""
    top = max(0, strip.start - by_rows)
    return slice(top, strip.stop + by_rows), slice(strip.start - top, strip.stop - top)
