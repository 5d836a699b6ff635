"""What lies around the network: from a picture to the numbers that it wants, and from its map to a mask."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.mask.contrast import stretched
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, shrunk, to_levels
from cutgate.worker.models.weights.model import OutputKind, WeightsFile


class Processing:
    """A row's pre- and post-processing. It keeps nothing between two calls, so threads may share it."""

    def __init__(self, row: WeightsFile, input_type: np.dtype[Any]) -> None:
        """Take what a row says.

        Args:
            row: of the weights.
            input_type: the number type that the engine wants.
        """
        self._row, self._input_type = row, input_type
        # (x / 255 - mean) / std as one multiplication and one addition.
        self._scale = np.float32(1) / (np.float32(255) * np.asarray(row.std, np.float32))
        self._shift = -np.asarray(row.mean, np.float32) / np.asarray(row.std, np.float32)

    def new_batch(self, count: int) -> NDArray[Any]:
        """Room for so many pictures: (count, 3, height, width), unfilled; each of its slots is one picture's."""
        return np.empty((count, 3, *self._row.input_px), self._input_type)

    def prepare(self, image: RgbImage, slot: NDArray[Any]) -> None:
        """Resize and normalise a picture into its slot of a batch.

        Args:
            image: (height, width, 3) uint8, sRGB, of any size.
            slot: (3, height, width) of the network's input, written over.
        """
        small = resize(image, *self._row.input_px)
        for channel in range(3):
            np.multiply(small[..., channel], self._scale[channel], out=slot[channel], casting="unsafe")
            slot[channel] += self._shift[channel]

    def mask(self, output: Floats, height_px: int, width_px: int) -> ByteMask:
        """Read one map back.

        Args:
            output: (height, width) float32 as the network gave it; it may be written over.
            height_px: height of the picture.
            width_px: its width.

        Returns:
            (height_px, width_px) uint8; 255 is certain foreground.
        """
        return np.asarray(resize(to_levels(_probability(output, self._row)), height_px, width_px))


def resize(array: Any, height_px: int, width_px: int) -> Any:
    """Resize a picture or map: averaging where it shrinks, linearly where it grows. Dtype and range are kept."""
    shrinks = height_px * width_px < array.shape[0] * array.shape[1]
    return shrunk(array, height_px, width_px) if shrinks else enlarged(array, height_px, width_px)


def _probability(output: Floats, row: WeightsFile) -> Floats:
    """What the network put out as a probability. A map without contrast, or without numbers, has no subject."""
    if not np.isfinite(output.sum(dtype=np.float64)):  # which is fast, and `nan_to_num` is not
        output = np.nan_to_num(output, copy=False)
    if row.output is OutputKind.LOGIT:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * output)), np.float32)
    if row.output is OutputKind.RANGE:
        return stretched(output, row.least_range)
    return output
