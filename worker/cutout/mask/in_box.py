"""The Box and the picture's map: it confirms the map, or chooses one of several subjects.

A network finds a subject best in the whole picture; in a crop it may take parts of the subject for background. But
of several subjects it may find only the one that stands out most, or join them. There a crop shows the right one.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.mask.segment import Predict, segment
from cutgate.worker.cutout.mask.zoom_in import soft_share
from cutgate.worker.cutout.raster.arrays import LEAST_SUBJECT_SHARE, LIKELY, ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import resize_nearest
from cutgate.worker.cutout.raster.geometry import Region

HELD: Final = 0.95
"""The Box holds a subject of which this share lies inside. Between 0.9 and 0.99 hardly any cut-out changes."""

FILLED: Final = 0.99
"""A Box that the subject fills to this share lies inside it: there is nothing to choose from. One around a subject
that stands in front of another has more background."""

APART: Final = 0.9
"""The picture's map tells the Box's subject from the others where the components that the Box holds are this share
of what it shows there."""

LEAST_KEPT: Final = 0.9
"""A crop's map that keeps less of the Box's subject, and is softer as well, has lost parts of it."""


def map_of_box(
    predict: Predict, picture: RgbImage, mask: ByteMask, small: ByteMask, box: Region
) -> ByteMask | None:
    """What the network sees in a Box and its surroundings alone, where that tells more than the picture's map.

    The network runs once at most, and not at all where the Box confirms the picture's map.

    Args:
        predict: the network.
        picture: (height, width, 3) uint8.
        mask: (height, width) uint8, what the network saw in the whole picture.
        small: the mask at the working size.
        box: lies in the picture.

    Returns:
        (box height, box width) uint8; None where the picture's map is to be kept.

    Raises:
        ValueError: `predict` gave a mask of another size than its picture.
    """
    inside = mask[box.index]
    if box.area_px == mask.size or _confirms(_subject_px(mask), _subject_px(inside), box.area_px):
        return None
    closer = segment(predict, picture, box)
    return None if _has_lost_subject(closer, inside, _held(small, mask, box)) else closer


def _confirms(subject_px: int, inside_px: int, box_px: int) -> bool:
    """Whether the Box holds the subject, or lies inside it."""
    return inside_px > 0 and (inside_px >= HELD * subject_px or inside_px >= FILLED * box_px)


def _has_lost_subject(closer: ByteMask, inside: ByteMask, held: NDArray[np.bool_]) -> bool:
    """Whether a crop's map shows nothing of the subject, or is worse where the Box tells it from the others."""
    inside_px, held_px = _subject_px(inside), np.count_nonzero(held)
    if not inside_px or not _subject_px(closer):
        return inside_px > 0
    if held_px < APART * inside_px:
        return False
    kept_px = np.count_nonzero(held & (closer >= LIKELY))
    return bool(kept_px < LEAST_KEPT * held_px) and soft_share(closer) > soft_share(inside)


def _held(small: ByteMask, mask: ByteMask, box: Region) -> NDArray[np.bool_]:
    """(box height, box width): the likely pixels of the components that the Box holds."""
    down, across = small.shape[0] / mask.shape[0], small.shape[1] / mask.shape[1]
    rows, columns = box.scaled(down, across).index
    count, labels = cv2.connectedComponents((small >= LIKELY).view(np.uint8))
    found, found_inside = (np.bincount(seen.ravel(), minlength=count) for seen in (labels, labels[rows, columns]))
    held = found_inside >= HELD * found
    held[0] = False  # the background
    in_box = held[labels[rows, columns]].view(np.uint8)
    return np.asarray((resize_nearest(in_box, box.height_px, box.width_px) > 0) & (mask[box.index] >= LIKELY))


def _subject_px(mask: ByteMask) -> int:
    """How many pixels are likely subject; 0 where they are too few to be one."""
    likely_px = cv2.countNonZero((mask >= LIKELY).view(np.uint8))
    return likely_px if likely_px > LEAST_SUBJECT_SHARE * mask.size else 0
