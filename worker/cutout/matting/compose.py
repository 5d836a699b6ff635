"""The last steps: alpha and colours as the caller gets them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, RgbaImage, RgbImage, Samples, strips

FULL_STEP: Final = 257
"""Levels of 16 bits in one of 8."""


def with_straight_alpha(colours: RgbImage, alpha: ByteMask) -> RgbaImage:
    """Straight alpha: (height, width, 4) uint8 with the colours as they are, and 0 where alpha is 0.

    The zeros keep the background from leaking and the file small.
    """
    cutout = np.zeros((*alpha.shape, 4), np.uint8)
    for strip in strips(alpha.shape[0]):
        with_alpha = cv2.cvtColor(colours[strip], cv2.COLOR_RGB2RGBA)
        cv2.insertChannel(alpha[strip], with_alpha, 3)
        cv2.copyTo(with_alpha, alpha[strip], cutout[strip])
    return cutout


def with_own_colours(cleaned: RgbImage, seen: RgbImage, own: RgbImage) -> RgbImage:
    """Colours of a picture that is transparent itself: what shows through it was seen, but is not its own.

    Args:
        cleaned: (height, width, 3) uint8, made from `seen`.
        seen: the picture over what shows through it.
        own: the picture alone.

    Returns:
        (height, width, 3) uint8: `own`, changed by as much as `cleaned` differs from `seen`.
    """
    colours = own.copy()
    for strip in strips(len(own)):
        _correct(colours[strip], cleaned[strip], seen[strip], 1)
    return colours


def to_16_bit(cutout: RgbaImage, seen: RgbImage, samples: Samples) -> Samples:
    """A cut-out with 16 bits.

    Args:
        cutout: (height, width, 4) uint8, made from `seen`.
        seen: (height, width, 3) uint8, the picture at 8 bits.
        samples: (height, width, 3) uint16, the same picture at 16.

    Returns:
        (height, width, 4) uint16: `samples`, changed by as much as the cut-out's colours differ from `seen`, and 0
        where its alpha is 0.
    """
    deep = np.empty(cutout.shape, np.uint16)
    for strip in strips(len(cutout)):
        alpha = cutout[strip, :, 3]
        colours = samples[strip].copy()
        _correct(colours, cutout[strip, :, :3], seen[strip], FULL_STEP)
        colours[alpha == 0] = 0
        deep[strip, :, :3] = colours
        np.multiply(alpha, FULL_STEP, out=deep[strip, :, 3], dtype=np.uint16)
    return deep


def _correct(own: NDArray[np.unsignedinteger], cleaned: RgbImage, seen: RgbImage, step: int) -> None:
    """Add to `own` in place what cleaning changed, each level worth so many of its own."""
    changed = cleaned != seen
    change = (cleaned[changed].astype(np.int32) - seen[changed]) * step
    own[changed] = np.clip(own[changed].astype(np.int32) + change, 0, np.iinfo(own.dtype).max)
