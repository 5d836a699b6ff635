"""The bounding box of the subject, and backgrounds: colours and pictures."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, Levels, RgbImage, strips
from cutgate.worker.cutout.raster.geometry import Region

HAZE_PART: Final = 0.03
"""Alpha up to this share of full is not the subject but what a network is unsure of."""


def subject_box(alpha: Levels) -> Region | None:
    """The smallest rectangle around all that is more than haze; None where nothing is."""
    haze = HAZE_PART * np.iinfo(alpha.dtype).max
    rows = _shown(alpha, haze)
    if rows is None:
        return None
    columns = _shown(alpha[rows].T, haze)
    assert columns is not None
    return Region(columns.start, rows.start, columns.stop, rows.stop)


def _shown(lines: Levels, haze: float) -> slice | None:
    """From the first to the last line of pixels that shows more than haze; few of those between are read."""

    def showing(strip: slice) -> NDArray[np.intp]:
        return np.asarray(strip.start + np.flatnonzero(lines[strip].max(axis=1) > haze))

    blocks = list(strips(len(lines)))
    first = next((found[0] for found in map(showing, blocks) if found.size), None)
    if first is None:
        return None
    last = next(found[-1] for found in map(showing, reversed(blocks)) if found.size)
    return slice(int(first), int(last) + 1)


def cover_fit(picture: RgbImage, height_px: int, width_px: int) -> RgbImage:
    """The middle of a picture, scaled so that it fills this size and keeps its proportions."""
    rows, columns = picture.shape[:2]
    scale = max(height_px / rows, width_px / columns)
    used_rows, used_columns = (
        min(side, max(1, round(wanted / scale))) for side, wanted in ((rows, height_px), (columns, width_px))
    )
    top, left = (rows - used_rows) // 2, (columns - used_columns) // 2
    middle = picture[top : top + used_rows, left : left + used_columns]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(middle, (width_px, height_px), interpolation=way), np.uint8)


def alpha_over(pixels: Levels, colours: RgbImage, alpha: int | ByteMask) -> Levels:
    """A cut-out over a background.

    Args:
        pixels: (height, width, 4), straight alpha, of either depth.
        colours: (height, width, 3) uint8 of the background, or (1, 1, 3) for one colour.
        alpha: of the background, 0 to 255; one for all, or (height, width).

    Returns:
        (height, width, 4) of the depth of `pixels`, straight alpha.
    """
    height_px, width_px = pixels.shape[:2]
    unit = np.iinfo(pixels.dtype).max // 255
    whole = np.broadcast_to(colours, (height_px, width_px, 3))
    result = np.empty(pixels.shape, pixels.dtype)
    for strip in strips(height_px):
        behind = np.empty(pixels[strip].shape, pixels.dtype)
        np.multiply(whole[strip], unit, out=behind[..., :3], dtype=pixels.dtype)
        level = alpha if isinstance(alpha, int) else alpha[strip]
        np.multiply(level, unit, out=behind[..., 3], dtype=pixels.dtype)
        result[strip] = _blended(pixels[strip], behind)
    return result


def _blended(
    front: NDArray[np.unsignedinteger], behind: NDArray[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    """Straight alpha over straight alpha; only what is soft in front is computed."""
    full = np.iinfo(front.dtype).max
    share = front[..., 3]
    result = np.where((share == 0)[..., None], behind, front)
    soft = (share > 0) & (share < full)
    ours, theirs = (_premultiplied(layer[soft], full) for layer in (front, behind))
    mixed = ours + (1 - ours[:, 3:]) * theirs
    mixed[:, :3] /= mixed[:, 3:]
    result[soft] = np.rint(mixed * full).astype(front.dtype)
    return result


def _premultiplied(pixels: NDArray[np.unsignedinteger], full: int) -> Floats:
    unit: Floats = pixels.astype(np.float32) / np.float32(full)
    unit[:, :3] *= unit[:, 3:]
    return unit
