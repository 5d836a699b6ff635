"""What subjects are laid over: photos, textures, gradients, a studio's paper, noise, similar colours."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, RgbImage

BLUR_SHARES: Final = (0.004, 0.02)
"""Least and greatest blur of a background out of focus, in its long side."""

TEXTURES: Final = ("brick", "grass", "gravel")
"""Of scikit-image, grey."""


Backdrop: TypeAlias = Callable[[RgbImage, int, int, np.random.Generator], FloatImage]
"""From a photo and a height and width to (height, width, 3) float32, 0 to 255; what shows no photo leaves it."""


def sharp(photo: RgbImage, height_px: int, width_px: int, rng: np.random.Generator) -> FloatImage:
    """A part of the photo from a random place, mirrored in half of all cases."""
    scale = max(height_px / photo.shape[0], width_px / photo.shape[1])
    rows, columns = (
        _part(length, int(side / scale), rng)
        for length, side in ((photo.shape[0], height_px), (photo.shape[1], width_px))
    )
    part = photo[rows, columns].astype(np.float32)
    if rng.random() < 0.5:
        part = part[:, ::-1]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return _bounded(cv2.resize(part, (width_px, height_px), interpolation=way))


def blurred(photo: RgbImage, height_px: int, width_px: int, rng: np.random.Generator) -> FloatImage:
    """A part of the photo out of focus."""
    in_focus = sharp(photo, height_px, width_px, rng)
    sigma_px = float(rng.uniform(*BLUR_SHARES) * max(height_px, width_px))
    return _bounded(cv2.GaussianBlur(in_focus, (0, 0), sigma_px))


def texture(_: RgbImage, height_px: int, width_px: int, rng: np.random.Generator) -> FloatImage:
    """Bricks, grass or gravel, side by side and tinted."""
    tile = getattr(skimage.data, str(rng.choice(TEXTURES)))()
    tint = rng.uniform(0.6, 1.0, 3)
    repeats = [-(-side // length) for side, length in zip((height_px, width_px), tile.shape, strict=True)]
    return _bounded(np.tile(tile, repeats)[:height_px, :width_px, None] * tint)


def gradient(_: RgbImage, height_px: int, width_px: int, rng: np.random.Generator) -> FloatImage:
    """From one colour to a second downwards, and towards a third to the right."""
    down, across = _shares(height_px, width_px)
    first, second, third = rng.uniform(0, 255, (3, 3))
    return _bounded(first + down * (second - first) + across * (third - first) / 2)


def studio(
    levels: tuple[float, float], _: RgbImage, height_px: int, width_px: int, rng: np.random.Generator
) -> FloatImage:
    """Paper between two levels, darker towards the corners; its floor is a little darker than the wall."""
    down, across = _shares(height_px, width_px)
    level = rng.uniform(*levels)
    light = 1 - rng.uniform(0, 0.12) * ((down - 0.5) ** 2 + (across - 0.5) ** 2) * 2
    floor = 1 - rng.uniform(0, 0.06) / (1 + np.exp(-40 * (down - rng.uniform(0.6, 0.9))))
    return _bounded(level * light * floor * np.ones(3))


def noise(_: RgbImage, height_px: int, width_px: int, rng: np.random.Generator) -> FloatImage:
    """Coloured blots of a few pixels."""
    level, spread = rng.uniform(60, 200, 3), rng.uniform(10, 40)
    coarse = rng.normal(0, 1, (height_px // 4 + 1, width_px // 4 + 1, 3)).astype(np.float32)
    blots = cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return _bounded(level + spread * blots)


BY_NAME: Final[Mapping[str, Backdrop]] = {
    "photo": sharp,
    "blurred": blurred,
    "texture": texture,
    "gradient": gradient,
    "white": partial(studio, (244, 255)),
    "grey": partial(studio, (90, 200)),
    "noise": noise,
}


USUAL: Final = ("photo",) * 3 + ("blurred",) * 2 + ("texture", "gradient", "white", "grey", "noise")
"""What a subject is laid over, one picture for each entry."""

TONES: Final = (12, 60)
"""Least and greatest mean distance of a dark background from black, of a light one from white."""

SHIFTS: Final = (15, 50)
"""Least and greatest distance of a background's colour from a subject's, in levels."""
DRIFT_LEVELS: Final = 12
"""How far a gradient of similar colour goes to both sides."""

SHADOW_SHARES: Final = (0.01, 0.04)
"""Least and greatest blur of a soft shadow, in the picture's long side."""


def toned(background: FloatImage, rng: np.random.Generator, *, light: bool) -> FloatImage:
    """A background as dark, or as light, as studios use it behind light, or dark, hair."""
    away = 255 - background if light else background
    near = away * min(1.0, float(rng.uniform(*TONES) / max(1.0, away.mean())))
    return np.asarray(255 - near if light else near, np.float32)


def similar(
    colour: NDArray[np.floating[Any]], size: tuple[int, int], rng: np.random.Generator, *, even: bool
) -> FloatImage:
    """A colour near to a given one: flat, or a gradient around it."""
    shift = rng.normal(0, 0.3, 3) + rng.choice((-1, 1))
    shift *= rng.uniform(*SHIFTS) / np.abs(shift).max()
    if np.abs(np.clip(colour + shift, 0, 255) - colour).max() < SHIFTS[0]:
        shift = -shift
    down, across = _shares(*size)
    way = rng.uniform(-1, 1, 2) * (0 if even else 2 * DRIFT_LEVELS)
    return _bounded(colour + shift + way[0] * (down - 0.5) + way[1] * (across - 0.5))


def shadowed(background: FloatImage, alpha: ByteMask, rng: np.random.Generator) -> FloatImage:
    """With the soft shadow that a subject throws to one side and down."""
    long_side_px = max(alpha.shape)
    sigma_px = float(rng.uniform(*SHADOW_SHARES) * long_side_px)
    across_px, down_px = rng.uniform(-1, 1) * sigma_px, rng.uniform(0.3, 1) * sigma_px
    moved = cv2.warpAffine(alpha, np.array([[1, 0, across_px], [0, 1, down_px]], np.float32), alpha.shape[::-1])
    depth = cv2.GaussianBlur(moved, (0, 0), sigma_px).astype(np.float32) * float(rng.uniform(0.15, 0.5) / 255)
    return _bounded(background * (1 - depth[..., None]))


def _part(length_px: int, wanted_px: int, rng: np.random.Generator) -> slice:
    part_px = min(length_px, max(1, wanted_px))
    start_px = int(rng.integers(length_px - part_px + 1))
    return slice(start_px, start_px + part_px)


def _shares(height_px: int, width_px: int) -> tuple[FloatImage, FloatImage]:
    """How far down and how far to the right each pixel is, 0 to 1."""
    down, across = np.mgrid[0 : 1 : height_px * 1j, 0 : 1 : width_px * 1j].astype(np.float32)[..., None]
    return down, across


def _bounded(values: object) -> FloatImage:
    return np.clip(np.asarray(values, np.float32), 0, 255)
