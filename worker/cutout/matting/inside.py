"""Half-transparent areas inside the subject, such as a car's windows, for those who want them opaque."""

from typing import Final

import cv2
import numpy as np

from cutgate.worker.cutout.matting.broad import CLEAR
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats
from cutgate.worker.cutout.raster.filters import resize_nearest, to_unit
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, fitted
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, sampled

RIM_PX: Final = 8
"""Distance from what is clear, at the working size, within which softness is the subject's edge."""
INSIDE_PX: Final = 16
"""The same, from which on nothing is soft any more."""


def opaque_inside(alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in whatever lies far from all that is clear: edges, those of holes too, stay soft.

    Args:
        alpha: (height, width) uint8, straight.
    """
    height_px, width_px = alpha.shape
    # Single pixels, for means would hide gaps between strands.
    small = resize_nearest(alpha, *fitted(height_px, width_px, WORKING_SIDE_PX))
    distance_px = cv2.distanceTransform((small > CLEAR).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    weight = np.clip((distance_px - RIM_PX) / (INSIDE_PX - RIM_PX), 0, 1).astype(np.float32)

    def raised(band: Pixels) -> Floats:
        own = to_unit(band.of(alpha))
        return np.asarray(own + sampled(weight, band) * (1 - own))

    return fill_band(alpha, alpha, raised)
