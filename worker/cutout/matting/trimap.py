"""Which pixels are known to be subject or background, and which are to be estimated.

A pixel of the soft mask above the foreground threshold is known foreground, one below the background
threshold is known background; both comparisons are strict. Erosion of both known regions widens the unknown
band between them.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.cutout.raster.filters import eroded, reduced, repeated, square
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX

BACKGROUND: Final = 0
UNKNOWN: Final = 128
FOREGROUND: Final = 255

EMPTY_LEVEL: Final = 15
"""Where the background threshold is 0, a mask wholly below this level holds no subject."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Levels of the mask, 0 to 255, that bound the unknown band; `background` is at most `foreground`."""

    foreground: int
    background: int


NO_THRESHOLDS: Final = Thresholds(foreground=255, background=0)
"""With these nothing is known."""


def holds_subject(mask: ByteMask, thresholds: Thresholds) -> bool:
    """Whether any pixel of the mask reaches the background threshold."""
    return bool(mask.max() >= (thresholds.background or EMPTY_LEVEL))


def make_trimap(mask: ByteMask, thresholds: Thresholds, erode_px: int) -> ByteMask:
    """Split a soft mask into known foreground, known background and the band between.

    A known component that erosion would make vanish is left as it was: a subject may be thin, and small beside
    another one.

    Args:
        mask: (height, width) uint8; the picture continues outside (border replicated).
        thresholds: what counts as known.
        erode_px: side of the square that both known regions are eroded with; 0 and 1 erode nothing.

    Returns:
        (height, width) uint8 of BACKGROUND, UNKNOWN and FOREGROUND.
    """
    background = _shrunk((mask < thresholds.background).view(np.uint8), erode_px)
    foreground = _shrunk((mask > thresholds.foreground).view(np.uint8), erode_px)
    return UNKNOWN + (FOREGROUND - UNKNOWN) * foreground - (UNKNOWN - BACKGROUND) * background


def tells_apart(trimap: ByteMask) -> bool:
    """Whether the trimap knows something of both the subject and the background."""
    return bool(trimap.min() == BACKGROUND and trimap.max() == FOREGROUND)


def keep_known(alpha: ByteMask, trimap: ByteMask) -> ByteMask:
    """`alpha`, opaque where the trimap knows the subject and clear where it knows the background."""
    return np.where(trimap == UNKNOWN, alpha, trimap)


def _shrunk(known: ByteMask, side_px: int) -> ByteMask:
    """`known`, of ones, eroded; where nothing would be left of a connected component, all of it."""
    if side_px <= 1:
        return known
    rest = eroded(known, square(side_px))
    before, after = (reduced(255 * each, WORKING_SIDE_PX) for each in (known, rest))
    count, labels = cv2.connectedComponents((before > 0).view(np.uint8))
    vanishes = np.ones(count, np.uint8)
    vanishes[labels[after > 0]] = 0
    vanishes[0] = 0  # what is not known
    if not vanishes.any():
        return rest
    return rest | (known & repeated(vanishes[labels], *known.shape))
