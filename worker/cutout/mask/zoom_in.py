"""The zoom-in pass: the network runs once more, on the box where it found the subject, larger.

A network sees each picture at one size, so a subject that fills little of it comes out coarse, and half of one
may be missed. The second run is shown what was found with its surroundings. Its map is not better by nature: it is
taken only where the two maps by themselves say so.
"""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.mask.segment import Predict, Soft, look_at
from cutgate.worker.cutout.raster.arrays import LIKELY, SEEN, SURE, ByteMask, RgbImage, strips
from cutgate.worker.cutout.raster.filters import components, dilated, resize_nearest, shrink_to_fit, square
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, Region

UNSURE_SHARE: Final = 0.25
"""A map with a larger share of soft pixels is no cut-out of a sharp subject; those have 0.02 to 0.2."""

COMPONENT_AREA: Final = 0.05
"""Connected components smaller than this share of the largest do not widen the box."""

PADDING: Final = 0.25
"""Surroundings on each side, as a share of the box's longer side. Half of it has lost parts of subjects."""

LEAST_SIDE_PX: Final = 64
"""A box with a shorter side has no more to show than the first run saw."""

Ramp: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropPolicy:
    """When zooming in is worth a run of the network, and when its map is taken."""

    level: int
    """Pixels from this level on make the box."""
    most_of_picture: float
    """A box that covers a larger share of the picture shows nothing that was not seen."""
    softness: float | None
    """The second map's share of soft pixels may be so many times the first map's; None: it says nothing."""
    growth: float
    """The subject's area may be so many times the first map's."""


SMALL: Final = CropPolicy(level=LIKELY, most_of_picture=0.6, softness=1.0, growth=1.25)
"""The subject is found, and small: more detail is wanted, not another subject."""

UNSURE: Final = CropPolicy(level=SEEN, most_of_picture=0.9, softness=0.8, growth=2.5)
"""The subject is half found: it may grow, if the map becomes surer by far."""

LEAST_GROWTH: Final = 0.9
"""A second map that lost more than a tenth of the subject is not taken."""

LEAST_KEPT: Final = 0.5
"""A component of the first map that keeps a smaller share of its pixels in the fused one is kept as it was seen
first. It may lie at the border of the box, for the box is that of the larger components."""

KEPT_AROUND_PX: Final = 4
"""How far around such a component its soft edge reaches, at the working size."""

PLAIN_GROWTH: Final = 1.1
CLEARLY_SURER: Final = 0.8
"""A subject that grows by more has to be that much surer: a neighbour may have been taken along."""

MATTE: Final = CropPolicy(level=LIKELY, most_of_picture=0.6, softness=None, growth=PLAIN_GROWTH)
"""As `SMALL`, where softness is transparency: hair that is seen more closely has more of it."""


def zoom_in(
    predict: Predict, picture: RgbImage, mask: ByteMask, soft: Soft = Soft.DOUBT, small: ByteMask | None = None
) -> ByteMask:
    """The map of a picture, with a closer one in its box where the maps say that this one is better.

    The network runs once at most.

    Args:
        predict: the network.
        picture: (height, width, 3) uint8.
        mask: (height, width) uint8, what the network saw in the whole picture.
        soft: what the network's grey means.
        small: the mask at the working size, where it is at hand.

    Returns:
        (height, width) uint8; `mask` itself where no closer one was taken.

    Raises:
        ValueError: `predict` gave a mask of another size than its picture.
    """
    small = shrink_to_fit(mask, WORKING_SIDE_PX) if small is None else small
    policy = MATTE if soft is Soft.ALPHA else UNSURE if soft_share(small) > UNSURE_SHARE else SMALL
    region = _box(small, policy.level, mask.shape[0], mask.shape[1])
    if region is None or min(region.height_px, region.width_px) < LEAST_SIDE_PX:
        return mask
    if region.area_px > policy.most_of_picture * mask.size:
        return mask
    closer = look_at(predict, picture, region)
    if not _is_better(closer, mask[region.index], policy):
        return mask
    return _with_lost_components(fused(mask, closer, region), mask)


def soft_share(mask: ByteMask) -> float:
    """How much of what a (height, width) uint8 map shows at all is not sure; 0 where it shows nothing."""
    seen = np.count_nonzero(mask >= SEEN)
    return np.count_nonzero((mask >= SEEN) & (mask < SURE)) / seen if seen else 0.0


def fused(mask: ByteMask, closer: ByteMask, region: Region) -> ByteMask:
    """`closer` in its region of `mask`, faded in from the region's edges so that no seam shows.

    The fade takes half the padding; at the picture's own edges there is none.
    """
    height_px, width_px = mask.shape
    fade_px = max(1.0, PADDING / (1 + 2 * PADDING) / 2 * max(region.height_px, region.width_px))
    down = _ramp(region.height_px, fade_px, region.top_px > 0, region.bottom_px < height_px)
    across = _ramp(region.width_px, fade_px, region.left_px > 0, region.right_px < width_px)
    whole = mask.copy()
    part = whole[region.index]
    for strip in strips(region.height_px):
        weight = np.minimum(down[strip, None], across)
        before = part[strip].astype(np.float32)
        part[strip] = np.rint(before + weight * (closer[strip] - before)).astype(np.uint8)
    return whole


def _with_lost_components(whole: ByteMask, before: ByteMask) -> ByteMask:
    """The fused map, into which each component of the map before it is put back that it would lose."""
    small, small_before = (shrink_to_fit(each, WORKING_SIDE_PX) for each in (whole, before))
    count, labels = cv2.connectedComponents((small_before >= LIKELY).view(np.uint8))
    found, kept = (np.bincount(seen, minlength=count) for seen in (labels.ravel(), labels[small >= LIKELY]))
    lost = kept < LEAST_KEPT * found
    lost[0] = False  # the background
    if lost.any():
        around = dilated(lost[labels].view(np.uint8), square(2 * KEPT_AROUND_PX + 1))
        np.maximum(whole, before, out=whole, where=resize_nearest(around, *whole.shape) > 0)
    return whole


def _ramp(length_px: int, fade_px: float, rises: bool, falls: bool) -> Ramp:
    """(length,) float32: 1, or from 0 to 1 over the fade behind an end that lies in the picture."""
    distance = np.arange(1, length_px + 1, dtype=np.float32) / np.float32(fade_px)
    ends = [distance] * rises + [distance[::-1]] * falls
    return np.asarray(np.minimum.reduce([np.ones_like(distance), *ends]), np.float32)


def _box(small: ByteMask, level: int, height_px: int, width_px: int) -> Region | None:
    """The padded box of the map's larger components, in the pixels of the full size; None where there is none."""
    seen = (small >= level).view(np.uint8)
    found = components(seen)[2][1:]
    if not len(found):
        return None
    sizes = found[:, cv2.CC_STAT_AREA]
    left, top, width, height, _ = found[sizes >= COMPONENT_AREA * sizes.max()].T
    right, bottom = (left + width).max(), (top + height).max()
    left, top = left.min(), top.min()
    padding = PADDING * max(right - left, bottom - top)
    down, across = height_px / small.shape[0], width_px / small.shape[1]
    return Region(
        math.floor((left - padding) * across),
        math.floor((top - padding) * down),
        math.ceil((right + padding) * across),
        math.ceil((bottom + padding) * down),
    ).clamped(height_px, width_px)


def _is_better(closer: ByteMask, before: ByteMask, policy: CropPolicy) -> bool:
    new, old = shrink_to_fit(closer, WORKING_SIDE_PX), shrink_to_fit(before, WORKING_SIDE_PX)
    found, found_before = (np.count_nonzero(each >= LIKELY) for each in (new, old))
    if not found_before:
        return soft_share(new) <= UNSURE_SHARE  # sure of a subject, or that there is none
    if not LEAST_GROWTH * found_before <= found <= policy.growth * found_before:
        return False
    softness = policy.softness if found <= PLAIN_GROWTH * found_before else CLEARLY_SURER
    return softness is None or soft_share(new) <= softness * soft_share(old)
