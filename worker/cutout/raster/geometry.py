"""The region that the subject is looked for in, and the sizes that a picture is worked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from cutgate.jobs.errors import BoxOutsidePicture
from cutgate.jobs.spec import Box

CONTEXT_PART: Final = 0.10
"""How much of the region's side the network sees beyond each edge of it."""

CONTEXT_MIN_PX: Final = 16

WORKING_SIDE_PX: Final = 800
"""Long side at which boxes, shares and edges are measured."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole pixels: left and top in, right and bottom out."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int

    @property
    def height_px(self) -> int:
        """Rows in the region."""
        return self.bottom_px - self.top_px

    @property
    def width_px(self) -> int:
        """Columns in the region."""
        return self.right_px - self.left_px

    @property
    def area_px(self) -> int:
        """Pixels in the region."""
        return self.height_px * self.width_px

    @property
    def index(self) -> tuple[slice, slice]:
        """What selects the region from an array."""
        return slice(self.top_px, self.bottom_px), slice(self.left_px, self.right_px)

    def grown(self, beside_px: int, above_px: int) -> Region:
        """The region with so many columns more on its left and right, and so many rows above and below."""
        top_px, bottom_px = self.top_px - above_px, self.bottom_px + above_px
        return Region(self.left_px - beside_px, top_px, self.right_px + beside_px, bottom_px)

    def clamped(self, height_px: int, width_px: int) -> Region:
        """The part of the region that lies in a picture of this size; it may be empty."""
        return self.shared_with(Region(0, 0, width_px, height_px))

    def shared_with(self, other: Region) -> Region:
        """What lies in both; where nothing does, its area is 0."""
        left_px, top_px = max(self.left_px, other.left_px), max(self.top_px, other.top_px)
        right_px, bottom_px = min(self.right_px, other.right_px), min(self.bottom_px, other.bottom_px)
        return Region(left_px, top_px, max(left_px, right_px), max(top_px, bottom_px))

    def scaled(self, down: float, across: float) -> Region:
        """The pixels that the region covers, in part or whole, where the picture is so many times larger."""
        return Region(
            math.floor(self.left_px * across),
            math.floor(self.top_px * down),
            math.ceil(self.right_px * across),
            math.ceil(self.bottom_px * down),
        )

    def seen_in(self, other: Region) -> Region:
        """What is given in the coordinates of `other`, in those that `other` is given in."""
        return self._moved(other.left_px, other.top_px)

    def seen_from(self, other: Region) -> Region:
        """The same pixels in the coordinates of `other`, which holds them."""
        return self._moved(-other.left_px, -other.top_px)

    def _moved(self, right_px: int, down_px: int) -> Region:
        left_px, top_px = self.left_px + right_px, self.top_px + down_px
        return Region(left_px, top_px, left_px + self.width_px, top_px + self.height_px)


def region_of(box: Box | None, height_px: int, width_px: int) -> Region:
    """The part of a picture that may hold the subject: the box clamped to it, without one all of it.

    Raises:
        BoxOutsidePicture: nothing of the box lies in the picture.
    """
    if box is None:
        return Region(0, 0, width_px, height_px)
    region = Region(box.left_px, box.top_px, box.right_px, box.bottom_px).clamped(height_px, width_px)
    if region.height_px <= 0 or region.width_px <= 0:
        raise BoxOutsidePicture("the box lies outside the picture", width=width_px, height=height_px)
    return region


def with_context(region: Region, height_px: int, width_px: int) -> Region:
    """The region and some of its surroundings, without which a network finds the subject less well."""
    beside = max(CONTEXT_MIN_PX, round(CONTEXT_PART * region.width_px))
    above = max(CONTEXT_MIN_PX, round(CONTEXT_PART * region.height_px))
    return region.grown(beside, above).clamped(height_px, width_px)


def fitted(height_px: int, width_px: int, long_side_px: int, whole_px: int = 0) -> tuple[int, int]:
    """(height, width) of the picture made to fit a long side; never enlarged, never under 1 px.

    Of a part of a picture: so much smaller as the whole one, whose long side is `whole_px`.
    """
    scale = min(1.0, long_side_px / max(height_px, width_px, whole_px))
    return max(1, round(height_px * scale)), max(1, round(width_px * scale))
