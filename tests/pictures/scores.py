"""How far an alpha matte is from the true one; both are (height, width) float in [0, 1] and of one size."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import FloatMask

Matte: TypeAlias = FloatMask | NDArray[np.float64]


def sad(alpha: Matte, truth: Matte) -> float:
    """Sum of absolute differences, in thousands of pixels."""
    return float(np.abs(alpha - truth).sum(dtype=np.float64)) / 1000


def iou(alpha: Matte, truth: Matte) -> float:
    """Intersection over union of what is more than half opaque; 1 where nothing is in either."""
    ours, theirs = alpha > 0.5, truth > 0.5
    union = np.count_nonzero(ours | theirs)
    return np.count_nonzero(ours & theirs) / union if union else 1.0
