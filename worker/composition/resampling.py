"""A picture brought onto a canvas, at another size where that is wanted.

Colours are weighed by alpha: what is clear has none, and no dark or bright rim comes of it. The filters know no
negative weights, so nothing rings beside an edge.
"""

import math
from itertools import product
from typing import Final

import numpy as np
from PIL import Image

from cutgate.worker.composition.layout import Axis, Layout
from cutgate.worker.cutout.raster.arrays import Floats, Levels

_SMALLER, _LARGER = Image.Resampling.HAMMING, Image.Resampling.BILINEAR
TILE_PX: Final = 512
"""Side of what is worked on at a time: it stays in the processor's cache, and clear ones cost nothing."""
_REACH_PX: Final = 2
"""More than either filter's support: pixels of the source, or of the result where that is the coarser."""


def placed(pixels: Levels, layout: Layout) -> Levels:
    """A picture on its canvas, fully transparent where the canvas goes beyond it; itself where nothing changes."""
    if layout.changes_nothing:
        return pixels
    width_px, height_px = layout.size_px
    down, across = layout.down, layout.across
    canvas = np.zeros((height_px, width_px, *pixels.shape[2:]), pixels.dtype)
    if layout.moves_only:
        rows, columns = (slice(*map(round, axis.under(axis.shown))) for axis in (down, across))
        canvas[down.shown, across.shown] = pixels[rows, columns]
        return canvas
    for rows, columns in product(_steps(down), _steps(across)):
        _resample(pixels, layout, rows, columns, canvas[rows, columns])
    return canvas


def _steps(axis: Axis) -> list[slice]:
    """What the picture fills, so much at a time that neither it nor its source is large."""
    step, shown = max(1, int(TILE_PX * min(1, axis.scale))), axis.shown
    return [slice(start, min(start + step, shown.stop)) for start in range(shown.start, shown.stop, step)]


def _resample(pixels: Levels, layout: Layout, rows: slice, columns: slice, target: Levels) -> None:
    """Fill a tile of the canvas, which is clear."""
    (top, bottom), (left, right) = layout.down.under(rows), layout.across.under(columns)
    first_row, rows_read = _around(layout.down, top, bottom)
    first_column, columns_read = _around(layout.across, left, right)
    part = pixels[rows_read, columns_read]
    alpha = (part if part.ndim == 2 else part[..., 3]).astype(np.float32)
    if not alpha.any():
        return
    size = target.shape[1], target.shape[0]
    box = left - first_column, top - first_row, right - first_column, bottom - first_row
    way = _LARGER if min(layout.down.scale, layout.across.scale) > 1 else _SMALLER
    full = np.iinfo(pixels.dtype).max

    def resized(plane: Floats) -> Floats:
        return np.asarray(Image.fromarray(plane).resize(size, way, box))

    weight = resized(alpha)
    if part.ndim == 2:
        target[...] = np.rint(weight)
        return
    share = alpha * np.float32(1 / full)
    target[..., 3] = np.rint(weight)
    scale = np.divide(full, weight, out=np.zeros_like(weight), where=target[..., 3] > 0)
    for channel in range(3):
        colour = resized(part[..., channel] * share) * scale
        target[..., channel] = np.rint(np.minimum(colour, full))


def _around(axis: Axis, low_px: float, high_px: float) -> tuple[int, slice]:
    """What of the source counts for a part of it: its first pixel, and all of them."""
    reach_px = _REACH_PX * max(1, 1 / axis.scale)
    first = max(0, math.floor(low_px - reach_px))
    return first, slice(first, min(axis.source_px, math.ceil(high_px + reach_px)))
