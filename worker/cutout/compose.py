"""The last step: alpha and colours as the caller gets them."""

from __future__ import annotations

from typing import cast

import cv2

from worker.cutout.arrays import ByteMask, RgbaImage, RgbImage


def combined(alpha: ByteMask, source_alpha: ByteMask | None) -> ByteMask:
    """The product of two (height, width) uint8 alphas: what the source lets through is all there is."""
    if source_alpha is None:
        return alpha
    return cast("ByteMask", cv2.multiply(alpha, source_alpha, scale=1 / 255))


def compose(colours: RgbImage, alpha: ByteMask) -> RgbaImage:
    """Straight alpha: (height, width, 4) uint8 with the colours as they are, and 0 where alpha is 0.

    The zeros keep the background from leaking and the file small.
    """
    cutout = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA)
    cutout[..., 3] = alpha
    return cast("RgbaImage", cv2.bitwise_and(cutout, cutout, mask=alpha))
