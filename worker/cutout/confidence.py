"""How likely a cut-out is right, from what its mask shows anyway."""

import math
from typing import Final

import numpy as np

from cutgate.worker.cutout.raster.arrays import LEAST_SUBJECT_SHARE, LIKELY, ByteMask

INTERCEPT: Final = 0.0
WEIGHTS: Final = (1.0,)


def features(mask: ByteMask) -> tuple[float, ...]:
    """What tells of a mask, (height, width) uint8 at the working size, how sure it is."""
    levels = np.bincount(mask.ravel(), minlength=256)
    area = max(1, int(levels[LIKELY:].sum()))
    return (math.log(levels[12:128].sum() / area + 1e-3),)


def confidence_of(mask: ByteMask) -> float:
    """From 0 to 1 in hundredths."""
    if np.count_nonzero(mask >= LIKELY) <= LEAST_SUBJECT_SHARE * mask.size:
        return round(1 - int(mask.max()) / 255, 2)
    score = INTERCEPT + float(np.dot(WEIGHTS, features(mask)))
    return round(1 / (1 + math.exp(-score)), 2)
