"""The kinds of array that cross module borders of the worker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
"""(height, width) or (height, width, channels), 0 to 255."""
Floats = npt.NDArray[np.float32]
"""(height, width) or the shape that a network asks for."""
