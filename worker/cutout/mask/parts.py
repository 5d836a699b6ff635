"""The part of a picture that a stroke touches."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, RgbImage

FAINT: Final = 13


def part_touched(mask: ByteMask, picture: RgbImage, touched: NDArray[np.bool_], level: int) -> NDArray[np.bool_]:
    """Where a stroke counts beside what is under it: (height, width)."""
    other = (mask < LIKELY) & (mask >= FAINT) if level else mask >= LIKELY
    _, labels = cv2.connectedComponents((other | touched).view(np.uint8))
    return np.isin(labels, np.unique(labels[touched])) & (other | touched)
