"""The interface of engines, which run a prepared graph."""

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats

DTYPE_KEY: Final = "cutgate.dtype"
"""Under this key a prepared graph's metadata names the type of number that it computes in."""


class Engine(Protocol):
    """One loaded network. It neither survives a fork nor takes two callers at a time."""

    @property
    def name(self) -> str:
        """The library with its version, such as `onnxruntime 1.31.1`."""

    @property
    def provider(self) -> str:
        """What computes: what is active, not what was asked for, such as `CUDAExecutionProvider`."""

    @property
    def dtype(self) -> str:
        """The type of number that it computes in: `fp32`, `bf16`, `fp16` or `int8`."""

    @property
    def input_type(self) -> np.dtype[Any]:
        """The type of number that `run` wants."""

    def run(self, batch: NDArray[Any]) -> Floats:
        """Run the network.

        Args:
            batch: (1, 3, height, width) of `input_type`, one prepared picture.

        Returns:
            (1, height, width) float32: the network's output as it is.
        """


def as_maps(output: NDArray[Any]) -> Floats:
    """A network's output as (n, height, width): axes of one between the first and the last two go.

    Raises:
        ValueError: it holds more than one map for each picture.
    """
    maps = np.asarray(output, np.float32)
    shape = (maps.shape[0], *maps.shape[-2:])
    if maps.ndim < 3 or maps.size != np.prod(shape):
        raise ValueError(f"the network's output is {maps.shape}, not one map for each picture")
    return maps.reshape(shape)
