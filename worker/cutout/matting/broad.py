"""Broad half-transparent areas whose colours are the subject's: no edge is so wide, doubt made them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import dilated, eroded, mean, resize_nearest, square, to_unit
from cutgate.worker.cutout.raster.geometry import Region
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, reached, sampled

CLEAR, OPAQUE = 13, 242
"""Levels of alpha between which a pixel is half-transparent: 0.05 and 0.95."""

BROAD_PX: Final = 33
NARROW_PX: Final = 17
"""Sides of squares at the working size: an area has room for the first somewhere, for the second everywhere."""

NEAR_PX: Final = 31
"""How far around an area the colours of what is clear and of what is opaque are learned."""

BLEND_PX: Final = 15
"""Within how much an area that goes on as a narrow one becomes what it was."""

BIN_BITS: Final = 4
"""Bits of each channel of CIELAB that tell its 16 bins apart."""

UNSEEN_SHARE: Final = 0.05
"""How much of a surface may have any colour, and not those that it has nearby."""

DECIDED: Final = np.log(20)
"""Mean log-likelihood ratio of the colours from which an area is the subject's: 20 times likelier than not."""


def fill_veils(image: RgbImage, alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in broad areas whose colours are likelier in what is opaque beside them than in what is clear.

    What is seen through glass or a veil is mixed with the background, and so likely in neither.

    Args:
        image: (rows, columns, 3) uint8, the picture at the working size.
        alpha: (height, width) uint8, straight.

    Returns:
        (height, width) uint8. At an area's rim alpha is raised in proportion, so that its edge stays soft; what is
        0 or 255 stays.
    """
    # Single pixels, for means would take fine strands beside each other for a broad area.
    small = resize_nearest(alpha, *image.shape[:2])
    cores = _subjects_own(image, small)
    if not cores.any():
        return alpha
    share, reach_px = cores.astype(np.float32), NARROW_PX + 2 * BLEND_PX
    level = mean(to_unit(small) * share, reach_px) / np.maximum(mean(share, reach_px), np.float32(1e-6))
    deep = eroded(cores.view(np.uint8), square(BROAD_PX - NARROW_PX + 1))
    gain = np.where(deep, np.float32(255 / CLEAR), 1 / np.maximum(level, np.float32(CLEAR / 255)))
    weight = mean(dilated(share, square(NARROW_PX + BLEND_PX)), BLEND_PX)
    layers = np.dstack([gain, weight])

    def raised(band: Pixels) -> Floats:
        own, (gain, weight) = to_unit(band.of(alpha)), sampled(layers, band).T
        return np.asarray(own + weight * (np.minimum(gain * own, 1) - own))

    return fill_band(alpha, alpha * reached(weight, *alpha.shape), raised)


def _subjects_own(image: RgbImage, alpha: ByteMask) -> NDArray[np.bool_]:
    """Where broad areas have the subject's colours, without their rims; both have the working size."""
    half = ((alpha > CLEAR) & (alpha < OPAQUE)).view(np.uint8)
    own, broad = np.zeros(alpha.shape, np.bool_), eroded(half, square(BROAD_PX)) > 0
    if not broad.any():
        return own
    margin_px = (NARROW_PX + 1) // 2 + NEAR_PX
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(eroded(half, square(NARROW_PX)))
    for label in np.unique(labels[broad]):
        left, top, width, height, _ = boxes[label]
        box = Region(left, top, left + width, top + height)
        seen = box.grown(margin_px, margin_px).clamped(*alpha.shape).index
        core, bins = labels[seen] == label, _bins(image[seen])
        near = dilated(core.view(np.uint8), square(2 * margin_px + 1)) > 0
        opaque, clear = (
            _likelihoods(bins[near & known])[bins[core]] for known in (alpha[seen] >= OPAQUE, alpha[seen] <= CLEAR)
        )
        own[seen][core] = np.log(opaque / clear).mean() > DECIDED
    return own


def _bins(image: RgbImage) -> NDArray[np.int32]:
    """The bin of each pixel's colour: (rows, columns)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int32) >> BIN_BITS
    return np.asarray((lab[..., 0] << 2 * BIN_BITS) + (lab[..., 1] << BIN_BITS) + lab[..., 2], np.int32)


def _likelihoods(bins: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of each bin, from those that a surface has: its smoothed histogram, and a share for any colour."""
    cells = 1 << 3 * BIN_BITS
    histogram = np.bincount(bins, minlength=cells).reshape(3 * (1 << BIN_BITS,)) / max(1, bins.size)
    from scipy.ndimage import gaussian_filter  # which takes a while to load, and few pictures need

    smooth = gaussian_filter(histogram, 1.0).ravel()
    return np.asarray((1 - UNSEEN_SHARE) * smooth + UNSEEN_SHARE / cells)
