"""The matting Laplacian of a picture, for the pixels that are unknown."""

from __future__ import annotations

from itertools import product
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from worker.cutout.arrays import FloatImage
from worker.cutout.filters import dilated, square

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
    pixels = np.flatnonzero(unknown)
    row_of = np.full(height * width, len(pixels), np.int32)  # the row after the last takes what is not needed
    row_of[pixels] = np.arange(len(pixels), dtype=np.int32)

    members = _flat(WINDOW, width)[:, None] + _centres(unknown)
    colours = np.ascontiguousarray(image.reshape(-1, 3).T)[:, members]
    values = _sums_by_neighbour(_affinities(colours, epsilon), row_of[members], len(pixels))
    # A neighbour beyond the picture has the value 0, for no window reaches it; its column may be any.
    columns = np.clip(pixels[:, None] + _flat(NEIGHBOURS, width), 0, height * width - 1, dtype=np.int32)
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


def _affinities(colours: Planes, epsilon: float) -> Planes:
    """(9, 9, n): how much n windows of nine colours, given as (3, 9, n), bind their pixels to each other."""
    centred = colours - colours.mean(axis=1, keepdims=True)
    pulled = _whitened(centred, epsilon)
    affinity = np.empty((9, 9, colours.shape[2]), np.float32)
    for i in range(9):
        for j in range(i, 9):
            affinity[i, j] = (1 + sum(pulled[c, i] * centred[c, j] for c in range(3))) / 9
            affinity[j, i] = affinity[i, j]
    return affinity


def _whitened(centred: Planes, epsilon: float) -> Planes:
    """Each colour times the inverse of its window's covariance, by cofactors."""
    # In float32 the inverse loses so much for a small epsilon that the solve diverges.
    exact = centred.astype(np.float64)
    red, green, blue = (
        np.stack([(exact[a] * exact[b]).sum(axis=0) / 9 + (epsilon if a == b else 0) for b in range(3)])
        for a in range(3)
    )
    cofactors = np.stack(
        [np.cross(green, blue, axis=0), np.cross(blue, red, axis=0), np.cross(red, green, axis=0)]
    )
    inverse = (cofactors / (red * cofactors[0]).sum(axis=0)).astype(np.float32)
    return np.stack([sum(inverse[c, d] * centred[d] for d in range(3)) for c in range(3)])


def _sums_by_neighbour(affinity: Planes, rows: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """(25, count): the Laplacian's values, summed over the windows that two pixels share."""
    sums = np.zeros((len(NEIGHBOURS), count + 1), np.float32)
    for (i, at), (j, to) in product(enumerate(WINDOW), repeat=2):
        neighbour = NEIGHBOURS.index((to[0] - at[0], to[1] - at[1]))
        np.add.at(sums[neighbour], rows[i], (1 if i == j else 0) - affinity[i, j])
    return sums[:, :count]
