"""Photos of any size, made from the examples."""

from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cutgate.jobs.limits import SourceLimits

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
PORTRAIT: Final = "astronaut.jpg"
LIMITS: Final = SourceLimits(max_bytes=2**30, max_pixels=10**9, max_side_px=10**6)
"""What the benchmarks read may be larger than what a service takes."""

GRAIN_LEVELS: Final = 4
JPEG_QUALITY: Final = 92


@cache
def photo(megapixels: float, name: str = PORTRAIT) -> bytes:
    """A JPEG of about so many pixels; grain stands for the detail that enlarging does not bring."""
    small = cv2.imread(str(EXAMPLES / name))
    assert small is not None
    scale = (megapixels * 1e6 / (small.shape[0] * small.shape[1])) ** 0.5
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(0)
    for row in large:  # one at a time: a whole picture of floats would be what the benchmarks then measure
        row[:] = np.clip(row + rng.normal(0, GRAIN_LEVELS, row.shape), 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()
