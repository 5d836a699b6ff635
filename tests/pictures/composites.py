"""Pictures whose true alpha is known, for tests of a cut-out's quality.

Each is a subject laid over a made background by `photo = alpha * foreground + (1 - alpha) * background`: drawn
objects, and a portrait with the matte that is kept in `tests/data`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.matting.foreground import unmix_colours
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from tests.pictures.drawing import Canvas, bear, mug

ROOT: Final = Path(__file__).parents[2]
NOISE_LEVELS: Final = 1.5
"""Standard deviation of the camera noise, of 255."""

Colours: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Composite:
    name: str
    photo: NDArray[np.uint8]
    """(height, width, 3) uint8 RGB."""
    alpha: NDArray[np.float64]
    """(height, width) float64 in [0, 1]."""
    foreground: NDArray[np.uint8]
    """(height, width, 3) uint8 RGB: the subject's own colours; they count where alpha is above 0."""

    def coarse_mask(self, blur_px: float = 4) -> NDArray[np.float32]:
        """What a network gives at best: the true alpha out of focus, (height, width) float32 in [0, 1]."""
        blurred = cv2.GaussianBlur(self.alpha, (0, 0), blur_px, borderType=cv2.BORDER_REPLICATE)
        return np.clip(blurred, 0, 1).astype(np.float32)


def background(
    height: int, width: int, seed: int, wall: tuple[int, int, int], floor: tuple[int, int, int]
) -> Colours:
    """A wall above a floor, out of focus, with texture of several sizes: (height, width, 3) in [0, 255]."""
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None, None]
    scene = np.where(rows < 0.62, np.array(wall) * (1.1 - 0.4 * rows), np.array(floor) * (0.5 + 0.6 * rows))
    scene = np.broadcast_to(scene, (height, width, 3)).copy()
    for cells, strength in ((3, 30), (9, 18), (40, 6)):
        grid = random.normal(0, strength, (cells, cells, 3)) * 0.3 + random.normal(0, strength, (cells, cells, 1))
        scene += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(cv2.GaussianBlur(scene, (0, 0), height / 90), 0, 255)


def composited(
    name: str, foreground: Colours, alpha: NDArray[np.float64], behind: Colours, seed: int
) -> Composite:
    """The composite of a foreground (height, width, 3) in [0, 255] with a background of the same size."""
    mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * behind
    noise = np.random.default_rng(seed).normal(0, NOISE_LEVELS, mixed.shape)
    photo, own = (np.clip(np.rint(a), 0, 255).astype(np.uint8) for a in (mixed + noise, foreground))
    return Composite(name, photo, alpha, own)


def drawn(
    name: str, canvas: Canvas, seed: int, wall: tuple[int, int, int], floor: tuple[int, int, int]
) -> Composite:
    height, width = canvas.alpha.shape
    return composited(name, canvas.colours, canvas.alpha, background(height, width, seed, wall, floor), seed)


def with_own_colours(photo: RgbImage, alpha: ByteMask) -> RgbImage:
    """The photo with the subject's own colours where alpha is soft."""
    cutout = np.dstack([photo, alpha])
    unmix_colours(cutout, photo, alpha)
    return np.ascontiguousarray(cutout[..., :3])


def portrait() -> Composite:
    """The astronaut of `examples/` in another room, by the matte in `tests/data`."""
    bgr = cv2.imread(str(ROOT / "examples" / "astronaut.jpg"))
    matte = cv2.imread(str(ROOT / "tests" / "data" / "astronaut_matte.png"), cv2.IMREAD_GRAYSCALE)
    assert bgr is not None
    assert matte is not None
    levels = matte.astype(np.uint8)
    own = with_own_colours(np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8), levels)
    height, width = levels.shape
    behind = background(height, width, 5, (96, 122, 118), (140, 116, 88))
    return composited("portrait", own.astype(np.float64), levels / 255, behind, 5)


_MAKERS: Final[Mapping[str, Callable[[], Composite]]] = {
    "mug": lambda: drawn("mug", mug(), 2, (176, 160, 140), (92, 74, 60)),
    "bear": lambda: drawn("bear", bear(), 4, (120, 150, 130), (170, 160, 150)),
    "portrait": portrait,
}
COMPOSITES: Final = tuple(_MAKERS)
"""Their names."""


@cache
def named(name: str) -> Composite:
    """One of the composites; it is drawn when it is first asked for."""
    return _MAKERS[name]()
