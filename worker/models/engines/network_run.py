"""A loaded engine with the row that says how to feed it: from a picture to the network's mask."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.models.engine import Engine
from cutgate.worker.models.engines.processing import Processing
from cutgate.worker.models.weights.model import WeightsFile

ONE_RUN: Final = threading.RLock()
"""Held while a network of this process runs, whichever it is: one run keeps every processor busy. Engines that are
shared, which compute elsewhere, do not take it."""


class NetworkRun:
    """An engine for any number of callers: each prepares its own picture, and local runs follow one another.

    A measurement may put another `run` in the engine's place.
    """

    def __init__(self, engine: Engine, row: WeightsFile) -> None:
        """Take a loaded engine and the row of its weights."""
        self.engine, self.row, self.run = engine, row, engine.run
        self._turn: AbstractContextManager[Any] = nullcontext() if engine.is_shared else ONE_RUN
        self.processing = Processing(row, engine.input_type)

    def __call__(self, image: RgbImage) -> ByteMask:
        """As `Segmenter.__call__`."""
        batch = self._prepared(image)
        with self._turn:
            output = self.run(batch)
        return self.processing.mask(output[0], *image.shape[:2])

    def alone(self, image: RgbImage) -> Callable[[], Floats]:
        """The engine's run on a picture that is prepared already: what a measurement of the network times."""
        batch = self._prepared(image)
        return lambda: self.engine.run(batch)

    def _prepared(self, image: RgbImage) -> NDArray[Any]:
        """(1, 3, height, width) of the network's input, at the size that it sees the picture at."""
        batch = self.processing.new_batch(*self.row.input_for(*image.shape[:2]))
        self.processing.prepare(image, batch[0])
        return batch
