"""The network enters the maths here, as a callable."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.geometry import Region, with_context

Predict: TypeAlias = Callable[[RgbImage], ByteMask]
"""A picture to the probability, at the picture's size and in 8 bits, that a pixel belongs to the main subject."""


class Soft(StrEnum):
    """What it means where a network's map is neither 0 nor 255."""

    DOUBT = "doubt"
    """The network is not sure; what alpha is there has to be found out."""
    ALPHA = "alpha"
    """So much of the pixel is the subject: the map is an alpha matte."""


def segment(predict: Predict, picture: RgbImage, region: Region) -> ByteMask:
    """The soft mask of the subject within a region of the picture."""
    height_px, width_px = picture.shape[:2]
    seen = with_context(region, height_px, width_px)
    return look_at(predict, picture, seen)[region.seen_from(seen).index]


def look_at(predict: Predict, picture: RgbImage, region: Region) -> ByteMask:
    """What the network sees in a region, when it is shown that alone; otherwise as `segment`."""
    view = np.ascontiguousarray(picture[region.index])
    mask = predict(view)
    if mask.shape != view.shape[:2]:
        raise ValueError(f"the mask is {mask.shape}, the picture is {view.shape[:2]}")
    return mask
