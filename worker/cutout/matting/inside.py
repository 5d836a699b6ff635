"""Parts inside the subject that become opaque: doubted ones, enclosed ones on request, or all that is inside."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import components, dilated, eroded, mean, resize_nearest, square, to_unit
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, Region, fitted
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, reached, sampled

CLEAR, OPAQUE = 13, 242
"""Levels of alpha between which a pixel is half-transparent: 0.05 and 0.95."""

BROAD_PX: Final = 16
NARROW_PX: Final = 8
"""Sides of squares at half the working size, where doubted areas are sought: a broad one has room for the first
somewhere, and for the second everywhere."""

TEXT_PX: Final = 7
"""Half-transparent pixels not further apart are one area, such as a line of text."""

NEAR_PX: Final = 20
"""How far around an area colours are learned. Doubt of any width counts where nothing so near is clear, or, where
opaque pixels enclose it, nothing within half of `BROAD_PX`."""

BLEND_PX: Final = 7
"""Within how much an area that goes on as a narrow one becomes what it was."""

GAP_PX: Final = 17
"""Side of the square that an enclosed part has to have room for, at the working size."""

SOFT_PX: Final = 8, 16
"""Distances from what is clear, at the working size, up to which softness is the subject's edge, and from which on
`opaque_inside` leaves nothing soft."""

BINS: Final = 16
"""Of each channel of CIELAB."""

CELLS: Final = BINS**3
UNSEEN_SHARE: Final = 0.05
OWN_COLOUR: Final = 0.25 / CELLS
"""How much of a surface may have any colour, and not those that it has nearby; and how likely each colour is at
least in ink or a label, which has its own."""

DECIDED: Final = np.log(20)
"""Mean log-likelihood ratio of the colours from which an area is the subject's: 20 times likelier than not."""

PLAIN: Final = 8
"""Levels of CIELAB within which half of a background's pixels are of one grey, or white: it tells nothing."""

Zone: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[slice, slice]
EVERYWHERE: Final[Box] = slice(None), slice(None)


def fill_veils(image: RgbImage, alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in doubted areas whose colours are likelier in opaque pixels beside them than in clear ones.

    Such an area is broad, for no edge is so wide, or lies far inside, as text in a document does. What is seen
    through glass or a veil is mixed with the background, and so likely in neither.

    Args:
        image: (rows, columns, 3) uint8, the picture at the working size.
        alpha: (height, width) uint8, straight.

    Returns:
        (height, width) uint8. At an area's rim alpha is raised in proportion, so that its edge stays soft.
    """
    # Single pixels, for means would take fine strands beside each other for a broad area.
    small = resize_nearest(alpha, *image.shape[:2])
    cores, inside = _doubted(image, small)
    if not cores.any():
        return alpha
    small = resize_nearest(small, *cores.shape)
    share, reach_px = cores.astype(np.float32), NARROW_PX + 2 * BLEND_PX
    level = mean(to_unit(small) * share, reach_px) / np.maximum(mean(share, reach_px), np.float32(1e-6))
    # Two pixels more than at full size, for what is read between these reaches one farther.
    far_inside = mean(dilated((cores & inside).astype(np.float32), square(BLEND_PX + 2)), BLEND_PX)
    opaque = np.maximum(far_inside, eroded(cores.view(np.uint8), square(BROAD_PX - NARROW_PX + 3)))
    gain = np.reciprocal(np.maximum(level, CLEAR / 255), dtype=np.float32)
    weight = mean(dilated(share, square(NARROW_PX + BLEND_PX)), BLEND_PX)
    band = reached(opaque, *alpha.shape)
    np.maximum(alpha, band, out=band)
    band *= reached(weight, *alpha.shape)
    return _raised(alpha, band, weight, gain, opaque)


def fill_holes(image: RgbImage, alpha: ByteMask) -> ByteMask:
    """Alpha, opaque in parts that the subject encloses, but for those that show the background.

    A part shows it where its colours are likelier in the background beside it than in the subject or in a label of
    any colour. Where most of the background is white or of one grey, nothing tells a label from a hole: both are
    filled. What has no room for a square of `GAP_PX`, such as a gap between hairs, stays.

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
    background, wide = outside & (small <= CLEAR), eroded(lacking, square(GAP_PX)) > 0
    enclosed = np.flatnonzero(np.bincount(labels[wide & ~outside]))
    if not (enclosed.size and background.any()):
        return alpha
    colours, filled = _Colours(image, small >= OPAQUE, background), np.zeros(small.shape, np.uint8)
    plain = colours.is_plain()
    for label in enclosed:
        seen = _around(boxes[label], small.shape)
        part = labels[seen] == label
        filled[seen] |= part & (plain or colours.are_own(part, seen, OWN_COLOUR, 0))
    # With its soft edge, and without that of an outline around it.
    within_px, outside_px = (_distance_px(zone) for zone in (filled, outside))
    weight = ((within_px <= SOFT_PX[0]) & (within_px < outside_px)).astype(np.float32)
    return _raised(alpha, reached(weight, *alpha.shape), weight)


def opaque_inside(alpha: ByteMask) -> ByteMask:
    """Straight alpha, opaque in whatever lies far from all that is clear: edges, those of holes too, stay soft."""
    # Single pixels, for means would hide gaps between strands.
    height_px, width_px = alpha.shape
    small = resize_nearest(alpha, *fitted(height_px, width_px, WORKING_SIDE_PX))
    weight = np.interp(_distance_px(small <= CLEAR), SOFT_PX, (0, 1))
    return _raised(alpha, alpha, weight.astype(np.float32))


def _distance_px(zone: NDArray[np.generic]) -> Floats:
    """How far each pixel is from a zone."""
    distance_px = cv2.distanceTransform((zone == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance_px, np.float32)


def _raised(
    alpha: ByteMask, band: ByteMask, weight: Floats, gain: Floats | int = 0, added: Floats | int = 1
) -> ByteMask:
    """Alpha times `gain` and `added` to it, as far as `weight` says, where a band is soft; at the working size."""
    layers = np.dstack(np.broadcast_arrays(weight, gain, added)).astype(np.float32)

    def raised(pixels: Pixels) -> Floats:
        own, (weight, gain, added) = to_unit(pixels.of(alpha)), sampled(layers, pixels).T
        return np.asarray(own + weight * (np.minimum(gain * own + added, 1) - own))

    return fill_band(alpha, band, raised)


def _doubted(image: RgbImage, alpha: ByteMask) -> tuple[Zone, Zone]:
    """Where doubted areas have the subject's colours, without broad ones' rims; and which areas lie far inside."""
    half_size = [(side + 1) // 2 for side in alpha.shape]
    solid, soft = (zone.view(np.uint8) for zone in (alpha >= OPAQUE, (alpha > CLEAR) & (alpha < OPAQUE)))
    joined = eroded(dilated(soft, square(TEXT_PX)), square(TEXT_PX))
    seen = (alpha > CLEAR).view(np.uint8) | joined
    # No gap between strands may be lost.
    between, far = (resize_nearest(eroded(zone, square(3)), *half_size) for zone in (soft, seen))
    half, seen, opaque = (resize_nearest(zone, *half_size) for zone in (joined, seen, solid))
    broad, inside = eroded(between, square(BROAD_PX)), half & eroded(far, square(BROAD_PX))
    surfaces, own = (opaque > 0, seen == 0), np.zeros(seen.shape, np.bool_)
    if not ((inside | broad).any() and all(zone.any() for zone in surfaces)):
        return own, own
    image = resize_nearest(image, *half_size)
    colours, narrow = _Colours(image, *surfaces), eroded(between, square(NARROW_PX))
    count, whole = cv2.connectedComponents(half | 1 - opaque)
    has_edge = np.zeros(count, np.bool_)
    has_edge[whole[(seen == 0) | (narrow > 0)]] = True
    inside[has_edge[whole] & (eroded(far, square(2 * NEAR_PX + 1)) == 0)] = 0
    for areas, sought in ((narrow, broad), (inside, inside)):
        if not sought.any():
            continue
        _, labels, boxes = components(areas)
        for label in np.flatnonzero(np.bincount(labels[sought > 0])):
            near = _around(boxes[label], alpha.shape)
            core = labels[near] == label
            # Narrow doubt that opaque pixels enclose, such as ink, counts for the subject's, like a label.
            limits = (0, DECIDED) if has_edge[whole[near][core][0]] else (OWN_COLOUR, 0)
            own[near][core] |= colours.are_own(core & (opaque[near] == 0), near, *limits)
    return own, inside > 0


class _Colours:
    """The colours of a picture's opaque and clear surfaces, and whose an area's are likelier to be."""

    def __init__(self, image: RgbImage, opaque: Zone, clear: Zone) -> None:
        self._lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)
        self._surfaces = opaque, clear

    def are_own(self, area: Zone, seen: Box, least: float, decided: float) -> bool:
        """Whether colours are likelier in what is opaque beside them, or so likely, than in what is clear."""
        counts = _counted(self._lab[seen], area)
        opaque, clear = (
            _likelihoods(_counted(self._lab[box], zone[box]))
            for zone in self._surfaces
            for box in [seen if zone[seen].any() else EVERYWHERE]
        )
        evidence = counts * np.log(np.maximum(opaque, least) / clear)
        return bool(evidence.sum() > decided * counts.sum())

    def is_plain(self) -> bool:
        """Whether most of what is clear differs little from one grey."""
        lab = self._lab[self._surfaces[1]].astype(np.float32)
        return bool(np.median(np.linalg.norm(lab - [np.median(lab[:, 0]), 128, 128], axis=1)) < PLAIN)


def _around(box: NDArray[np.int32], shape: tuple[int, ...]) -> Box:
    """A component's box and its surroundings."""
    left, top, width, height, _ = box
    return Region(left, top, left + width, top + height).grown(NEAR_PX, NEAR_PX).clamped(*shape).index


def _counted(lab: RgbImage, zone: Zone) -> Floats:
    """How many pixels of a zone have the colours of each bin: (16, 16, 16)."""
    return np.asarray(cv2.calcHist([lab], [0, 1, 2], zone.view(np.uint8), [BINS] * 3, [0, 256] * 3), np.float32)


def _likelihoods(counts: Floats) -> Floats:
    """Of each bin, from those that a surface has: its smoothed histogram, and a share for any colour."""
    from scipy.ndimage import gaussian_filter  # which takes a while to load, and few pictures need

    smooth = gaussian_filter(counts / max(1, counts.sum()), 1.0)
    return np.asarray((1 - UNSEEN_SHARE) * smooth + UNSEEN_SHARE / CELLS, np.float32)
