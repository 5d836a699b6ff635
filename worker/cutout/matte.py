"""Alpha from a soft mask: estimated from colour in the unknown band, or the mask itself made crisper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array
from scipy.sparse.linalg import LinearOperator, cg

from worker.cutout.arrays import ByteMask, FloatImage, FloatMask, RgbImage
from worker.cutout.filters import (
    disc,
    enlarged,
    looked_up,
    shrunk,
    softened,
    to_unit,
    top_hat,
    weighted_levels,
)
from worker.cutout.geometry import fitted
from worker.cutout.laplacian import NEIGHBOURS, laplacian_rows
from worker.cutout.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Thresholds

MIN_SIDE_PX: Final = 3
"""Below this no window of colours fits into the picture."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of the solver: the picture's long side, and the most steps taken there."""

    long_side_px: int
    steps: int


LEVELS: Final = (Level(50, 100), Level(100, 60), Level(200, 40), Level(400, 20), Level(800, 15))
"""From coarse to fine: the coarse ones carry alpha across parts that the mask is unsure of, the fine ones follow
the contour."""

EPSILON: Final = 1e-7
"""Regularisation of the colour covariance: small, so that fine differences of colour count."""

TRUST: Final = 1e-4
TRUST_WHERE_SURE: Final = 1e-2
"""How strongly the solution is drawn to the mask, everywhere and where the mask is near 0 or 1."""

TRUST_WHERE_THIN: Final = 5e-2
"""The same for spokes and whiskers that the mask found: their colours are too mixed to be told apart."""

THIN_PX: Final = 7
"""What is narrower than this at the finest level is thin."""

TOLERANCE: Final = 1e-4
HAZE: Final = 0.05
"""Alpha below this share, and above its complement, is taken for the solver's noise and cut off."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What is given at one resolution."""

    image: FloatImage
    mask: FloatMask
    known: FloatMask
    """1 where the trimap rather knows the subject, else 0; it counts outside `unknown`."""
    unknown: NDArray[np.bool_]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.mask.shape
        return height, width

    @classmethod
    def reduced(cls, image: RgbImage, mask: ByteMask, trimap: ByteMask, long_side_px: int) -> Layer:
        """The arrays made to fit a long side."""
        size = _working_size(mask, long_side_px)
        small_trimap = shrunk(trimap, *size)
        return cls(
            to_unit(shrunk(image, *size)),
            to_unit(shrunk(mask, *size)),
            (small_trimap >= UNKNOWN).astype(np.float32),
            (small_trimap > BACKGROUND) & (small_trimap < FOREGROUND),
        )


def refine(image: RgbImage, mask: ByteMask, trimap: ByteMask) -> ByteMask:
    """Estimate alpha in the unknown band: closed-form matting, from coarse to fine.

    Each level starts from its own mask plus the change that the coarser one made, not from the coarser one's
    result: the mask's fine detail, which a coarse level cannot hold, stays.

    Args:
        image: (height, width, 3) uint8, at least `MIN_SIDE_PX` on each side.
        mask: (height, width) uint8.
        trimap: (height, width) uint8 of the trimap's three values.

    Returns:
        (height, width) uint8.
    """
    finest = _working_size(mask, LEVELS[-1].long_side_px)
    given = shrunk(image, *finest), shrunk(mask, *finest), shrunk(trimap, *finest)
    change: FloatMask = np.zeros((1, 1), np.float32)
    for level in LEVELS:
        layer = Layer.reduced(*given, level.long_side_px)
        start = np.clip(layer.mask + enlarged(change, *layer.size), np.float32(0), np.float32(1))
        start = np.where(layer.unknown, start, layer.known)
        change = _solve(layer, start, level.steps) - layer.mask
        if max(mask.shape) <= level.long_side_px:
            break
    gain = 255 / (1 - 2 * HAZE)
    height, width = mask.shape
    return weighted_levels(to_unit(mask), gain, enlarged(change, height, width), gain, -HAZE * gain)


def _working_size(mask: FloatMask | ByteMask, long_side_px: int) -> tuple[int, int]:
    """(height, width) that the solver can work at."""
    height, width = mask.shape
    height, width = fitted(height, width, long_side_px)
    return max(MIN_SIDE_PX, height), max(MIN_SIDE_PX, width)


def _solve(layer: Layer, start: FloatMask, steps: int) -> FloatMask:
    """Minimise a'La + (a − m)'W(a − m) over the unknown pixels by conjugate gradients from `start`."""
    pixels = np.flatnonzero(layer.unknown)
    if not pixels.size:
        return start
    laplacian = laplacian_rows(layer.image, layer.unknown, EPSILON)
    guide = layer.mask.ravel()[pixels]
    sure, thin = (2 * guide - 1) ** 2, _thinness(layer.mask).ravel()[pixels]
    trust = (TRUST + TRUST_WHERE_SURE * sure + TRUST_WHERE_THIN * thin).astype(np.float32)
    field = np.zeros(start.size, np.float32)

    def system(values: NDArray[np.float32]) -> NDArray[np.float32]:
        field[pixels] = values
        product: NDArray[np.float32] = laplacian @ field + trust * values
        return product

    known = np.where(layer.unknown, np.float32(0), start).ravel()
    diagonal = laplacian.data[len(NEIGHBOURS) // 2 :: len(NEIGHBOURS)] + trust
    size = (len(pixels), len(pixels))
    solution, _ = cg(
        LinearOperator(size, matvec=system, dtype=np.float32),
        trust * guide - laplacian @ known,
        start.ravel()[pixels],
        rtol=TOLERANCE,
        maxiter=steps,
        M=diags_array(1 / np.maximum(diagonal, 1e-6)),
    )
    alpha = start.copy()
    alpha.ravel()[pixels] = np.clip(solution, 0, 1)
    return alpha


def _thinness(mask: FloatMask) -> FloatMask:
    """0 to 1: how surely the mask shows a thin part of the subject at each pixel (white top-hat)."""
    side_px = max(3, THIN_PX * max(mask.shape) // LEVELS[-1].long_side_px | 1)
    thinness: FloatMask = np.maximum(2 * top_hat(mask, disc(side_px)) - 1, np.float32(0))
    return thinness


def remap(mask: ByteMask, thresholds: Thresholds, erode_px: int) -> ByteMask:
    """Alpha without matting: the mask stretched between the thresholds and softened a little.

    Args:
        mask: (height, width) uint8.
        thresholds: at or below `background` alpha is 0, at or above `foreground` 255; a step where they are
            equal.
        erode_px: side of the erosion's square; the blur grows with it and reaches less than half as far.

    Returns:
        (height, width) uint8.
    """
    span = max(1, thresholds.foreground - thresholds.background)
    stretched = (np.arange(256) - thresholds.background) * (255 / span)
    alpha = looked_up(mask, np.clip(np.rint(stretched), 0, 255).astype(np.uint8))
    reach_px = (erode_px - 1) // 2
    return softened(alpha, reach_px) if reach_px > 0 else alpha
