"""The array types of the maths. Heights come before widths; all sizes are in pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbImage: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) uint8: sRGB colours."""

RgbaImage: TypeAlias = NDArray[np.uint8]
"""(height, width, 4) uint8: sRGB colours and straight alpha."""

ByteMask: TypeAlias = NDArray[np.uint8]
"""(height, width) uint8: 0 is background, 255 is subject."""

FloatMask: TypeAlias = NDArray[np.float32]
"""(height, width) float32 in [0, 1]: 0 is background, 1 is subject."""

FloatImage: TypeAlias = NDArray[np.float32]
"""(height, width, 3) float32 in [0, 1]: sRGB colours."""
