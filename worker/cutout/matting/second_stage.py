"""Alpha in the unknown band from a second network, which is shown the colours and the trimap."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from cutgate.worker.cutout.matting.trimap import UNKNOWN, keep_known
from cutgate.worker.cutout.matting.zones import Zones
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import bounds, to_unit
from cutgate.worker.cutout.raster.geometry import Region, with_context
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, reached, sampled

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
    sought = (trimap == UNKNOWN).view(np.uint8)
    if zones is not None:
        sought &= reached(zones.blend_weight, *trimap.shape)
    box = bounds(sought)
    return box if box.area_px else None
