"""One engine for many threads: each prepares its own picture, and their runs are shared."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.models.engine import Engine
from cutgate.worker.models.engines.batching import Batcher, Fill, Slots
from cutgate.worker.models.engines.processing import Processing, resize
from cutgate.worker.models.errors import BatchesRefused
from cutgate.worker.models.weights.model import WeightsFile

_GREYS: Final = (0, 255)
"""Pictures to try a network with, as different as can be."""
_REMEDY: Final = "set CUTGATE_PICTURES_PER_RUN=1"
_LEVEL_TOLERANCE: Final = 0.02
_SPREAD_TOLERANCE: Final = 0.05
"""What a map may change by beside others: so much, and so much of what lies between its extremes. Libraries choose
other ways of computing for other sizes, with other rounding; half precision shows it."""


class NetworkRun:
    """An engine with the row that says how to feed it, for any number of callers at a time.

    Attributes:
        engine: runs the network.
        row: of its weights.
        processing: makes its input and reads its output.
        batcher: shares its runs, and counts them.
        sizes: how many pictures a run may take.
    """

    def __init__(
        self, engine: Engine, row: WeightsFile, *, sizes: Sequence[int] = (1,), wait_seconds: float = 0.0
    ) -> None:
        """Prepare it.

        Args:
            engine: of a graph that takes as many pictures as the largest size.
            row: of its weights.
            sizes: as for `Batcher`; by default one picture at a time.
            wait_seconds: as for `Batcher`.
        """
        self.engine = engine
        self.processing = Processing(row, engine.input_type)
        self.sizes = tuple(sizes)
        self.row = row
        self.batcher = Batcher(engine.run, self.processing.new_batch, sizes=sizes, wait_seconds=wait_seconds)

    def __call__(self, image: RgbImage, trimap: ByteMask | None = None) -> ByteMask:
        """As `Segmenter.__call__`, and of a second stage as `Refine`.

        Pictures that the network sees at one size share its runs.
        """
        height_px, width_px = image.shape[:2]
        size_px = self.row.size_for(height_px, width_px)

        def prepare() -> Fill:
            # A large picture takes a while to shrink, and nobody's slot should wait for it.
            small = resize(image, *size_px)
            if trimap is not None:
                small = np.dstack([small, resize(trimap, *size_px)])

            def fill(slot: Slots) -> None:
                self.processing.prepare(small, slot)

            return fill

        return self.processing.mask(self.batcher(prepare, *size_px), height_px, width_px)

    def alone(self, image: RgbImage) -> Callable[[], Floats]:
        """The engine's run on one picture, which is prepared already: what a measurement of the network times."""
        batch = self.processing.new_batch(1, *self.row.size_for(*image.shape[:2]))
        self.processing.prepare(image, batch[0])
        return lambda: self.engine.run(batch)

    def warm_up(self) -> None:
        """Run every size of batch once, and see that no picture changes what comes of its neighbour.

        Raises:
            BatchesRefused: the network cannot be run on batches, or mixes their pictures.
        """
        try:
            alone = np.stack([self._levels(1, level)[0] for level in _GREYS])
            batches = [self._levels(size, *_GREYS) for size in self.sizes]
        except Exception as error:  # every error class of an engine is its own
            raise BatchesRefused(f"batches of pictures cannot be run: {error}; {_REMEDY}") from error
        tolerance = _LEVEL_TOLERANCE + _SPREAD_TOLERANCE * float(np.ptp(alone))
        for maps in batches:
            expected = alone[np.arange(len(maps)) % len(_GREYS)]
            if np.abs(maps - expected).max() > tolerance:
                raise BatchesRefused(f"the network mixes the pictures of a batch; {_REMEDY}")

    def _levels(self, size: int, *levels: int) -> Floats:
        """What comes of pictures of one grey level each, which take turns."""
        batch = self.processing.new_batch(size, *self.row.input_px)
        for place in range(size):
            grey = np.full((*self.row.input_px, self.processing.channels), levels[place % len(levels)], np.uint8)
            self.processing.prepare(grey, batch[place])
        return self.engine.run(batch)
