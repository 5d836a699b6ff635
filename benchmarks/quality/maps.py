"""A network's maps, kept in a folder: cutting the same picture out again takes no run of the network."""

import hashlib
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.job import holder_of_run
from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engine import Engine
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import Segmenter

_FULL: Final = 65535
_COMPRESSION: Final = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class KeptRuns:
    """An engine whose outputs are kept by the digest of their input.

    They are rounded to 16 bits of 0 to 1, so the network's output has to be a probability, as IS-Net's is.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, batch: NDArray[Any]) -> Floats:
        """As `Engine.run`; one picture at a time."""
        return np.stack([self._run_one(picture) for picture in batch])

    def _run_one(self, picture: NDArray[Any]) -> Floats:
        file = self._folder / f"{hashlib.sha256(picture.tobytes()).hexdigest()[:32]}.png"
        if not file.is_file():
            levels = np.rint(np.clip(self._engine.run(picture[None])[0], 0, 1) * _FULL).astype(np.uint16)
            write_whole(file, cv2.imencode(".png", levels, _COMPRESSION)[1].tobytes())
        return np.asarray(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), np.float32) / np.float32(_FULL)


def keep_maps(segmenter: Segmenter, folder: Path) -> Segmenter:
    """Let a segmenter take maps from a folder; those of other models, engines and types of number lie apart."""
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with CUTGATE_MODEL"
    place = folder / "-".join((segmenter.model, *segmenter.engine.split(), segmenter.dtype))
    holder, name = holder_of_run(network)
    setattr(holder, name, KeptRuns(network.engine, place).run)
    return segmenter
