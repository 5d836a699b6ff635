"""Colours for what is transparent, so that a file without alpha has no hard edge where the subject ends."""

from typing import Final

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, FloatMask, RgbaImage, RgbImage, strips
from cutgate.worker.cutout.raster.filters import enlarged, shrink, to_levels, to_unit
from cutgate.worker.cutout.raster.geometry import fitted

WORKING_SIDE_PX: Final = 512


def with_colour_bleed(cutout: RgbaImage) -> RgbImage:
    """The subject's colours, carried on outside of it; without a subject all is white.

    A picture scaled or compressed mixes neighbours, so what lies beside the subject must be like it.
    """
    height_px, width_px = cutout.shape[:2]
    seen = (cutout[..., 3] > 0).view(np.uint8) * np.uint8(255)
    if not seen.any():
        return np.full((height_px, width_px, 3), 255, np.uint8)
    around = enlarged(_carried_on_small(cutout, seen), height_px, width_px)
    for strip in strips(height_px):
        np.copyto(around[strip], cutout[strip, :, :3], where=seen[strip, :, None] > 0)
    return around


def _carried_on_small(cutout: RgbaImage, seen: ByteMask) -> RgbImage:
    height_px, width_px = seen.shape
    size_px = fitted(height_px, width_px, WORKING_SIDE_PX)
    weight = to_unit(shrink(seen, *size_px))
    if not weight.any():  # a few pixels in a very large picture
        mean = cv2.mean(cutout, seen)[:3]
        return np.full((*size_px, 3), np.rint(mean), np.uint8)
    colours = shrink(np.asarray(cv2.bitwise_and(cutout, cutout, mask=seen), np.uint8), *size_px)
    return to_levels(_carried_on(to_unit(colours[..., :3]), weight))


def _carried_on(colours: FloatImage, weight: FloatMask) -> FloatImage:
    """Gaps filled from the same picture at half the size, and so on until there are none."""
    if weight.min() == 1 or weight.size == 1:
        return colours / weight[..., None]
    half = [(side_px + 1) // 2 for side_px in weight.shape]
    coarse = enlarged(_carried_on(shrink(colours, *half), shrink(weight, *half)), *weight.shape)
    filled: FloatImage = colours + (1 - weight[..., None]) * coarse
    return filled
