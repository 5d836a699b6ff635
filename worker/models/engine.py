"""The interface of engines, which run a prepared graph."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats

DTYPE_KEY: Final = "cutgate.dtype"
"""Under this key a prepared graph's metadata names the type of number that it computes in."""

_SECONDS_LEFT: Final = ContextVar[Callable[[], float]]("seconds_left", default=lambda: math.inf)


@contextmanager
def until(left: Callable[[], float]) -> Iterator[None]:
    """Have engines know, within a block, how many seconds are left for the picture."""
    token = _SECONDS_LEFT.set(left)
    try:
        yield
    finally:
        _SECONDS_LEFT.reset(token)


def seconds_left() -> float:
    """Seconds until the deadline of the picture that this thread works on; infinity without one."""
    return _SECONDS_LEFT.get()()


class Engine(Protocol):
    """One loaded network. It does not survive a fork."""

    name: str
    """The library with its version, such as `onnxruntime 1.31.1`."""
    provider: str
    """What computes: what is active, not what was asked for, such as `CUDAExecutionProvider`."""
    dtype: str
    """The type of number that it computes in: `fp32`, `bf16`, `fp16` or `int8`."""
    is_shared: bool
    """Whether several threads may run it at a time, and gain by it."""
    input_type: np.dtype[Any]
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

    8-bit levels become 0 to 1.

    Raises:
        ValueError: it holds more than one map for each picture.
    """
    maps = np.asarray(output, np.float32)
    shape = (maps.shape[0], *maps.shape[-2:])
    if maps.ndim < 3 or maps.size != np.prod(shape):
        raise ValueError(f"the network's output is {maps.shape}, not one map for each picture")
    if output.dtype == np.uint8:
        maps = maps / np.float32(255)
    return maps.reshape(shape)
