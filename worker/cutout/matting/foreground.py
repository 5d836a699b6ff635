"""The subject's own colours where it is mixed with the background."""

from typing import Final, TypeAlias

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, Floats, RgbaImage, RgbImage
from cutgate.worker.cutout.raster.filters import bounds, channels, mean, shrink, shrink_to_fit, to_levels, to_unit
from cutgate.worker.cutout.raster.sampling import sampled, soft_pixels

Planes: TypeAlias = Floats
"""(3, height, width) float32 in [0, 1]."""

WORKING_SIDE_PX: Final = 600
WINDOWS_PX: Final = (45, 9, 3)
"""Sides of the averaging windows: the widest finds colours, the narrower ones follow them into strands."""

NEGLIGIBLE: Final = np.float32(1e-5)
"""What keeps the division finite where a layer has no share."""


def unmix_colours(
    cutout: RgbaImage, image: RgbImage, alpha: ByteMask, working: RgbImage | None = None, whole_px: int = 0
) -> None:
    """Give soft pixels colours F with I = aF + (1 − a)B, so that strands do not carry the background's colour.

    Blur fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021) at a reduced size; the
    last correction, by the pixel's own colour, is made at full size.

    Args:
        cutout: (height, width, 4) uint8, `image` with straight alpha, 0 where that is 0; its colours are changed
            where `alpha` is neither 0 nor 255.
        image: (height, width, 3) uint8.
        alpha: (height, width) uint8, the share of the subject in the image's colours.
        working: `image` made smaller, where it is at hand, with a long side of `WORKING_SIDE_PX` or more.
        whole_px: the long side of the picture that the image is a part of.
    """
    small_alpha = shrink_to_fit(alpha, WORKING_SIDE_PX, cv2.INTER_LINEAR, whole_px)
    height_px, width_px = small_alpha.shape
    small = shrink(image if working is None else working, height_px, width_px, cv2.INTER_LINEAR)
    needed = _around_soft(small_alpha, sum(WINDOWS_PX) // 2 + 1)
    # Colours apart are twice as fast to compute with as colours that lie side by side.
    colours, share = to_unit(np.stack(channels(small[needed]))), to_unit(small_alpha[needed])
    foreground = background = colours
    for window_px in WINDOWS_PX:
        foreground, background = _blur_fusion(colours, foreground, background, share, window_px)
    layers = np.zeros((2, *small.shape), np.float32)
    for layer, planes in zip(layers, (foreground, background), strict=True):
        layer[needed] = cv2.merge(list(planes))
    for soft in soft_pixels(alpha, 0, 255):
        foreground, background = (sampled(layer, soft) for layer in layers)
        # Repeated, for numpy is slower with one share beside three colours.
        share = np.repeat(to_unit(soft.of(alpha)), 3).reshape(-1, 3)
        cleaned = to_levels(_explained(to_unit(soft.of(image)), foreground, background, share))
        own_alpha = soft.of(cutout)[:, 3:]
        soft.put(cutout, np.hstack([cleaned * (own_alpha > 0), own_alpha]))


def _around_soft(alpha: ByteMask, reach_px: int) -> tuple[slice, slice]:
    """The rows and columns so near to pixels that are neither clear nor opaque."""
    soft = bounds(((alpha > 0) & (alpha < 255)).view(np.uint8))
    return soft.grown(reach_px, reach_px).clamped(*alpha.shape).index


def _blur_fusion(
    image: Planes, foreground: Planes, background: Planes, alpha: FloatMask, window_px: int
) -> tuple[Planes, Planes]:
    """One pass: means of both layers, then the foreground made to explain the image."""
    foreground = _weighted_mean(foreground, alpha, window_px)
    background = _weighted_mean(background, 1 - alpha, window_px)
    return _explained(image, foreground, background, alpha), background


def _weighted_mean(layer: Planes, share: FloatMask, window_px: int) -> Planes:
    """The layer's mean over a square; its share is squared, so that purer pixels say more than in the paper."""
    weight = np.square(share)
    scale = 1 / (mean(weight, window_px) + NEGLIGIBLE)
    means = np.empty_like(layer)
    for plane, plane_mean in zip(layer, means, strict=True):
        np.multiply(mean(plane * weight, window_px), scale, out=plane_mean)
    return means


def _explained(image: Floats, foreground: Floats, background: Floats, share: Floats) -> Floats:
    """The foreground, changed towards what explains the image; `share` is alpha, and counts for every colour."""
    explained = foreground - background
    explained *= -share
    explained += image
    explained -= background
    explained *= share
    explained += foreground
    return np.clip(explained, np.float32(0), np.float32(1), out=explained)
