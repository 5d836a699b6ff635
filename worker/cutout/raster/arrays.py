"""The array types of the maths. Heights come before widths; all sizes are in pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
"""uint8 of any shape."""

Samples: TypeAlias = NDArray[np.uint16]
"""uint16 of any shape: levels of a picture of 16 bits per channel."""

Levels: TypeAlias = Bytes | Samples
"""Levels of either depth; the highest one of the type is full."""

Floats: TypeAlias = NDArray[np.float32]
"""float32 of any shape."""

RgbImage: TypeAlias = Bytes
"""(height, width, 3) uint8: sRGB colours."""

RgbaImage: TypeAlias = Bytes
"""(height, width, 4) uint8: sRGB colours and straight alpha."""

ByteMask: TypeAlias = Bytes
"""(height, width) uint8: 0 is background, 255 is subject."""

FloatMask: TypeAlias = Floats
"""(height, width) float32 in [0, 1]: 0 is background, 1 is subject."""

FloatImage: TypeAlias = Floats
"""(height, width, 3) float32 in [0, 1]: sRGB colours."""
