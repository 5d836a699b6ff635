"""How far an alpha matte is from the true one: the field's measures, over the whole picture.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009. Both mattes are
(height, width) float in [0, 1] and of one size; lower is better, save for `iou`.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from cutgate.worker.cutout.raster.arrays import FloatMask

Matte: TypeAlias = FloatMask | NDArray[np.float64]

GRADIENT_SIGMA_PX: Final = 1.4
GRADIENT_REACH_PX: Final = 4


def sad(alpha: Matte, truth: Matte) -> float:
    """Sum of absolute differences, in thousands of pixels."""
    return float(np.abs(alpha - truth).sum(dtype=np.float64)) / 1000


def gradient_error(alpha: Matte, truth: Matte) -> float:
    """Sum of squared differences of the gradients' magnitudes, in thousands.

    Gradients are first derivatives of a Gaussian of 1.4 px, by a filter of unit norm.
    """
    return float(np.square(_gradient(alpha) - _gradient(truth)).sum()) / 1000


def iou(alpha: Matte, truth: Matte) -> float:
    """Intersection over union of what is more than half opaque; 1 where nothing is in either."""
    ours, theirs = alpha > 0.5, truth > 0.5
    union = np.count_nonzero(ours | theirs)
    return np.count_nonzero(ours & theirs) / union if union else 1.0


def _gradient(matte: Matte) -> NDArray[np.float64]:
    exact = matte.astype(np.float64)
    offsets = np.arange(-GRADIENT_REACH_PX, GRADIENT_REACH_PX + 1, dtype=np.float64)
    bell = np.exp(-(offsets**2) / (2 * GRADIENT_SIGMA_PX**2))
    slope = offsets * bell
    bell, slope = bell / np.linalg.norm(bell), slope / np.linalg.norm(slope)
    along = [
        correlate1d(correlate1d(exact, slope, axis=axis, mode="nearest"), bell, axis=1 - axis, mode="nearest")
        for axis in (0, 1)
    ]
    return np.hypot(*along)
