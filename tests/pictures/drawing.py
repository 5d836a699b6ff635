"""Objects drawn with shading and texture, with the exact share of each pixel that they cover."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX: Final = 800
FINE: Final = 2
"""Drawn pixels for each pixel of the picture, on each axis."""

Floats: TypeAlias = NDArray[np.float64]
Rgb: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Canvas:
    """An object in front of nothing."""

    colours: Floats
    """(height, width, 3) in [0, 255]; they count where alpha is above 0."""
    alpha: Floats
    """(height, width) in [0, 1]."""


def _axes() -> tuple[Floats, Floats]:
    across = (np.arange(SIDE_PX * FINE) + 0.5) / (SIDE_PX * FINE)
    x, y = np.meshgrid(across, across)
    return x, y


def _texture(seed: int, cells: int, strength: float) -> Floats:
    """Smooth noise of that many cells across, (height, width, 1)."""
    grid = np.random.default_rng(seed).normal(0, strength, (cells, cells))
    side = SIDE_PX * FINE
    return cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)[..., None].astype(np.float64)


def _reduced(colours: Floats, inside: NDArray[np.bool_] | Floats) -> Canvas:
    """The drawing at the picture's size; colours are averaged over what is covered only."""
    size = (SIDE_PX, SIDE_PX)
    cover = inside.astype(np.float64)
    alpha = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    premultiplied = cv2.resize(np.clip(colours, 0, 255) * cover[..., None], size, interpolation=cv2.INTER_AREA)
    return Canvas(premultiplied / np.maximum(alpha, 1e-6)[..., None], alpha.astype(np.float64))


def _filled(shape: NDArray[np.bool_], colour: Rgb, over: Floats) -> Floats:
    return np.where(shape[..., None], np.array(colour, np.float64), over)


def mug() -> Canvas:
    """A glazed mug with a handle that one sees through, a band and a rim."""
    x, y = _axes()
    left, right, top, bottom = 0.26, 0.62, 0.3, 0.78
    across = (x - (left + right) / 2) / ((right - left) / 2)
    bow = 0.035 * np.sqrt(np.clip(1 - across**2, 0, 1))
    body = (np.abs(across) < 1) & (y > top - bow) & (y < bottom + bow)
    reach = np.hypot((x - right) / 0.15, (y - 0.53) / 0.16)
    handle = (reach < 1) & (reach > 0.66) & (x > right - 0.03)
    light = 0.35 + 0.65 * np.clip(1 - (across + 0.35) ** 2, 0, 1)
    light = np.where(handle & ~body, 0.45 + 0.5 * np.clip(1 - np.abs(reach - 0.8) / 0.2, 0, 1), light)
    colours = _filled(np.abs(y - bow - 0.54) < 0.07, (236, 226, 200), np.full((*x.shape, 3), (38.0, 96, 150)))
    colours = colours * light[..., None] + _texture(2, 220, 5)
    rim = np.hypot(across, (y - top) / 0.035)
    colours = np.where((rim < 1)[..., None], np.array([210.0, 206, 196]), colours)
    colours = np.where(
        (rim < 0.9)[..., None],
        np.array([52.0, 36, 28]) + 60 * np.clip(y - top + 0.02, 0, 1)[..., None] * 20,
        colours,
    )
    return _reduced(colours, body | handle | (rim < 1))


def bear() -> Canvas:
    """A toy bear whose outline is made of hairs."""
    side = SIDE_PX * FINE
    random = np.random.default_rng(4)
    colours = np.full((side, side, 3), 120.0)
    cover = np.zeros((side, side))
    limbs = (  # x, y, radius, brightness; later ones lie in front
        (0.37, 0.24, 0.07, 0.9), (0.63, 0.24, 0.07, 0.9), (0.5, 0.64, 0.2, 0.95), (0.3, 0.58, 0.09, 0.85),
        (0.7, 0.58, 0.09, 0.85), (0.39, 0.81, 0.1, 1.0), (0.61, 0.81, 0.1, 1.0), (0.5, 0.35, 0.17, 1.05),
        (0.5, 0.4, 0.075, 1.35),
    )  # fmt: skip
    for x, y, radius, brightness in limbs:
        _furry_disc(colours, cover, random, (x * side, y * side), radius * side, brightness)
    for x, y, radius in ((0.43, 0.31, 0.018), (0.57, 0.31, 0.018), (0.5, 0.375, 0.025)):
        centre = (round(x * side), round(y * side))
        cv2.circle(colours, centre, round(radius * side), (24, 18, 16), -1, cv2.LINE_8)
        cv2.circle(colours, (centre[0] - 8, centre[1] - 8), 6, (230, 230, 230), -1, cv2.LINE_8)
    return _reduced(colours, cover)


def _furry_disc(
    colours: Floats,
    cover: Floats,
    random: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    brightness: float,
) -> None:
    """Paint a disc and hairs over it, from its rim inwards, into both arrays."""
    middle = (round(centre[0]), round(centre[1]))
    cv2.circle(cover, middle, round(radius), 1, -1)
    cv2.circle(colours, middle, round(radius), (90, 58, 30), -1)
    count = int(radius * 26)
    angles = random.uniform(0, 2 * np.pi, count)
    starts = radius * np.sqrt(random.uniform(0, 1, count))
    for angle, start in zip(angles, np.sort(starts)[::-1], strict=True):
        bent = angle + random.normal(0, 0.25)
        length = random.uniform(14, 34)
        root = centre[0] + start * np.cos(angle), centre[1] + start * np.sin(angle)
        tip = root[0] + length * np.cos(bent), root[1] + length * np.sin(bent)
        light = brightness * (0.75 - 0.35 * np.sin(angle + 0.6) * start / radius + random.normal(0, 0.09))
        ends = (round(root[0]), round(root[1])), (round(tip[0]), round(tip[1]))
        cv2.line(colours, *ends, (176 * light, 122 * light, 70 * light), 2)
        cv2.line(cover, *ends, 1, 2)
