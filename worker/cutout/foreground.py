"""The subject's own colours where it is mixed with the background."""

from __future__ import annotations

from typing import Final

import numpy as np

from worker.cutout.arrays import ByteMask, FloatImage, FloatMask, RgbImage
from worker.cutout.filters import enlarged, mean, shrunk, to_levels, to_unit
from worker.cutout.geometry import fitted

WORKING_SIDE_PX: Final = 800
WINDOWS_PX: Final = (45, 3)
"""Sides of the averaging windows at the working size: a wide one finds colours, a narrow one follows them."""

NEGLIGIBLE: Final = np.float32(1e-5)
"""What keeps the division finite where a layer has no share."""

STRIP_ROWS: Final = 256
"""Rows of the picture that are corrected at once, which bounds the memory."""


def estimate_foreground(image: RgbImage, alpha: ByteMask) -> RgbImage:
    """Colours F with I = aF + (1 − a)B, so that strands do not carry the background's colour.

    Blur fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021) at a reduced size; the
    last correction, by the pixel's own colour, is made at full size.

    Args:
        image: (height, width, 3) uint8.
        alpha: (height, width) uint8, straight.

    Returns:
        (height, width, 3) uint8; equal to `image` where alpha is 0 or 255.
    """
    height, width = alpha.shape
    rows, columns = fitted(height, width, WORKING_SIDE_PX)
    small, small_alpha = to_unit(shrunk(image, rows, columns)), to_unit(shrunk(alpha, rows, columns))
    foreground = background = small
    for window_px in WINDOWS_PX:
        foreground, background = _blur_fusion(small, foreground, background, small_alpha, window_px)
    return _corrected(
        image,
        alpha,
        enlarged(to_levels(foreground), height, width),
        enlarged(to_levels(background), height, width),
    )


def _blur_fusion(
    image: FloatImage, foreground: FloatImage, background: FloatImage, alpha: FloatMask, window_px: int
) -> tuple[FloatImage, FloatImage]:
    """One pass: means of both layers, then the foreground made to explain the image."""
    foreground = _weighted_mean(foreground, alpha, window_px)
    background = _weighted_mean(background, 1 - alpha, window_px)
    return _explained(image, foreground, background, alpha[..., None]), background


def _weighted_mean(layer: FloatImage, share: FloatMask, window_px: int) -> FloatImage:
    """The layer's mean over a square; its share is squared, so that purer pixels say more than in the paper."""
    weight = np.square(share)
    return mean(layer * weight[..., None], window_px) / (mean(weight, window_px)[..., None] + NEGLIGIBLE)


def _explained(image: FloatImage, foreground: FloatImage, background: FloatImage, share: FloatMask) -> FloatImage:
    residual = image - share * foreground - (1 - share) * background
    explained: FloatImage = np.clip(foreground + share * residual, np.float32(0), np.float32(1))
    return explained


def _corrected(image: RgbImage, alpha: ByteMask, foreground: RgbImage, background: RgbImage) -> RgbImage:
    colours = image.copy()
    for top in range(0, alpha.shape[0], STRIP_ROWS):
        strip = slice(top, top + STRIP_ROWS)
        soft = (alpha[strip] > 0) & (alpha[strip] < 255)
        here, ours, theirs, share = (to_unit(a[strip][soft]) for a in (image, foreground, background, alpha))
        colours[strip][soft] = np.rint(_explained(here, ours, theirs, share[:, None]) * 255).astype(np.uint8)
    return colours
