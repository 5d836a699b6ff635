"""Zones where the edge of the subject is soft, from the mask alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask
from cutgate.worker.cutout.raster.filters import counted, dilated, disc, eroded, mean, shrink

REGION_PX: Final = 31
"""Side of the square that is one region; it moves from pixel to pixel."""

COARSER: Final = 4
BLEND_PX: Final = 3
"""How many times smaller weights are than the mask, for they change slowly, and how far the blend between two
regions extends there, so that they have no seam."""

HARD_WIDTH_PX: Final = 1.3
SOFT_WIDTH_PX: Final = 2.0
"""The mask of a sharp cut is about 1 px wide, that of a photo 1.5 to 30. Up to the first width a region's edge is
the mask's own, from the second on it is estimated; between them it is a blend."""

HAIRY_WIDTH_PX: Final = 6.0
"""From this width on the soft zone is hair, fur or a blur, whose ends reach beyond what the mask shows."""

SOFT_EDGE_WIDTHS_PX: Final = 2.0, 4.0
"""Up to the first width an edge is hard: where colours cannot be told apart, the mask knows better where it is."""

BROAD_WIDTHS_PX: Final = 5.0, 10.0
"""Between these widths colours begin to count: they tell strands from the gaps between them, where the mask has a
veil over both."""

USUAL_ERODE_PX: Final = 15
REACH_PX: Final = 2.0
HAIRY_REACH_PX: Final = 8.0
"""How far beyond the soft zone alpha is estimated, with the usual erosion; it grows with the erosion."""

CROSS: Final = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, slots=True)
class Zones:
    """What the regions of a mask ask for."""

    near: ByteMask
    """1 where alpha is worth estimating; as large as the mask. The weights are smaller."""
    blend_weight: FloatMask
    """How much the estimate counts, 0 to 1; the rest is the mask."""
    soft: FloatMask
    """How soft the edge is, 0 to 1: a hard one is estimated only where colours can be told apart."""
    broad: FloatMask
    """How broad the soft zone is, 0 to 1: where it is, colours known nearby count."""

    @property
    def everywhere(self) -> Zones:
        """The same, with alpha estimated all over."""
        ones = np.ones_like(self.blend_weight)
        return replace(self, near=np.ones_like(self.near), blend_weight=ones, soft=ones)


def zones_of(mask: ByteMask, thresholds: Thresholds, erode_px: int) -> Zones:
    """Where to estimate alpha, region by region.

    Args:
        mask: (height, width) uint8 that fits `WORKING_SIDE_PX`.
        thresholds: levels between which the mask is soft.
        erode_px: the trimap's erosion, in pixels of the picture.
    """
    inside = (mask >= 128).view(np.uint8)
    contour = (inside != eroded(inside, CROSS)).view(np.uint8)
    soft = ((mask >= thresholds.background) & (mask <= thresholds.foreground)).view(np.uint8)
    soft_part, contour_part = (counted(zone, REGION_PX) for zone in (soft, contour))
    hairy = soft & (soft_part > HAIRY_WIDTH_PX * contour_part).view(np.uint8)
    growth = erode_px / USUAL_ERODE_PX
    near = _grown(soft | contour, REACH_PX * growth) | _grown(hairy, HAIRY_REACH_PX * growth)
    size = [-(-side // COARSER) for side in mask.shape]
    soft_part, contour_part = (shrink(part, *size) for part in (soft_part, contour_part))
    # A contour longer than the region's side is one of many strands: it says nothing against softness.
    width = np.asarray(soft_part / np.clip(contour_part, 1, REGION_PX), np.float32)
    return Zones(
        near,
        _ramp(width, HARD_WIDTH_PX, SOFT_WIDTH_PX),
        _ramp(width, *SOFT_EDGE_WIDTHS_PX),
        _ramp(width, *BROAD_WIDTHS_PX),
    )


def _ramp(width: FloatMask, from_px: float, to_px: float) -> FloatMask:
    """0 up to the first width, 1 from the second on, without seams."""
    share: FloatMask = np.clip((width - np.float32(from_px)) / np.float32(to_px - from_px), 0, 1)
    return mean(share, BLEND_PX)


def _grown(zone: ByteMask, reach_px: float) -> ByteMask:
    return dilated(zone, disc(2 * round(reach_px) + 1))
