"""How likely a cut-out is right, from the network's mask alone.

A logistic function of a few numbers. `python -m benchmarks.quality.confidence --fit` fits its weights, on
composites in folds by subject: right is an alpha whose IoU with the truth is at least 0.9.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LEAST_SUBJECT_SHARE, LIKELY, ByteMask
from cutgate.worker.cutout.raster.filters import dilated, square
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX

WEIGHTS: Final = (-3.804, -2.346, -1.339, -1.967, 0.314, 11.594)
"""Of 1, and of each feature."""

FAINT: Final = 12
FAR_FAINT: Final = 5
"""From these levels on, up to `LIKELY`, the network saw something and dropped it."""
FAR_PX: Final = 10
"""So far from the subject faint grey is no soft edge, at the working size."""
FAINT_FLOOR, FAR_FLOOR = 0.2, 0.1
"""Added to shares before the logarithm: differences far below tell nothing."""
LEAST_PART, LEAST_GAP = 0.002, 0.0005
"""Shares of the subject's area from which on a part or a gap counts."""

_PARENT: Final = 3
"""Of what OpenCV says of an outline, where the one is that it lies in."""


def features(mask: ByteMask) -> NDArray[np.float64]:
    """What tells right cut-outs from wrong ones.

    Args:
        mask: (height, width) uint8 at the working size, as the network made it.

    Returns:
        (5,): how much faint grey there is, and how much of it far from the subject, beside the subject's area; how
        many parts the subject has, and gaps (logarithms all four); how much of the border it covers.
    """
    likely = (mask >= LIKELY).view(np.uint8)
    area = max(1, int(np.count_nonzero(likely)))
    near = dilated(likely, square(2 * FAR_PX * max(mask.shape) // WORKING_SIDE_PX + 1))
    faint = np.count_nonzero(mask >= FAINT) - np.count_nonzero(likely)
    far = np.count_nonzero((mask >= FAR_FAINT) & (near == 0))
    outlines, kinds = cv2.findContours(likely, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    areas = np.array([cv2.contourArea(outline) for outline in outlines]) / area
    is_gap = np.array(kinds).reshape(-1, 4)[:, _PARENT] >= 0
    parts, gaps = ((areas > LEAST_PART) & ~is_gap).sum(), ((areas > LEAST_GAP) & is_gap).sum()
    border = np.concatenate([likely[0], likely[-1], likely[:, 0], likely[:, -1]]).mean()
    return np.array(
        [
            math.log(faint / area + FAINT_FLOOR),
            math.log(far / area + FAR_FLOOR),
            np.log1p(parts),
            np.log1p(gaps),
            border,
        ]
    )


def confidence_of(mask: ByteMask) -> float:
    """How likely the cut-out is right, 0 to 1 in hundredths; without a subject, how surely there is none.

    Args:
        mask: as `features` takes it.
    """
    if np.count_nonzero(mask >= LIKELY) <= LEAST_SUBJECT_SHARE * mask.size:
        return round(1 - int(mask.max()) / 255, 2)
    score = WEIGHTS[0] + float(features(mask) @ WEIGHTS[1:])
    return round(1 / (1 + math.exp(-score)), 2)
