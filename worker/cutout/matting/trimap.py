"""The trimap: pixels known to be subject or background, and those to be estimated.

A pixel of the soft mask above the foreground threshold is known foreground, one below the background
threshold is known background; both comparisons are strict. Erosion of both known regions widens the unknown
band between them.
"""

from typing import Final

import cv2
import numpy as np

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.raster.arrays import LEAST_SUBJECT_SHARE, LIKELY, ByteMask, strips, widened
from cutgate.worker.cutout.raster.filters import dilated, eroded, square

BACKGROUND: Final = 0
UNKNOWN: Final = 128
FOREGROUND: Final = 255


NO_THRESHOLDS: Final = Thresholds(foreground=255, background=0)
"""With these nothing is known."""


def has_subject(mask: ByteMask, thresholds: Thresholds) -> bool:
    """Whether the mask is more than a haze: some of its pixels are likely, or known by thresholds below that."""
    level = max(thresholds.background, min(LIKELY, thresholds.foreground))
    return cv2.countNonZero((mask >= level).view(np.uint8)) > LEAST_SUBJECT_SHARE * mask.size


def make_trimap(mask: ByteMask, thresholds: Thresholds, erode_px: int) -> ByteMask:
    """Split a soft mask into known foreground, known background and the band between.

    A known region that erosion would make vanish altogether is left as it was: the subject may be thin.

    Args:
        mask: (height, width) uint8; the picture continues outside (border replicated).
        thresholds: what counts as known.
        erode_px: side of the square that both known regions are eroded with; 0 and 1 erode nothing.

    Returns:
        (height, width) uint8 of BACKGROUND, UNKNOWN and FOREGROUND.
    """
    trimap = np.empty(mask.shape, np.uint8)
    for strip in strips(len(mask)):
        rows, own = widened(strip, erode_px // 2)
        least = greatest = mask[rows]
        if erode_px > 1:
            # To erode what lies beyond a threshold is to threshold the least and the greatest level around.
            least, greatest = eroded(least, square(erode_px)), dilated(greatest, square(erode_px))
        above = cv2.threshold(least[own], thresholds.foreground, FOREGROUND - UNKNOWN, cv2.THRESH_BINARY)[1]
        lowest = thresholds.background - 1
        from_there_on = cv2.threshold(greatest[own], lowest, UNKNOWN - BACKGROUND, cv2.THRESH_BINARY)[1]
        cv2.add(above, from_there_on, dst=trimap[strip])
    if trimap.max() < FOREGROUND:
        trimap[mask > thresholds.foreground] = FOREGROUND
    if trimap.min() > BACKGROUND:
        trimap[mask < thresholds.background] = BACKGROUND
    return trimap


def knows_both_sides(trimap: ByteMask) -> bool:
    """Whether the trimap knows something of both the subject and the background."""
    return bool(trimap.min() == BACKGROUND and trimap.max() == FOREGROUND)


def keep_known(alpha: ByteMask, trimap: ByteMask) -> ByteMask:
    """`alpha`, opaque where the trimap knows the subject and clear where it knows the background."""
    return np.asarray(cv2.copyTo(alpha, (trimap == UNKNOWN).view(np.uint8), trimap.copy()), np.uint8)
