"""Which pixels are known to be subject or background, and which are to be estimated.

A pixel of the soft mask above the foreground threshold is known foreground, one below the background
threshold is known background; both comparisons are strict. Erosion of both known regions widens the unknown
band between them.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask
from cutgate.worker.cutout.raster.filters import eroded, reduced, repeated, square
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX

BACKGROUND: Final = 0
UNKNOWN: Final = 128
FOREGROUND: Final = 255

LEAST_SUBJECT_SHARE: Final = 1e-4
"""The share of likely pixels above which a mask holds a subject: in a network's own map, a square of 10 px."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Levels of the mask, 0 to 255, that bound the unknown band; `background` is at most `foreground`."""

    foreground: int
    background: int


NO_THRESHOLDS: Final = Thresholds(foreground=255, background=0)
"""With these nothing is known."""


def holds_subject(mask: ByteMask, thresholds: Thresholds) -> bool:
    """Whether the mask is more than a haze: some of its pixels are likely, or known by thresholds below that."""
    level = max(thresholds.background, min(LIKELY, thresholds.foreground))
    return cv2.countNonZero((mask >= level).view(np.uint8)) > LEAST_SUBJECT_SHARE * mask.size


def make_trimap(mask: ByteMask, thresholds: Thresholds, erode_px: int) -> ByteMask:
    """Split a soft mask into known foreground, known background and the band between.

    A known region that erosion would make vanish altogether is left as it was: the subject may be thin. So is what
    is known of each connected component of the subject: one may be small beside another.

    Args:
        mask: (height, width) uint8; the picture continues outside (border replicated).
        thresholds: what counts as known.
        erode_px: side of the square that both known regions are eroded with; 0 and 1 erode nothing.

    Returns:
        (height, width) uint8 of BACKGROUND, UNKNOWN and FOREGROUND.
    """
    background = _shrunk((mask < thresholds.background).view(np.uint8), erode_px)
    known = (mask > thresholds.foreground).view(np.uint8)
    foreground = _shrunk(known, erode_px)
    subject = (mask >= min(LIKELY, thresholds.foreground)).view(np.uint8)
    foreground |= known & _without(foreground, subject)
    return UNKNOWN + (FOREGROUND - UNKNOWN) * foreground - (UNKNOWN - BACKGROUND) * background


def tells_apart(trimap: ByteMask) -> bool:
    """Whether the trimap knows something of both the subject and the background."""
    return bool(trimap.min() == BACKGROUND and trimap.max() == FOREGROUND)


def keep_known(alpha: ByteMask, trimap: ByteMask) -> ByteMask:
    """`alpha`, opaque where the trimap knows the subject and clear where it knows the background."""
    return np.where(trimap == UNKNOWN, alpha, trimap)


def _shrunk(known: ByteMask, side_px: int) -> ByteMask:
    if side_px <= 1:
        return known
    rest = eroded(known, square(side_px))
    return rest if rest.any() else known


def _without(core: ByteMask, subject: ByteMask) -> ByteMask:
    """1 in the connected components of `subject` that hold nothing of `core`; all of them masks of 0 and 1."""
    small, small_core = (reduced(255 * each, WORKING_SIDE_PX) for each in (subject, core))
    count, labels = cv2.connectedComponents((small > 0).view(np.uint8))
    without = np.ones(count, np.uint8)
    without[labels[small_core > 0]] = 0
    without[0] = 0  # what is no subject
    return repeated(without[labels], *subject.shape)
