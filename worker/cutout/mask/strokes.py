"""Strokes: what a person keeps or removes, and what goes with it.

Pixels under the brush are known. So is the part that they touch: of the subject for a stroke that removes, of the
background for one that keeps.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.jobs.spec import Stroke, StrokeKind
from cutgate.worker.cutout.mask.parts import part_touched
from cutgate.worker.cutout.matting.trimap import BACKGROUND, FOREGROUND, UNKNOWN, keep_known
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, shrink
from cutgate.worker.cutout.raster.geometry import Region

EDGE_PX: Final = 3.0
"""Standard deviation of the blur, in the picture that parts are sought in."""

_LEVELS: Final = {StrokeKind.KEEP: FOREGROUND, StrokeKind.REMOVE: BACKGROUND}


def corrected(
    mask: ByteMask, picture: RgbImage, strokes: Sequence[Stroke], region: Region
) -> tuple[ByteMask, ByteMask]:
    """The mask with strokes painted into it, in their order, and the trimap of what they make known.

    Args:
        mask: (height, width) uint8.
        picture: (rows, columns, 3) uint8 of the same part of the picture, as small as parts are sought in.
        strokes: in coordinates of the whole picture.
        region: the part of the picture that the mask is of.

    Returns:
        (height, width) uint8 both; the trimap is UNKNOWN where no brush was.
    """
    mask, known = mask.copy(), np.full(mask.shape, UNKNOWN, np.uint8)
    small, scale = shrink(mask, *picture.shape[:2]), picture.shape[1] / mask.shape[1]
    small_known = np.full(small.shape, UNKNOWN, np.uint8)
    for stroke in strokes:
        level, brush = _LEVELS[stroke.kind], brushed(stroke, region, small.shape, scale) > 0
        small_known[brush] = level
        part = part_touched(small, picture, brush, small_known == 255 - level, level)
        small[part] = level
        soft = enlarged(_soft(part), *mask.shape)
        mask = np.maximum(mask, soft) if level else np.minimum(mask, 255 - soft)
        known[brushed(stroke, region, mask.shape, 1) > 0] = level
    return keep_known(mask, known), known


def _soft(part: NDArray[np.bool_]) -> ByteMask:
    """A part with an edge so soft that alpha is estimated there: it is no finer than a superpixel."""
    blurred = cv2.GaussianBlur(255 * part.view(np.uint8), (0, 0), EDGE_PX, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def brushed(stroke: Stroke, region: Region, shape: tuple[int, ...], scale: float) -> ByteMask:
    """(height, width) uint8, above 0 where a stroke's brush was, in a region that is shown at a scale."""
    canvas = np.zeros(shape, np.uint8)
    corner = np.array([region.left_px, region.top_px])
    points = np.rint((np.array(stroke.points) - corner + 0.5) * scale - 0.5).astype(np.int32)
    radius_px = max(1, round(stroke.radius_px * scale))
    for start, end in pairwise(points):
        cv2.line(canvas, start.tolist(), end.tolist(), 255, 2 * radius_px)
    for point in points:
        cv2.circle(canvas, point.tolist(), radius_px, 255, cv2.FILLED)
    return canvas
