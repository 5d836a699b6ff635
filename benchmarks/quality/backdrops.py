"""What subjects are laid over: photos, sharp and blurred, textures, gradients, a studio's paper, noise."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

import cv2
import numpy as np
import skimage.data

from cutgate.worker.cutout.raster.arrays import FloatImage, RgbImage

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
