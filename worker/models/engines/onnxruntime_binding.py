"""A session of ONNX Runtime with its input and output bound to buffers of its device.

Without that the library makes both anew for every run, and on a GPU waits for each copy in between.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats

SIZES_KEPT: Final = 16
"""Of batches. A network of a fixed input has fewer, one that follows the picture's size has no end of them."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """The buffers of one size of batch."""

    binding: Any
    """`onnxruntime.IOBinding`."""
    input: Any
    """`onnxruntime.OrtValue`."""
    output: Any
    """The same."""


class BoundSession:
    """Runs a session on buffers that stay, one pair for each of the last sizes of batch."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        """Take a session.

        Args:
            session: with one input and one output.
            device: `cpu` or `cuda`, whichever the session computes on; the first of its kind.
        """
        self._session, self._device = session, device
        self._input, self._output = session.get_inputs()[0].name, session.get_outputs()[0].name
        self._bound: dict[tuple[int, ...], _Bound] = {}

    def run(self, batch: NDArray[Any]) -> Floats:
        """The session's output, as float32 that the caller may keep."""
        bound = self._bound.pop(batch.shape, None)
        if bound is None:
            if len(self._bound) == SIZES_KEPT:
                del self._bound[next(iter(self._bound))]
            bound = self._bind(batch)
        else:
            bound.input.update_inplace(batch)
            self._session.run_with_iobinding(bound.binding)
        self._bound[batch.shape] = bound  # behind the others: the first one was used the longest ago
        # A copy in any case: on a CPU the array is the buffer itself, which the next run writes over.
        return np.array(bound.output.numpy(), np.float32)

    def _bind(self, batch: NDArray[Any]) -> _Bound:
        """Make the buffers of a size, by a first run that shows how large the output is."""
        binding = self._session.io_binding()
        buffer = onnxruntime.OrtValue.ortvalue_from_numpy(batch.copy(), self._device, 0)
        binding.bind_ortvalue_input(self._input, buffer)
        binding.bind_output(self._output, self._device, 0)
        self._session.run_with_iobinding(binding)
        (output,) = binding.get_outputs()
        binding.bind_ortvalue_output(self._output, output)
        return _Bound(binding, buffer, output)
