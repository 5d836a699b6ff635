"""Photos of any size, made from the examples and, where they are at hand, from photos with real hair and fur."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cutgate.jobs.limits import SourceLimits

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
PORTRAIT: Final = EXAMPLES / "astronaut.jpg"
CAT: Final = EXAMPLES / "chelsea.jpg"
HAIR: Final = {1: "nat_curls_dark.jpg", 4: "demo/large_13mp.jpg", 12: "demo/large_13mp.jpg"}
"""By megapixels: dark curls and a red panda's fur, in the folder of shared photos. What is made of them is no
larger, so its detail is their own."""

LIMITS: Final = SourceLimits(max_bytes=2**30, max_pixels=10**9, max_side_px=10**6)
"""What the benchmarks read may be larger than what a service takes."""

GRAIN_LEVELS: Final = 4
JPEG_QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo at one of the sizes that goals are set for."""

    subject: str
    megapixels: float
    file: Path

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.megapixels:g} MP {self.subject}"

    @property
    def data(self) -> bytes:
        """The encoded photo."""
        return photo(self.megapixels, self.file)


def photos(shared: Path) -> list[Photo]:
    """A portrait with a narrow edge, and hair or fur, at each size; a cat where the folder lacks them."""
    chosen = []
    for megapixels, name in HAIR.items():
        chosen.append(Photo("portrait", megapixels, PORTRAIT))
        hair = Photo("curls" if megapixels == 1 else "panda", megapixels, shared / name)
        chosen.append(hair if hair.file.is_file() else Photo("cat", megapixels, CAT))
    return chosen


@cache
def photo(megapixels: float, file: Path = PORTRAIT) -> bytes:
    """A JPEG of about so many pixels; grain stands for the detail that enlarging does not bring."""
    own = cv2.imread(str(file))
    assert own is not None, file
    scale = (megapixels * 1e6 / (own.shape[0] * own.shape[1])) ** 0.5
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    picture = cv2.resize(own, None, fx=scale, fy=scale, interpolation=how)
    rng = np.random.default_rng(0)
    if scale > 1:
        for row in picture:  # one at a time: a whole picture of floats would be what the benchmarks then measure
            row[:] = np.clip(row + rng.normal(0, GRAIN_LEVELS, row.shape), 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()
