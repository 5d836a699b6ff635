"""Whether the subject's edge is worth estimating, from the mask alone."""

from __future__ import annotations

from typing import Final

import numpy as np

from worker.cutout.arrays import ByteMask
from worker.cutout.filters import eroded, shrunk
from worker.cutout.geometry import fitted
from worker.cutout.trimap import Thresholds

MEASURED_SIDE_PX: Final = 800
SOFT_WIDTH_PX: Final = 1.3
"""At the measured size. The mask of a sharp cut is about 1 px wide there, that of a photo 1.5 to 30."""

CROSS: Final = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def is_soft(mask: ByteMask, thresholds: Thresholds) -> bool:
    """Whether the soft zone of a (height, width) uint8 mask is wide for the length of the contour."""
    height, width = mask.shape
    rows, columns = fitted(height, width, MEASURED_SIDE_PX)
    small = shrunk(mask, rows, columns)
    soft = np.count_nonzero((small >= thresholds.background) & (small <= thresholds.foreground))
    inside = (small >= 128).view(np.uint8)
    contour = np.count_nonzero(inside != eroded(inside, CROSS))
    return bool(soft > SOFT_WIDTH_PX * contour)
