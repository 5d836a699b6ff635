"""Alpha in the unknown band from a second network, which is shown the colours and the trimap."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.matting.trimap import UNKNOWN, keep_known
from cutgate.worker.cutout.matting.zones import Zones
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import to_unit
from cutgate.worker.cutout.raster.geometry import Region, with_context
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, sampled

Refine: TypeAlias = Callable[[RgbImage, ByteMask], ByteMask]
"""A picture and its trimap to alpha: all (height, width), uint8."""


def refine_with(
    refine: Refine, image: RgbImage, mask: ByteMask, trimap: ByteMask, zones: Zones | None = None
) -> ByteMask:
    """Estimate alpha in the unknown band with a network, which sees the band's box with its surroundings.

    Args:
        refine: the network; it is not run where nothing is unknown, or `zones` ask for nothing.
        image: (height, width, 3) uint8.
        mask: (height, width) uint8, which is alpha where `zones` leave it.
        trimap: (height, width) uint8 of the trimap's three values.
        zones: how much the estimate counts, of any size; None for all of it.

    Returns:
        (height, width) uint8, equal to the trimap where that is not UNKNOWN.

    Raises:
        ValueError: `refine` gave alpha of another size than its picture.
    """
    box = _box_to_estimate(trimap, zones)
    if box is None:
        return keep_known(mask, trimap)
    seen = with_context(box, *trimap.shape)
    view = np.ascontiguousarray(image[seen.index])
    estimate = refine(view, np.ascontiguousarray(trimap[seen.index]))
    if estimate.shape != view.shape[:2]:
        raise ValueError(f"alpha is {estimate.shape}, the picture is {view.shape[:2]}")
    alpha = trimap.copy()
    alpha[seen.index] = estimate
    if zones is None:
        return keep_known(alpha, trimap)
    weight = zones.blend_weight

    def blended(band: Pixels) -> Floats:
        own = to_unit(band.of(mask))
        return np.asarray(own + sampled(weight, band) * (to_unit(band.of(alpha)) - own))

    return fill_band(trimap, trimap, blended)


def _box_to_estimate(trimap: ByteMask, zones: Zones | None) -> Region | None:
    """What bounds the pixels whose alpha is to be estimated; None where there are none."""
    box = _box_of(trimap == UNKNOWN)
    if box is None or zones is None:
        return box
    counts = _box_of(zones.blend_weight > 0)
    if counts is None:
        return None
    down, across = (side / small for side, small in zip(trimap.shape, zones.blend_weight.shape, strict=True))
    # The weight fades out within the next pixel of its own size.
    region = Region(
        max(box.left_px, math.floor((counts.left_px - 1) * across)),
        max(box.top_px, math.floor((counts.top_px - 1) * down)),
        min(box.right_px, math.ceil((counts.right_px + 1) * across)),
        min(box.bottom_px, math.ceil((counts.bottom_px + 1) * down)),
    )
    return region if region.height_px > 0 and region.width_px > 0 else None


def _box_of(unknown: NDArray[np.bool_]) -> Region | None:
    """What bounds the true pixels of a (height, width) array; None where there are none."""
    rows, columns = (np.flatnonzero(unknown.any(axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return Region(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
