"""Arranges a cut-out, or its mask, as a composition asks; the background follows when the file is written."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cutgate.jobs.composition import Composition
from cutgate.worker.composition.backdrop import alpha_over, subject_box
from cutgate.worker.composition.layout import layout_of
from cutgate.worker.composition.resampling import placed
from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.cutout.raster.filters import enlarged, shrink_to_fit
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, Region

SHADOW_DROP: Final = 0.035
"""How far down the shadow falls, as a share of the subject's size, which is the root of its box's area."""
SHADOW_BLUR: Final = 0.03
"""Standard deviation of its softness, in the same measure."""
_BLACK: Final = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What becomes known of a cut-out when it is composed."""

    full_size_px: tuple[int, int]
    """Width and height, as they would be without `max_pixels`."""
    foreground: Region | None
    """The subject's box in the picture that was given; None where there is no subject."""


def arrange_on_canvas(pixels: Levels, how: Composition, most_pixels: int | None = None) -> tuple[Levels, Facts]:
    """Crop, scale, place and shade a cut-out.

    Args:
        pixels: (height, width, 4) with straight alpha, or (height, width) of a mask, which has no shadow.
        how: all that needs no network counts, but for the background.
        most_pixels: of the result, whatever is asked for: margins may make it larger than the picture.

    Returns:
        As many channels, of the same depth; and what became known.
    """
    height_px, width_px = pixels.shape[:2]
    subject = subject_box(pixels if pixels.ndim == 2 else pixels[..., 3])
    full = how.model_copy(update={"max_pixels": None})
    full_size_px = layout_of(height_px, width_px, subject, full, most_pixels).size_px
    layout = layout_of(height_px, width_px, subject, how, most_pixels)
    result = placed(pixels, layout)
    if how.shadow is not None and result.ndim == 3:
        on_canvas = subject_box(result[..., 3])
        if on_canvas is not None:
            result = with_shadow(result, on_canvas, how.shadow.opacity)
    return result, Facts(full_size_px=full_size_px, foreground=subject)


def with_shadow(pixels: Levels, subject: Region, opacity: float) -> Levels:
    """A cut-out over its own soft shadow, which falls below it and ends where the canvas ends."""
    alpha = pixels[..., 3]
    height_px, width_px = alpha.shape
    full = np.iinfo(alpha.dtype).max
    # Slices of a cut-out do not lie together in memory, which OpenCV wants.
    small = shrink_to_fit(np.ascontiguousarray(alpha >> (8 if full > 255 else 0), np.uint8), WORKING_SIDE_PX)
    by = small.shape[0] / height_px
    size_px = by * math.sqrt(subject.area_px)
    fallen = np.array([[1, 0, 0], [0, 1, SHADOW_DROP * size_px]], np.float32)
    levels = small.astype(np.float32) * np.float32(opacity)
    lower = cv2.warpAffine(levels, fallen, small.shape[::-1], borderMode=cv2.BORDER_CONSTANT)
    soft = cv2.GaussianBlur(lower, (0, 0), max(SHADOW_BLUR * size_px, 0.1), borderType=cv2.BORDER_REPLICATE)
    shadow = enlarged(np.asarray(np.rint(soft), np.uint8), height_px, width_px)
    return alpha_over(pixels, _BLACK, shadow)
