"""Alpha as an affine function of colour in 3 x 3 windows: the matting Laplacian, and those functions."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cutgate.worker.cutout.raster.arrays import Bytes, FloatMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import channels, dilated, square, to_unit

Planes: TypeAlias = NDArray[np.float32]
"""(channels, pixels of a window, windows) float32: each plane lies together in memory."""

Indices: TypeAlias = NDArray[np.intp]

REACH: Final = 2
"""How far two pixels that share a 3 x 3 window lie apart at most, on each axis."""

NO_VARIANCE: Final = np.float32(1e-4)
"""Alpha that varies less within a window is flat: no function of colour explains it."""

BLOCK_PIXELS: Final = 2**13
"""Unknown pixels that are worked on together: what is computed of their windows stays in the processor's cache."""

Offsets: TypeAlias = tuple[tuple[int, int], ...]

WINDOW: Final[Offsets] = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
SPAN: Final = range(-REACH, REACH + 1)
NEIGHBOURS: Final[Offsets] = tuple((dy, dx) for dy in SPAN for dx in SPAN)


def laplacian_rows(image: RgbImage, unknown: NDArray[np.bool_], epsilon: float) -> csr_array:
    """Rows of the closed-form matting Laplacian (Levin, Lischinski and Weiss, PAMI 2008), 3 x 3 windows.

    A row for each of n unknown pixels, a column for each pixel, and `margin(width)` columns of 0 on both sides:
    (n, height * width + 2 m) float32. The image is (height, width, 3), at least 3 px on each side.
    """
    height, width = unknown.shape
    pixels, blocks = _blocks(unknown)
    values = np.empty((len(pixels), len(NEIGHBOURS)), np.float32)
    planes = channels(image)
    for block, centres, holders in blocks:
        values[block] = _summed(_windows(planes, centres), holders, epsilon).T
    columns = (pixels + margin(width)).astype(np.int32)[:, None] + _flat(NEIGHBOURS, width)
    starts = np.arange(0, columns.size + 1, len(NEIGHBOURS), dtype=np.int32)
    shape = len(pixels), height * width + 2 * margin(width)
    return csr_array((values.ravel(), columns.ravel(), starts), shape)


def margin(width: int) -> int:
    """How far beyond a flattened picture the neighbours of its pixels lie at most."""
    return REACH * width + REACH


def affine_models(
    image: RgbImage, alpha: FloatMask, unknown: NDArray[np.bool_], epsilon: float
) -> tuple[Floats, Floats]:
    """The functions alpha = a I + b that fit the windows best (guided filter: He, Sun and Tang, PAMI 2013).

    a = (S + epsilon U)^-1 c and b = mean(alpha) - a mean(I), with the window's covariance S of colours, its
    covariance c of colours and alpha, and the unit matrix U. Returns a and b as (n, 4), means of the windows that
    hold each of n unknown pixels, and (n,) the share of alpha's variance that they explain (R squared).
    """
    pixels, blocks = _blocks(unknown)
    means = np.empty((len(pixels), 5), np.float32)
    planes = channels(image)
    for block, centres, holders in blocks:
        models = _fitted(_windows(planes, centres), alpha.take(_places(centres, alpha.shape[1])), epsilon)
        sums = models.take(holders[0], axis=0)
        for holder in holders[1:]:
            sums += models.take(holder, axis=0)
        means[block] = sums[:, :5] / sums[:, 5:]
    return means[:, :4], means[:, 4]


def _fitted(colours: Planes, alphas: Floats, epsilon: float) -> Floats:
    """(n + 1, 6) of n windows: a, b, what these explain, and 1; the last is 0, for no window."""
    mean_colour, mean_alpha = colours.mean(axis=1), alphas.mean(axis=0)
    basis, inverse = _factored(colours, epsilon)
    apart = alphas - mean_alpha
    seen = np.einsum("can,an->cn", basis, apart)
    slope = np.einsum("dcn,dn->cn", inverse, seen)
    models = np.zeros((len(mean_alpha) + 1, 6), np.float32)
    models[:-1, :3], models[:-1, 3] = slope.T, mean_alpha - np.einsum("cn,cn->n", slope, mean_colour)
    variance = np.einsum("an,an->n", apart, apart) + len(WINDOW) * NO_VARIANCE
    models[:-1, 4], models[:-1, 5] = np.clip(np.einsum("cn,cn->n", seen, seen) / variance, 0, 1), 1
    return models


def _blocks(unknown: NDArray[np.bool_]) -> tuple[Indices, Iterator[tuple[slice, Indices, Indices]]]:
    """The unknown pixels' places in the flattened picture, (n,); and some of them at a time, from top to bottom.

    Each block is: its slice of the n; the centres of m windows, every one that holds some of its k pixels; and
    (9, k), the window in which a pixel has each of the nine places, m for none.
    """
    pixels, centres = np.flatnonzero(unknown), _centres(unknown)
    window_at = np.full(unknown.size, len(centres), np.int32)
    window_at[centres] = np.arange(len(centres), dtype=np.int32)
    members = _flat(WINDOW, unknown.shape[1])
    reach = members[-1]

    def blocks() -> Iterator[tuple[slice, Indices, Indices]]:
        for first in range(0, len(pixels), BLOCK_PIXELS):
            block = slice(first, first + BLOCK_PIXELS)
            own = pixels[block]
            low, high = np.searchsorted(centres, [own[0] - reach, own[-1] + reach + 1])
            # No window has its centre on the border, so what is clipped finds none there either.
            holders = window_at.take(own - members[:, None], mode="clip")
            yield block, centres[low:high], np.minimum(holders - low, high - low).astype(np.intp)

    return pixels, blocks()


def _windows(planes: Sequence[Bytes], centres: Indices) -> Planes:
    """The colours in [0, 1] in the windows around some pixels, from the picture's (height, width) channels."""
    places = _places(centres, planes[0].shape[1])
    return to_unit(np.stack([plane.take(places) for plane in planes]))


def _places(centres: Indices, width: int) -> Indices:
    """(9, n): the pixels of windows, in the flattened picture."""
    return np.asarray(_flat(WINDOW, width)[:, None] + centres)


def _flat(offsets: Offsets, width: int) -> NDArray[np.int32]:
    """(rows, columns) offsets as distances in the flattened picture."""
    return np.array([dy * width + dx for dy, dx in offsets], np.int32)


def _centres(unknown: NDArray[np.bool_]) -> Indices:
    """Centres of the 3 x 3 windows that lie in the picture and hold an unknown pixel."""
    near = dilated(unknown.view(np.uint8), square(3))
    near[[0, -1]] = 0
    near[:, [0, -1]] = 0
    return np.flatnonzero(near.view(np.bool_))


def _summed(colours: Planes, holders: Indices, epsilon: float) -> NDArray[np.float32]:
    """(25, pixels): the Laplacian's values, summed over the windows that a pixel shares with each neighbour.

    `colours` are (3, 9, n) of n windows; `holders` say in which window a pixel has each of the nine places, n for
    none.
    """
    basis, _ = _factored(colours, epsilon)
    sums = np.zeros((len(NEIGHBOURS), holders.shape[1]), np.float32)
    values = np.zeros((len(WINDOW), colours.shape[2] + 1), np.float32)  # the last stays 0: no window
    value = np.empty(holders.shape[1], np.float32)
    for i, holder in enumerate(holders):
        # The diagonal is not taken from the others, although each row's sum is 0: it would lose what the solve
        # needs.
        products = values[i:, :-1]
        np.einsum("cn,cjn->jn", basis[:, i], basis[:, i:], out=products)
        products += np.float32(1 / len(WINDOW))
        np.negative(products, out=products)
        products[0] += 1
        for j in range(i, len(WINDOW)):
            sums[_neighbour(i, j)] += values[j].take(holder, out=value, mode="clip")
            if i != j:
                sums[_neighbour(j, i)] += values[j].take(holders[j], out=value, mode="clip")
    return sums


@cache
def _neighbour(i: int, j: int) -> int:
    """Which neighbour of a window's i-th pixel its j-th pixel is."""
    (y, x), (to_y, to_x) = WINDOW[i], WINDOW[j]
    return NEIGHBOURS.index((to_y - y, to_x - x))


def _factored(colours: Planes, epsilon: float) -> tuple[Planes, Planes]:
    """Windows' colours C, less their mean, as C' = Q R: an orthogonal basis that `epsilon` shortens.

    With m pixels in a window, and its covariance S = C C' / m,

        Q Q' = C' (m (S + epsilon U))^-1 C, and R^-1 R'^-1 = (m (S + epsilon U))^-1.

    They are the parts of an orthonormal basis of C' with sqrt(m epsilon) U below it, by the modified Gram-Schmidt
    process (Björck, "Solving linear least squares problems by Gram-Schmidt orthogonalization", BIT 1967). Float32
    suffices for it; to invert S with a small epsilon, it does not. Q has the shape
    of C, (3, m, n), and R^-1 (3, 3, n).
    """
    count = colours.shape[1]
    shortening = np.float32(np.sqrt(count * epsilon))
    basis = np.zeros((3, count + 3, colours.shape[2]), np.float32)
    np.subtract(colours, colours.mean(axis=1, keepdims=True), out=basis[:, :count])
    for column, vectors in enumerate(basis):
        vectors[count + column] = shortening
        for before in basis[:column]:
            vectors -= np.einsum("an,an->n", before, vectors) * before
        vectors *= 1 / np.sqrt(np.einsum("an,an->n", vectors, vectors))
    basis[:, count:] /= shortening
    return basis[:, :count], basis[:, count:]
