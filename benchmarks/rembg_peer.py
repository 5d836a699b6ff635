"""rembg, the library and the server to compare with, on the weights that Cutgate uses."""

import os
from pathlib import Path
from typing import Final

import onnxruntime

from benchmarks import Absent
from cutgate.worker.models.weights.files import Weights, ensure_weights
from cutgate.worker.models.weights.registry import find_model
from cutgate.worker.settings import NetworkSettings

ISNET: Final = "isnet-general-use"
"""Cutgate's name for IS-Net, its default model."""

MODEL: Final = "dis_custom"
"""rembg's name for an IS-Net with weights from a file."""

HOME_VARIABLE: Final = "U2NET_HOME"
"""rembg loads such a file only from below the folder that this names."""

FOREGROUND, BACKGROUND, ERODE_PX = 240, 10, 10
"""rembg's own defaults for alpha matting."""


def isnet_weights() -> Weights:
    """The weights that both sides run, IS-Net's; fetched where they are absent."""
    folder = NetworkSettings().models_dir
    model = find_model(ISNET, folder)
    assert model is not None
    return ensure_weights(model, folder)


class Rembg:
    """rembg's `remove` on one session."""

    def __init__(self, weights: Path, threads: int) -> None:
        """Load the network."""
        try:
            import rembg
        except ImportError:
            raise Absent("rembg is not installed: `pip install -r requirements/dev.txt`") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        os.environ[HOME_VARIABLE] = str(weights.parent)
        self._session = rembg.new_session(MODEL, model_path=str(weights), sess_opts=options)
        self._remove = rembg.remove

    def __call__(self, photo: bytes, *, matting: bool) -> bytes:
        """An encoded photo to a PNG with straight alpha."""
        return bytes(
            self._remove(
                photo,
                session=self._session,
                alpha_matting=matting,
                alpha_matting_foreground_threshold=FOREGROUND,
                alpha_matting_background_threshold=BACKGROUND,
                alpha_matting_erode_size=ERODE_PX,
            )
        )
