"""Alpha as an affine function of colour in 3 x 3 windows: the matting Laplacian, and those functions."""

from itertools import combinations_with_replacement
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cutgate.worker.cutout.raster.arrays import FloatImage, FloatMask, Floats
from cutgate.worker.cutout.raster.filters import dilated, square

Planes: TypeAlias = NDArray[np.float32]
"""(channels, pixels of a window, windows) float32: each plane lies together in memory."""

REACH: Final = 2
"""How far two pixels that share a 3 x 3 window lie apart at most, on each axis."""

NO_VARIANCE: Final = np.float32(1e-4)
"""Alpha that varies less within a window is flat: no function of colour explains it."""

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
    pixels, centres, holders = _around(unknown)
    planes = _windows(image, centres)
    values = _summed(planes, holders, epsilon)
    # A neighbour beyond the picture has the value 0, for no window reaches it; its column may be any.
    columns = np.clip(pixels[:, None] + _flat(NEIGHBOURS, width), 0, height * width - 1)
    starts = np.arange(0, columns.size + 1, len(NEIGHBOURS), dtype=np.int32)
    return csr_array((values.T.ravel(), columns.ravel(), starts), (len(pixels), height * width))


def affine_models(
    image: FloatImage, alpha: FloatMask, unknown: NDArray[np.bool_], epsilon: float
) -> tuple[Floats, Floats]:
    """The functions alpha = a I + b that fit the windows best (guided filter: He, Sun and Tang, PAMI 2013).

    a = (S + epsilon U)^-1 c and b = mean(alpha) - a mean(I), with the window's covariance S of colours, its
    covariance c of colours and alpha, and the unit matrix U.

    Args:
        image: (height, width, 3) float32 in [0, 1], at least 3 px on each side.
        alpha: (height, width) float32 in [0, 1].
        unknown: (height, width) bool, n of them set.
        epsilon: regularisation of the colour covariance; larger is smoother.

    Returns:
        (n, 4) float32, a and b, means of the windows that hold the pixel; (n,) float32 in [0, 1], the share of
        alpha's variance that they explain (R squared).
    """
    _, centres, holders = _around(unknown)
    colours, alphas = _windows(image, centres), _windows(alpha[..., None], centres)[0]
    mean_colour, mean_alpha = colours.mean(axis=1), alphas.mean(axis=0)
    centred, apart = colours - mean_colour[:, None], (alphas - mean_alpha) / np.float32(len(WINDOW))
    covariance = np.einsum("can,an->cn", centred, apart)
    slope = np.einsum("can,an->cn", _whitened(centred, epsilon), apart)
    variance = np.einsum("an,an->n", apart, apart) * len(WINDOW) + NO_VARIANCE
    models = np.zeros((len(centres) + 1, 6), np.float32)  # the last is the window that is not there
    models[:-1, :3], models[:-1, 3] = slope.T, mean_alpha - np.einsum("cn,cn->n", slope, mean_colour)
    models[:-1, 4], models[:-1, 5] = np.clip(np.einsum("cn,cn->n", covariance, slope) / variance, 0, 1), 1
    sums = models.take(holders[0], axis=0)
    for holder in holders[1:]:
        sums += models.take(holder, axis=0)
    means = sums[:, :5] / sums[:, 5:]
    return means[:, :4], means[:, 4]


def _around(unknown: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The unknown pixels, n; centres of the windows that hold one, m; and which windows hold each.

    Returns:
        (n,) and (m,): places in the flattened picture. (9, n): the window in which a pixel has each of the nine
        places; m for none.
    """
    pixels, centres = np.flatnonzero(unknown).astype(np.int32), _centres(unknown)
    window_at = np.full(unknown.size, len(centres), np.int32)  # the entry after the last stands for no window
    window_at[centres] = np.arange(len(centres), dtype=np.int32)
    # No window has its centre on the border, so what is clipped finds none there either.
    members = _flat(WINDOW, unknown.shape[1])
    return pixels, centres, window_at.take(pixels - members[:, None], mode="clip")


def _windows(image: Floats, centres: NDArray[np.int32]) -> Planes:
    """The pixels of a (height, width, channels) picture in the windows around some of them."""
    width, channels = image.shape[1:]
    members = (_flat(WINDOW, width)[:, None] + centres).ravel()
    values = image.reshape(-1, channels).take(members, axis=0)
    return np.ascontiguousarray(values.T).reshape(channels, len(WINDOW), len(centres))


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
    # The diagonal is not taken from the others, although each row's sum is 0: it would lose what the solve needs.
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
