"""Specks beside the subject and pinholes in it: what a map shows and no subject has.

Parts are judged on a small copy of the map, so that a picture of any size costs the same, and against the
subject: lengths by the square root of its area, areas by that area. Kept are parts of some size (a second person,
a shoe), sure ones down to a bubble, everything that lies near (strands, drops, a hand on a rope), and holes that
the network is sure of (between arm and body, a handle, spokes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster import levels
from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.cutout.raster.filters import dilated, disc, reduced

MEASURED_SIDE_PX: Final = 400

SOLID_LEVEL: Final = 240
CLEAR_LEVEL: Final = 64
"""A hole that gets darker than this is one that the network is sure of."""

FAR: Final = 0.25
"""Parts within this distance of the subject are its own."""
SPECK_AREA: Final = 0.002
FAINT_AREA: Final = 0.02
"""Of a speck that is nowhere likely to be subject."""
SPECK_RIM_PX: Final = 3
"""What goes with a speck on each side: its halo below the level that is seen."""

DEPTH: Final = 0.05
"""Gaps in hair lie nearer than this to the outline, pinholes deeper."""
PINHOLE_AREA: Final = 0.02
PINHOLE_RIM_PX: Final = 1

Flags: TypeAlias = NDArray[np.bool_]


def clean_parts(mask: ByteMask) -> ByteMask:
    """The map without specks and pinholes.

    Args:
        mask: (height, width) uint8.

    Returns:
        (height, width) uint8; `mask` itself where there is nothing to clean.
    """
    small = reduced(mask, MEASURED_SIDE_PX)
    specks, pinholes = find_specks(small), find_pinholes(small)
    if specks.any():
        mask = mask & ~_spread(specks, SPECK_RIM_PX, mask)
    if pinholes.any():
        mask = mask | _spread(pinholes, PINHOLE_RIM_PX, mask)
    return mask


def find_specks(mask: ByteMask) -> Flags:
    """Where a (height, width) uint8 map shows small parts far from the subject: (height, width) bool."""
    parts = _Parts.of(mask >= levels.SEEN)
    largest = parts.areas.max(initial=0)
    small = parts.areas < FAINT_AREA * largest
    small &= (parts.areas < SPECK_AREA * largest) | (parts.greatest(mask, small) < levels.LIKELY)
    if not small.any():
        return parts.pixels(small)
    away = _distance_from(parts.pixels(parts.areas >= FAINT_AREA * largest))
    return parts.pixels(small & (parts.least(away, small) > FAR * np.sqrt(largest)))


def find_islands(mask: ByteMask, area: float) -> Flags:
    """Where a (height, width) uint8 map shows parts smaller than a share of the largest: (height, width) bool."""
    parts = _Parts.of(mask >= levels.SEEN)
    return parts.pixels(parts.areas < area * parts.areas.max(initial=0))


def find_pinholes(mask: ByteMask) -> Flags:
    """Where a (height, width) uint8 map doubts the inside of the subject: (height, width) bool."""
    area = np.count_nonzero(mask >= levels.LIKELY)
    gaps = _Parts.of(mask < SOLID_LEVEL)
    shallow = ~gaps.at_the_frame & (gaps.areas <= PINHOLE_AREA * area)
    shallow &= gaps.least(mask, shallow) >= CLEAR_LEVEL
    if shallow.all() or not shallow.any():
        return gaps.pixels(shallow)
    depth = _distance_from(gaps.pixels(~shallow))
    return gaps.pixels(shallow & (gaps.least(depth, shallow) > DEPTH * np.sqrt(area)))


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The connected parts of a plane. What is told of them is (count,) and in one order."""

    labels: NDArray[np.int32]
    """(height, width): 0 is no part, then they count from 1."""
    areas: NDArray[np.int32]
    """Pixels of each."""
    at_the_frame: Flags
    """Whether it reaches the plane's edge."""

    @classmethod
    def of(cls, plane: Flags) -> _Parts:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(plane.view(np.uint8), ltype=cv2.CV_32S)
        left, top, width, height, areas = stats[1:].T
        rows, columns = plane.shape
        ends = (left == 0) | (top == 0) | (left + width == columns) | (top + height == rows)
        return cls(np.asarray(labels, np.int32), areas, ends)

    def pixels(self, chosen: Flags) -> Flags:
        """The pixels of some of the parts: (height, width)."""
        plane: Flags = np.take(np.concatenate([[False], chosen]), self.labels)
        return plane

    def least(self, values: NDArray[np.uint8] | NDArray[np.float32], chosen: Flags) -> NDArray[np.float32]:
        """The least value in each of the chosen parts; in others infinity."""
        return self._gathered(np.minimum, np.inf, values, chosen)

    def greatest(self, values: NDArray[np.uint8], chosen: Flags) -> NDArray[np.float32]:
        """The greatest value in each of the chosen parts; in others minus infinity."""
        return self._gathered(np.maximum, -np.inf, values, chosen)

    def _gathered(
        self, better: np.ufunc, start: float, values: NDArray[np.uint8] | NDArray[np.float32], chosen: Flags
    ) -> NDArray[np.float32]:
        best = np.full(len(self.areas), start, np.float32)
        where = self.pixels(chosen)
        better.at(best, self.labels[where] - 1, values[where].astype(np.float32))
        return best


def _distance_from(plane: Flags) -> NDArray[np.float32]:
    """How far each pixel lies from the plane's set ones, in pixels."""
    distance = cv2.distanceTransform((~plane).view(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance, np.float32)


def _spread(spots: Flags, rim_px: int, mask: ByteMask) -> ByteMask:
    """255 at the spots and around them, 0 elsewhere, at the size of the mask."""
    grown = dilated(spots.astype(np.uint8) * np.uint8(255), disc(2 * rim_px + 1))
    height_px, width_px = mask.shape
    return np.asarray(cv2.resize(grown, (width_px, height_px), interpolation=cv2.INTER_NEAREST), np.uint8)
