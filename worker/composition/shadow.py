"""A soft shadow that falls from a subject onto what is behind and below it."""

import math
from typing import Final

import cv2
import numpy as np

from cutgate.worker.composition.backdrop import alpha_over
from cutgate.worker.cutout.raster.arrays import Bytes, Levels
from cutgate.worker.cutout.raster.filters import enlarged, shrink_to_fit
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, Region

DROP: Final = 0.035
"""How far down the shadow falls, as a share of the subject's size, which is the root of its box's area."""
BLUR: Final = 0.03
"""Standard deviation of its softness, in the same measure."""
_BLACK: Final = np.zeros((1, 1, 3), np.uint8)


def with_shadow(pixels: Levels, subject: Region, opacity: float) -> Levels:
    """A cut-out over its own shadow, which ends where the canvas ends."""
    return alpha_over(pixels, _BLACK, shadow_of(pixels[..., 3], subject, opacity))


def shadow_of(alpha: Levels, subject: Region, opacity: float) -> Bytes:
    """The shadow's own alpha, (height, width) uint8, from that of the subject, (height, width) of either depth."""
    height_px, width_px = alpha.shape
    full = np.iinfo(alpha.dtype).max
    # Slices of a cut-out do not lie together in memory, which OpenCV wants.
    small = shrink_to_fit(np.ascontiguousarray(alpha >> (8 if full > 255 else 0), np.uint8), WORKING_SIDE_PX)
    by = small.shape[0] / height_px
    size_px = by * math.sqrt(subject.area_px)
    fallen = np.array([[1, 0, 0], [0, 1, DROP * size_px]], np.float32)
    levels = small.astype(np.float32) * np.float32(opacity)
    lower = cv2.warpAffine(levels, fallen, small.shape[::-1], borderMode=cv2.BORDER_CONSTANT)
    soft = cv2.GaussianBlur(lower, (0, 0), max(BLUR * size_px, 0.1), borderType=cv2.BORDER_REPLICATE)
    return enlarged(np.asarray(np.rint(soft), np.uint8), height_px, width_px)
