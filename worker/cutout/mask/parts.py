"""The part of a picture that a stroke touches: a graph cut around it.

The nodes are superpixels, patches of one colour that end where the mask does. One changes sides with the stroke
where it is near to it through like colours (Bai and Sapiro, "Geodesic Matting", IJCV 2009), and where its colour
is likelier there than elsewhere on its side; the cut runs along edges of colour (Boykov and Jolly, "Interactive
Graph Cuts", ICCV 2001).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import dilated, resize_nearest, shrink_to_fit, square

SIDE_PX: Final = 320
"""Long side that parts are sought at."""

SUPERPIXEL_PX: Final = 8
"""Distance of the superpixels' seeds from each other."""

REACH: Final = 25.0
"""How far beyond a stroke its part goes, in radii of the brush: a finer brush is for smaller parts."""

SOFT_EDGE_PX: Final = 5
"""Side of the square around a part's pixels, at `SIDE_PX`, that its soft edge goes with."""

STEP: Final = 2.0
"""What a step from one superpixel to the next counts beside their difference of colour, in levels of CIELAB."""

NEAR: Final = 150.0
"""Geodesic distance, in the same levels, up to which the mask is doubted most: at it by 1 - 1/e."""

COLOUR_LEVELS: Final = 8.0
"""Standard deviation of the kernel that densities of colours are estimated with."""

LEAST_DENSITY: Final = 1e-4
"""Added to each density: what no side has seen tells nothing."""

COLOUR_WEIGHT: Final = 1.0
MASK_WEIGHT: Final = 4.0
STAY_WEIGHT: Final = 0.6
EDGE_WEIGHT: Final = 8.0
"""What counts for a superpixel's change: the logarithm of how much likelier its colour is near the stroke; against
it: how sure the mask is, far from the stroke, and that it stays as it is. And what a side of a superpixel counts
that the cut runs through."""

EDGE_LEVELS: Final = 20.0
"""Difference of colour from which on a cut costs little."""

REFERENCES: Final = 256
"""So many colours are enough to estimate a density."""

CAPACITY: Final = 1000
MOST_CAPACITY: Final = 2**30
"""Of the flow's network, which counts in whole numbers, for a weight of 1; and of what may not be cut."""

Zone = NDArray[np.bool_]
Nodes = NDArray[np.int32]


def part_touched(mask: ByteMask, picture: RgbImage, brush: Zone, against: Zone, level: int) -> Zone:
    """What changes sides with a stroke: what is under it, and the part that it touches there.

    Args:
        mask: (height, width) uint8, as it is before the stroke.
        picture: (height, width, 3) uint8.
        brush: (height, width), where the stroke is.
        against: where strokes of the other kind were: what is nearer to these does not change.
        level: 255 where the stroke keeps, 0 where it removes.

    Returns:
        (height, width) bool.
    """
    small, seen = shrink_to_fit(picture, SIDE_PX), shrink_to_fit(mask, SIDE_PX)
    stroke, barrier = (resize_nearest(each.view(np.uint8), *seen.shape) > 0 for each in (brush, against))
    other = (seen < LIKELY) if level else (seen >= LIKELY)
    if not (stroke & other).any():
        return brush
    graph = Superpixels.of(small, seen, other)
    changed = graph.changed_by(stroke & other, barrier & ~stroke)
    _, labels = cv2.connectedComponents((changed & other | stroke).view(np.uint8))
    part = np.isin(labels, labels[stroke])
    # With the soft edge that the mask has around it, on the side that stays.
    part |= (dilated(part.view(np.uint8), square(SOFT_EDGE_PX)) > 0) & ~other
    return (resize_nearest(part.view(np.uint8), *mask.shape) > 0) | brush


@dataclass(frozen=True, eq=False)
class Superpixels:
    """The superpixels of a picture, numbered from 0, and the pairs of them that lie side by side."""

    labels: NDArray[np.int32]
    """(rows, columns): the superpixel of each pixel."""
    may_change: Zone
    """(superpixels,): which lie on the side that may change."""
    sureness: Floats
    """(superpixels,): how sure the mask is of their side, 0 to 1."""
    colours: Floats
    """(superpixels, 3): their mean colours in CIELAB, of 8 bits a channel."""
    pairs: Nodes
    """(pairs, 2), of those that may change alone."""
    lengths_px: Floats
    """(pairs,): how long the border between two is."""

    @classmethod
    def of(cls, image: RgbImage, mask: ByteMask, other: Zone) -> Self:
        """Split a picture; no superpixel lies on both sides of its mask."""
        numbers = np.unique(2 * _watershed(image) + other, return_inverse=True)[1]
        labels: NDArray[np.int32] = numbers.reshape(other.shape).astype(np.int32)
        areas_px = np.bincount(labels.ravel())
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        *colours, levels, may_change = (
            np.bincount(labels.ravel(), each.ravel()) / areas_px for each in (*cv2.split(lab), mask, other)
        )
        pairs, lengths_px = _borders(np.where(other, labels, -1))
        return cls(
            labels,
            may_change > 0,
            np.abs(levels / 127.5 - 1).astype(np.float32),
            np.stack(colours, axis=1).astype(np.float32),
            pairs,
            lengths_px,
        )

    @cached_property
    def areas(self) -> Floats:
        """(superpixels,): how large they are, of a usual one."""
        return np.asarray(np.bincount(self.labels.ravel()) / SUPERPIXEL_PX**2, np.float32)

    @cached_property
    def differences(self) -> Floats:
        """(pairs,): how far the colours of two are from each other."""
        first, second = self.pairs.T
        return np.asarray(np.linalg.norm(self.colours[first] - self.colours[second], axis=1))

    def changed_by(self, stroke: Zone, barrier: Zone) -> Zone:
        """(rows, columns): what changes sides, connected with the stroke or not."""
        seeds, rivals = (np.unique(self.labels[zone]) for zone in (stroke, barrier))
        rivals = np.setdiff1d(rivals[self.may_change[rivals]], seeds)
        distances = self._distances(seeds)
        nearness = np.exp(-np.square(distances / NEAR) - np.square(self._reach(stroke)))
        if rivals.size:
            nearness[self._distances(rivals) < distances] = 0
        weights = COLOUR_WEIGHT * self._likelier(nearness, seeds, rivals) - STAY_WEIGHT
        weights = (weights - MASK_WEIGHT * self.sureness * (1 - nearness)) * self.areas
        weights[seeds], weights[rivals] = np.inf, -np.inf
        return np.asarray(self._cut(weights)[self.labels])

    def _reach(self, stroke: Zone) -> Floats:
        """(superpixels,): the distance from the stroke over that which it reaches."""
        radius_px = float(cv2.distanceTransform(stroke.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())
        away_px = cv2.distanceTransform((~stroke).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        sums = np.bincount(self.labels.ravel(), away_px.ravel()) / (self.areas * SUPERPIXEL_PX**2)
        return np.asarray(sums / (REACH * radius_px), np.float32)

    def _distances(self, sources: Nodes) -> Floats:
        """(superpixels,): geodesic distance from the nearest of some, infinite where there is no way."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        count = len(self.colours)
        graph = csr_array((STEP + self.differences, self.pairs.T), shape=(count, count))
        found = dijkstra(graph, directed=False, indices=sources, min_only=True)
        return np.asarray(found, np.float32)

    def _likelier(self, nearness: Floats, seeds: Nodes, rivals: Nodes) -> Floats:
        """(superpixels,): logarithm of how much likelier each colour is near the stroke than elsewhere."""
        near, far = (self.areas * self.may_change * share for share in (nearness, 1 - nearness))
        near[seeds], far[rivals] = 4 * self.areas[seeds], 4 * self.areas[rivals]
        here, there = (self._density(weights) + LEAST_DENSITY for weights in (near, far))
        return np.asarray(np.log(here / there), np.float32)

    def _density(self, weights: Floats) -> Floats:
        """(superpixels,): the density of each one's colour among weighted ones."""
        known = np.flatnonzero(weights > LEAST_DENSITY)
        known = known[:: 1 + len(known) // REFERENCES]
        squares = np.square(self.colours).sum(axis=1)
        apart = squares[:, None] + squares[known] - 2 * self.colours @ self.colours[known].T
        kernel = np.exp(apart / np.float32(-2 * COLOUR_LEVELS**2))
        return np.asarray(kernel @ weights[known] / max(float(weights[known].sum()), LEAST_DENSITY), np.float32)

    def _cut(self, weights: Floats) -> Zone:
        """(superpixels,): which change, where that is worth `weights` and a border costs what it is no edge."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        count, (first, second) = len(weights), self.pairs.T
        cost = EDGE_WEIGHT * self.lengths_px / SUPERPIXEL_PX * np.exp(-np.square(self.differences / EDGE_LEVELS))
        nodes, source, sink = np.arange(count), np.full(count, count), np.full(count, count + 1)
        ends = np.concatenate([first, second, source, nodes]), np.concatenate([second, first, nodes, sink])
        capacity = np.concatenate([cost, cost, np.maximum(weights, 0), np.maximum(-weights, 0)]) * CAPACITY
        network = csr_array(
            (np.minimum(capacity, MOST_CAPACITY).astype(np.int32), ends), shape=(count + 2, count + 2)
        )
        left = network - maximum_flow(network, count, count + 1).flow
        left.data = np.maximum(left.data, 0)
        left.eliminate_zeros()
        changed = np.zeros(count + 2, np.bool_)
        changed[breadth_first_order(left, count, return_predecessors=False)] = True
        return changed[:count] & self.may_change


def _watershed(image: RgbImage) -> NDArray[np.int32]:
    """(rows, columns): a number for each superpixel, of seeds in a grid."""
    seeds = np.zeros(image.shape[:2], np.int32)
    grid = seeds[SUPERPIXEL_PX // 2 :: SUPERPIXEL_PX, SUPERPIXEL_PX // 2 :: SUPERPIXEL_PX]
    grid[:] = 1 + np.arange(grid.size).reshape(grid.shape)
    # OpenCV takes the outermost pixels for borders.
    framed = cv2.copyMakeBorder(cv2.GaussianBlur(image, (0, 0), 0.8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    found = cv2.watershed(framed, cv2.copyMakeBorder(seeds, 1, 1, 1, 1, cv2.BORDER_CONSTANT))[1:-1, 1:-1]
    nearest = cv2.dilate(found.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
    return np.where(found > 0, found, nearest)  # a border is its neighbour's


def _borders(labels: NDArray[np.int32]) -> tuple[Nodes, Floats]:
    """Pairs of labels from 0 on that lie side by side, (pairs, 2), and over how many pixels, (pairs,)."""
    beside = (labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])
    pairs = np.concatenate([np.stack([one.ravel(), other.ravel()], axis=1) for one, other in beside])
    pairs = np.sort(pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs.min(axis=1) >= 0)], axis=1)
    found, lengths_px = np.unique(pairs, axis=0, return_counts=True)
    return found.astype(np.int32), lengths_px.astype(np.float32)
