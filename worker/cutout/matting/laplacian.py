"""The matting Laplacian of a picture, for the pixels that are unknown."""

from itertools import combinations_with_replacement
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cutgate.worker.cutout.raster.arrays import FloatImage
from cutgate.worker.cutout.raster.filters import dilated, square

Planes: TypeAlias = NDArray[np.float32]
"""(channels, pixels of a window, windows) float32: each plane lies together in memory."""

REACH: Final = 2
"""How far two pixels that share a 3 x 3 window lie apart at most, on each axis."""

Offsets: TypeAlias = tuple[tuple[int, int], ...]

WINDOW: Final[Offsets] = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
SPAN: Final = range(-REACH, REACH + 1)
NEIGHBOURS: Final[Offsets] = tuple((dy, dx) for dy in SPAN for dx in SPAN)


def laplacian_rows(image: FloatImage, unknown: NDArray[np.bool_], epsilon: float) -> csr_array:
    """Rows of the closed-form matting Laplacian (Levin, Lischinski and Weiss, PAMI 2008), 3 x 3 windows.

    Args:
        image: (height, width, 3) float32 in [0, 1], at least 3 px on each side.
        unknown: (height, width) bool, n of them set.
        epsilon: regularisation of the colour covariance; larger is smoother.

    Returns:
        (n, height * width) float32: a row for each unknown pixel, a column for each pixel.
    """
    height, width = unknown.shape
    pixels, centres = np.flatnonzero(unknown).astype(np.int32), _centres(unknown)
    window_at = np.full(height * width, len(centres), np.int32)  # the entry after the last stands for no window
    window_at[centres] = np.arange(len(centres), dtype=np.int32)

    members = _flat(WINDOW, width)
    colours = image.reshape(-1, 3).take((members[:, None] + centres).ravel(), axis=0)
    planes = np.ascontiguousarray(colours.T).reshape(3, len(WINDOW), len(centres))
    # No window has its centre on the border, so what is clipped finds none there either.
    holders = window_at.take(pixels - members[:, None], mode="clip")
    values = _summed(planes, holders, epsilon)
    # A neighbour beyond the picture has the value 0, for no window reaches it; its column may be any.
    columns = np.clip(pixels[:, None] + _flat(NEIGHBOURS, width), 0, height * width - 1)
    starts = np.arange(0, columns.size + 1, len(NEIGHBOURS), dtype=np.int32)
    return csr_array((values.T.ravel(), columns.ravel(), starts), (len(pixels), height * width))


def _flat(offsets: Offsets, width: int) -> NDArray[np.int32]:
    """(rows, columns) offsets as distances in the flattened picture."""
    return np.array([dy * width + dx for dy, dx in offsets], np.int32)


def _centres(unknown: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Centres of the 3 x 3 windows that lie in the picture and hold an unknown pixel."""
    near = dilated(unknown.view(np.uint8), square(3))
    near[[0, -1]] = 0
    near[:, [0, -1]] = 0
    return np.flatnonzero(near).astype(np.int32)


def _summed(colours: Planes, holders: NDArray[np.int32], epsilon: float) -> NDArray[np.float32]:
    """(25, pixels): the Laplacian's values, summed over the windows that a pixel shares with each neighbour.

    Args:
        colours: (3, 9, n) of n windows.
        holders: (9, pixels): in which window a pixel has each of the nine places; n for none.
        epsilon: regularisation.
    """
    centred = colours - colours.mean(axis=1, keepdims=True)
    pulled = _whitened(centred, epsilon)
    sums = np.zeros((len(NEIGHBOURS), holders.shape[1]), np.float32)
    value = np.zeros(colours.shape[2] + 1, np.float32)  # the last stays 0: a window that is not there
    product = value[:-1]
    for i, j in combinations_with_replacement(range(len(WINDOW)), 2):
        np.einsum("cn,cn->n", pulled[:, i], centred[:, j], out=product)
        product += 1
        product *= np.float32(-1 / len(WINDOW))
        if i == j:
            product += 1
        sums[_neighbour(i, j)] += value.take(holders[i])
        if i != j:
            sums[_neighbour(j, i)] += value.take(holders[j])
    return sums


def _neighbour(i: int, j: int) -> int:
    """Which neighbour of a window's i-th pixel its j-th pixel is."""
    (y, x), (to_y, to_x) = WINDOW[i], WINDOW[j]
    return NEIGHBOURS.index((to_y - y, to_x - x))


def _whitened(centred: Planes, epsilon: float) -> Planes:
    """Each colour times the inverse of its window's covariance, by cofactors."""
    # In float32 the inverse loses so much for a small epsilon that the solve diverges.
    exact = centred.astype(np.float64)
    rr, rg, rb, gg, gb, bb = (
        np.einsum("an,an->n", exact[c], exact[d]) / len(WINDOW) + (epsilon if c == d else 0)
        for c, d in combinations_with_replacement(range(3), 2)
    )
    cofactors = (
        gg * bb - gb * gb,
        rb * gb - rg * bb,
        rg * gb - rb * gg,
        rr * bb - rb * rb,
        rb * rg - rr * gb,
        rr * gg - rg * rg,
    )
    scale = 1 / (rr * cofactors[0] + rg * cofactors[1] + rb * cofactors[2])
    a, b, c, d, e, f = ((cofactor * scale).astype(np.float32) for cofactor in cofactors)
    red, green, blue = centred
    return np.stack(
        [
            a * red + b * green + c * blue,
            b * red + d * green + e * blue,
            c * red + e * green + f * blue,
        ]
    )
