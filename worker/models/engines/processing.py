"""Pre- and post-processing: from a picture to the input of the network, and from its map to a mask."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.raster.arrays import SEEN, SURE, ByteMask, Bytes, FloatMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import (
    channels,
    enlarged,
    looked_up,
    shrink,
    shrink_fast,
    shrink_to_fit,
    to_levels,
)
from cutgate.worker.models.weights.model import OutputKind, WeightsFile

_USUAL_THRESHOLDS: Final = tuple(
    CutoutSpec.model_fields[f"{side}_threshold"].default for side in ("foreground", "background")
)
MEASURED_SIDE_PX: Final = 512

SURE_SHARE: Final = 0.1
"""The share of sure pixels in what a map shows, up to which it shows nothing.

Maps of photos with a subject have 0.3 to 0.98 of them; what a network leaves where it sees nothing, stretched to
the full range, has 0.03 at most, for a few peaks stand in a haze.
"""


class Processing:
    """A row's pre- and post-processing. It keeps nothing between two calls, so threads may share it."""

    def __init__(self, row: WeightsFile, input_type: np.dtype[Any]) -> None:
        self._row, self._input_type = row, input_type
        mean, std = (np.asarray(values, np.float32) for values in (row.mean, row.std))
        levels = np.arange(256, dtype=np.float32)
        # (x / 255 - mean) / std of each level and channel.
        normalised = levels / (255 * std[:, None]) - (mean / std)[:, None]
        # A graph that takes levels does this itself, in the same order: see `graphs/served.py`.
        self._normalised = (np.tile(levels, (3, 1)) if input_type == np.uint8 else normalised).astype(input_type)
        self._to_usual_levels = None if row.thresholds is None else _table(row.thresholds)

    def new_batch(self, height_px: int, width_px: int) -> NDArray[Any]:
        """Room for one picture: (1, 3, height, width), unfilled."""
        return np.empty((1, 3, height_px, width_px), self._input_type)

    def prepare(self, image: RgbImage, slot: NDArray[Any]) -> None:
        """Resize and normalise a picture into the network's input."""
        small = resize(image, *self._row.size_for(*image.shape[:2]))
        below, right = (most - side for most, side in zip(slot.shape[1:], small.shape[:2], strict=True))
        if below or right:
            small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
        for plane, table, out in zip(channels(small), self._normalised, slot, strict=True):
            cv2.LUT(plane, table, dst=out)

    def mask(self, output: Floats, height_px: int, width_px: int) -> ByteMask:
        """Read one map back; its padding goes first, since a stretch would count it."""
        seen, fed = self._row.size_for(height_px, width_px), self._row.input_for(height_px, width_px)
        if seen != fed:
            rows, columns = (max(1, round(a * b / c)) for a, b, c in zip(output.shape, seen, fed, strict=True))
            output = output[:rows, :columns]
        levels = to_levels(_probability(output, self._row))
        if self._to_usual_levels is not None:
            levels = looked_up(levels, self._to_usual_levels)
        return np.asarray(resize(levels, height_px, width_px))


def resize(array: Any, height_px: int, width_px: int) -> Any:
    """Resize a picture or map: a picture is averaged where it shrinks. Dtype and range are kept."""
    if height_px * width_px >= array.shape[0] * array.shape[1]:
        return enlarged(array, height_px, width_px)
    # Some networks see another subject where a few levels of a picture's pixels change.
    return (shrink_fast if array.ndim == 2 else shrink)(array, height_px, width_px)


def _table(thresholds: tuple[int, int]) -> Bytes:
    """256 levels: a map's thresholds become the usual ones, and what lies between or beyond them follows."""
    ends, usual_ends = ([0, *reversed(pair), 255] for pair in (thresholds, _USUAL_THRESHOLDS))
    return np.asarray(np.rint(np.interp(np.arange(256), ends, usual_ends)), np.uint8)


def _probability(output: Floats, row: WeightsFile) -> Floats:
    """What the network put out as a probability. A map without contrast, or without numbers, has no subject."""
    if not np.isfinite(output.sum()):  # which is fast, and `nan_to_num` is not
        output = np.nan_to_num(output, copy=False)
    if row.output is OutputKind.LOGIT:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * output)), np.float32)
    if row.output is OutputKind.RANGE:
        return stretched(output, row.least_range)
    return output


def stretched(output: Floats, least_range: float = 0.0) -> FloatMask:
    """A network's numbers as probabilities; those that differ by no more than `least_range` show no subject."""
    low, high = float(output.min()), float(output.max())
    if high - low <= least_range:
        return np.zeros_like(output)
    full: FloatMask = output - np.float32(low)
    full /= np.float32(high - low)
    small = shrink_to_fit(to_levels(full), MEASURED_SIDE_PX)
    seen, sure = (np.count_nonzero(small >= level) for level in (SEEN, SURE))
    return full if sure > SURE_SHARE * seen else np.zeros_like(output)
