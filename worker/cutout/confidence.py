"""How likely a cut-out is right, from the network's mask and the picture's colours.

A logistic function of a few numbers. `python -m benchmarks.quality.confidence --fit` fits its weights, on
composites in folds by subject: right is an alpha whose IoU with the truth is at least 0.9.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LEAST_SUBJECT_SHARE, LIKELY, ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import dilated, resize_nearest, shrink, shrink_to_fit, square
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX

WEIGHTS: Final = (-8.666, -2.521, -3.024, 1.364, 11.084)
"""Of 1, and of each feature."""

FAINT: Final = 5
"""From this level on, up to `LIKELY`, the network saw something and dropped it."""
FAR_PX: Final = 10
"""So far from the subject that is no soft edge, at the working size."""
FAINT_FLOOR: Final = 0.1
"""Added before the logarithm, as `CONTRAST_FLOOR`: differences far below tell nothing."""

LEAST_PART: Final = 0.002
"""Share of the subject's area from which on a part counts."""

COLOURS_SIDE_PX: Final = 100
CONTRAST_PERCENT: Final = 90
CONTRAST_FLOOR: Final = 5.0


def features(mask: ByteMask, picture: RgbImage) -> NDArray[np.float64]:
    """What tells right cut-outs from wrong ones.

    Args:
        mask: (height, width) uint8 at the working size, as the network made it.
        picture: (height, width, 3) uint8 of any size, what the mask is of.

    Returns:
        (4,): how much faint grey there is far from the subject, beside the subject's area; how many parts the
        subject has; how far its colours are from the background's, which those of glass and of what hides are not;
        how much of the border it covers. All but the last are logarithms.
    """
    likely = (mask >= LIKELY).view(np.uint8)
    area = max(1, int(np.count_nonzero(likely)))
    near = dilated(likely, square(2 * FAR_PX * max(mask.shape) // WORKING_SIDE_PX + 1))
    faint = np.count_nonzero((mask >= FAINT) & (near == 0)) / area
    outlines = cv2.findContours(likely, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    parts = sum(cv2.contourArea(outline) > LEAST_PART * area for outline in outlines)
    border = np.concatenate([likely[0], likely[-1], likely[:, 0], likely[:, -1]]).mean()
    return np.array([math.log(faint + FAINT_FLOOR), math.log1p(parts), _contrast(mask, picture), border])


def confidence_of(mask: ByteMask, picture: RgbImage) -> float:
    """How likely the cut-out is right, 0 to 1 in hundredths; without a subject, how surely there is none.

    Takes what `features` takes.
    """
    if np.count_nonzero(mask >= LIKELY) <= LEAST_SUBJECT_SHARE * mask.size:
        return round(1 - int(mask.max()) / 255, 2)
    score = WEIGHTS[0] + float(features(mask, picture) @ WEIGHTS[1:])
    return round(1 / (1 + math.exp(-score)), 2)


def _contrast(mask: ByteMask, picture: RgbImage) -> float:
    """Logarithm of the distance of the subject's colours from the background's mean: most keep to it."""
    small = shrink_to_fit(mask, COLOURS_SIDE_PX)
    some = resize_nearest(picture, 4 * small.shape[0], 4 * small.shape[1])  # a large picture's mean takes its time
    colours = shrink(some, *small.shape).astype(np.float32)
    around = np.average(colours.reshape(-1, 3), axis=0, weights=256.0 - small.ravel())
    distances = np.sqrt(((colours - around) ** 2).mean(axis=2))[small >= LIKELY]
    return math.log((np.percentile(distances, CONTRAST_PERCENT) if distances.size else 0) + CONTRAST_FLOOR)
