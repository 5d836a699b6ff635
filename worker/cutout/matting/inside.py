"""Parts inside the subject that become opaque: doubted ones, enclosed ones on request, or all that is inside."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import channels, dilated, eroded, mean, resize_nearest, square, to_unit
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, Region, fitted
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, reached, sampled

CLEAR, OPAQUE = 13, 242
"""Levels of alpha between which a pixel is half-transparent: 0.05 and 0.95."""

BROAD_PX: Final = 33
NARROW_PX: Final = 17
"""Sides of squares at the working size: a broad area has room for one somewhere, and for the other everywhere."""

TEXT_PX: Final = 7
"""Half-transparent pixels not further apart are one area: letters and the gaps between lines of text."""

INSIDE_PX: Final = 61
"""Side of the square that holds nothing clear around a pixel far inside the subject; doubt counts there at any
width."""

NEAR_PX: Final = 40
"""How far around an area the colours of what is clear and of what is opaque are learned."""

BLEND_PX: Final = 15
"""Within how much an area that goes on as a narrow one becomes what it was."""

RIM_PX: Final = 7
"""Side of the square by which a filled part takes its soft edge with it."""

SOFT_PX: Final = 8, 16
"""Distances from what is clear, at the working size, up to which softness is the subject's edge, and from which on
`opaque_inside` leaves nothing soft."""

BIN_BITS: Final = 4
"""Bits of each channel of CIELAB that tell its 16 bins apart."""

UNSEEN_SHARE: Final = 0.05
"""How much of a surface may have any colour, and not those that it has nearby."""

DECIDED: Final = np.log(20)
"""Mean log-likelihood ratio of the colours from which an area is the subject's: 20 times likelier than not."""

PLAIN: Final = 8
"""A background that differs by no more levels of CIELAB, root mean square, from one grey tells nothing."""

OPAQUE_GAIN: Final = 255

Zone: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[slice, slice]


def fill_veils(image: RgbImage, alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in doubted areas whose colours are likelier in opaque pixels beside them than in clear ones.

    Such an area is broad, for no edge is so wide, or lies far inside, as text in a document does. What is seen
    through glass or a veil is mixed with the background, and so likely in neither.

    Args:
        image: (rows, columns, 3) uint8, the picture at the working size.
        alpha: (height, width) uint8, straight.

    Returns:
        (height, width) uint8. At an area's rim alpha is raised in proportion, so that its edge stays soft; what is
        0 or 255 stays, but for specks of text.
    """
    # Single pixels, for means would take fine strands beside each other for a broad area.
    small = resize_nearest(alpha, *image.shape[:2])
    cores, far = _doubted(image, small)
    if not cores.any():
        return alpha
    share, reach_px = cores.astype(np.float32), NARROW_PX + 2 * BLEND_PX
    level = mean(to_unit(small) * share, reach_px) / np.maximum(mean(share, reach_px), np.float32(1e-6))
    deep = (cores & far) | (eroded(cores.view(np.uint8), square(BROAD_PX - NARROW_PX + 1)) > 0)
    gain = np.where(deep, np.float32(OPAQUE_GAIN), 1 / np.maximum(level, np.float32(CLEAR / 255)))
    weight = mean(dilated(share, square(NARROW_PX + BLEND_PX)), BLEND_PX)
    return _raised(alpha, alpha * reached(weight, *alpha.shape), weight, gain)


def fill_holes(image: RgbImage, alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in parts that the subject encloses, but for those that show the background.

    A part shows it where its colours are likelier in the background around than in the subject. Where that
    background is plain and white or grey, nothing tells a label from a hole, and both are filled. What has no room
    for a square of `NARROW_PX`, such as a gap between hairs, stays.

    Args:
        image: (rows, columns, 3) uint8, the picture at the working size.
        alpha: (height, width) uint8, straight.
    """
    small = resize_nearest(alpha, *image.shape[:2])
    lacking = (small < LIKELY).view(np.uint8)
    framed = cv2.copyMakeBorder(lacking, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(framed, connectivity=4)
    labels, boxes = labels[1:-1, 1:-1], boxes - [1, 1, 0, 0, 0]
    outside = labels == 1  # the frame is met first
    background, wide = outside & (small <= CLEAR), eroded(lacking, square(NARROW_PX)) > 0
    enclosed = np.flatnonzero(np.bincount(labels[wide & ~outside]))
    if not (enclosed.size and background.any()):
        return alpha
    colours, filled = _Colours(image, small >= OPAQUE, background), np.zeros(small.shape, np.uint8)
    for label in enclosed:
        seen = _around(boxes[label], small.shape)
        part = labels[seen] == label
        filled[seen] |= part & (colours.is_plain(seen) or colours.log_ratio(part, seen) > 0)
    # With its soft edge, and without the one of a thin outline around it.
    filled = dilated(filled, square(RIM_PX)) & ~dilated(outside.view(np.uint8), square(3))
    weight = filled.astype(np.float32)
    return _raised(alpha, reached(weight, *alpha.shape), weight, np.full_like(weight, OPAQUE_GAIN))


def opaque_inside(alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in whatever lies far from all that is clear: edges, those of holes too, stay soft.

    Args:
        alpha: (height, width) uint8, straight.
    """
    # Single pixels, for means would hide gaps between strands.
    height_px, width_px = alpha.shape
    small = resize_nearest(alpha, *fitted(height_px, width_px, WORKING_SIDE_PX))
    distance_px = cv2.distanceTransform((small > CLEAR).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    weight = np.interp(distance_px, SOFT_PX, (0, 1)).astype(np.float32)
    return _raised(alpha, alpha, weight, np.full_like(weight, OPAQUE_GAIN))


def _raised(alpha: ByteMask, band: ByteMask, weight: Floats, gain: Floats) -> ByteMask:
    """Alpha times `gain`, as far as `weight` says, where a band is soft; both have the working size."""
    layers = np.dstack([weight, gain])

    def raised(pixels: Pixels) -> Floats:
        own, (weight, gain) = to_unit(pixels.of(alpha)), sampled(layers, pixels).T
        return np.asarray(own + weight * (np.minimum(gain * np.maximum(own, np.float32(1 / 255)), 1) - own))

    return fill_band(alpha, band, raised)


def _doubted(image: RgbImage, alpha: ByteMask) -> tuple[Zone, Zone]:
    """Where doubted areas have the subject's colours, without broad ones' rims; and what is far inside it."""
    between = ((alpha > CLEAR) & (alpha < OPAQUE)).view(np.uint8)
    half = eroded(dilated(between, square(TEXT_PX)), square(TEXT_PX))
    opaque, clear = alpha >= OPAQUE, (alpha <= CLEAR) & (half == 0)
    far = eroded((~clear).view(np.uint8), square(INSIDE_PX)) > 0
    own, sought = np.zeros(alpha.shape, np.bool_), (half > 0) & (far | (eroded(half, square(BROAD_PX)) > 0))
    if not (sought.any() and opaque.any() and clear.any()):
        return own, far
    colours = _Colours(image, opaque, clear)
    count, whole = cv2.connectedComponents(half | (alpha < OPAQUE).view(np.uint8))
    has_edge = np.zeros(count, np.bool_)
    has_edge[whole[clear | (eroded(between, square(NARROW_PX)) > 0)]] = True
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(eroded(half, square(NARROW_PX)) | (half & far))
    for label in np.flatnonzero(np.bincount(labels[sought])):
        seen = _around(boxes[label], alpha.shape)
        core = labels[seen] == label
        # Narrow doubt that is enclosed by what is opaque is the subject's but for a reason.
        least = DECIDED if has_edge[whole[seen][core][0]] else 0
        own[seen][core] = colours.log_ratio(core & (between[seen] > 0), seen) > least
    return own, far


class _Colours:
    """The colours of a picture's opaque and clear surfaces, and whose an area's are likelier to be."""

    def __init__(self, image: RgbImage, opaque: Zone, clear: Zone) -> None:
        self._lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)
        lightness, a, b = (channel.astype(np.int32) >> BIN_BITS for channel in channels(self._lab))
        self._bins = (lightness << 2 * BIN_BITS) + (a << BIN_BITS) + b
        self._surfaces = tuple((zone, _likelihoods(self._bins[zone])) for zone in (opaque, clear))
        self._clear = clear

    def log_ratio(self, area: Zone, seen: Box) -> float:
        """How much likelier an area's colours are in what is opaque beside it than in what is clear."""
        bins = self._bins[seen]
        opaque, clear = (
            (_likelihoods(bins[zone[seen]]) if zone[seen].any() else whole)[bins[area]]
            for zone, whole in self._surfaces
        )
        return float(np.log(opaque / clear).mean())

    def is_plain(self, seen: Box) -> bool:
        """Whether what is clear there, or anywhere if nothing is, differs little from one grey."""
        seen = seen if self._clear[seen].any() else np.s_[:, :]
        lab = self._lab[seen][self._clear[seen]].astype(np.float32)
        return bool(np.square(lab - [lab[:, 0].mean(), 128, 128]).sum(axis=1).mean() < PLAIN**2)


def _around(box: NDArray[np.int32], shape: tuple[int, ...]) -> Box:
    """A component's box and its surroundings."""
    left, top, width, height, _ = box
    return Region(left, top, left + width, top + height).grown(NEAR_PX, NEAR_PX).clamped(*shape).index


def _likelihoods(bins: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of each bin, from those that a surface has: its smoothed histogram, and a share for any colour."""
    cells = 1 << 3 * BIN_BITS
    histogram = np.bincount(bins, minlength=cells).reshape(3 * (1 << BIN_BITS,)) / max(1, bins.size)
    from scipy.ndimage import gaussian_filter  # which takes a while to load, and few pictures need

    smooth = gaussian_filter(histogram, 1.0).ravel()
    return np.asarray((1 - UNSEEN_SHARE) * smooth + UNSEEN_SHARE / cells)
