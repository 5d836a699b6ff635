"""Maps pixels of a picture onto a canvas: `max_pixels`, crop, scale and position as two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from cutgate.jobs.composition import Composition, Length, RegionOfInterest, Unit
from cutgate.jobs.errors import RegionEmpty, RegionOutsidePicture
from cutgate.jobs.spec import Box
from cutgate.worker.cutout.raster.geometry import Region

MOST_MARGIN: Final = {Unit.PX: 500.0, Unit.PERCENT: 50.0}
"""What a margin counts up to, on each side."""
_NEARLY: Final = 1e-6
"""What computed places may be off."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of a picture on one side of a canvas: what is at `p` shows at `scale * p + offset_px`."""

    source_px: int
    canvas_px: int
    scale: float = 1.0
    offset_px: float = 0.0

    def at(self, place_px: float) -> float:
        """Where a place of the picture lies on the canvas."""
        return self.scale * place_px + self.offset_px

    def covers(self, low_px: int, high_px: int) -> tuple[int, int]:
        """The first pixel of the canvas that shows something between two places, and that behind the last one."""
        first = math.floor(self.at(low_px) + _NEARLY)
        return first, max(first + 1, math.ceil(self.at(high_px) - _NEARLY))

    @property
    def moves_only(self) -> bool:
        """Whether pixels stay as they are."""
        return self.scale == 1 and self.offset_px == round(self.offset_px)

    @property
    def shown(self) -> slice:
        """The pixels of the canvas that the picture fills; perhaps none."""
        first = max(0, math.ceil(self.offset_px - _NEARLY))
        return slice(first, max(first, min(self.canvas_px, math.floor(self.at(self.source_px) + _NEARLY))))

    def under(self, pixels: slice) -> tuple[float, float]:
        """From where to where in the picture some pixels of `shown` reach."""
        low, high = ((edge - self.offset_px) / self.scale for edge in (pixels.start, pixels.stop))
        return max(0.0, low), min(float(self.source_px), high)

    def resized(self, canvas_px: int) -> Axis:
        """The same on a canvas of another size, scaled with it."""
        by = canvas_px / self.canvas_px
        return Axis(self.source_px, canvas_px, self.scale * by, self.offset_px * by)

    def cut(self, first_px: int, end_px: int) -> Axis:
        """The same on that part of the canvas, which may go beyond it."""
        return replace(self, canvas_px=end_px - first_px, offset_px=self.offset_px - first_px)


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture on a canvas."""

    down: Axis
    across: Axis

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        return self.across.canvas_px, self.down.canvas_px

    @property
    def moves_only(self) -> bool:
        """Whether pixels stay as they are."""
        return self.down.moves_only and self.across.moves_only

    @property
    def changes_nothing(self) -> bool:
        """Whether the canvas is the picture."""
        return all(axis == Axis(axis.source_px, axis.source_px) for axis in (self.down, self.across))

    def at_most(self, pixels: int | None) -> Layout:
        """The same, made smaller to have no more pixels; None for any number."""
        height_px, width_px = _fitted(self.down.canvas_px, self.across.canvas_px, pixels)
        if (height_px, width_px) == (self.down.canvas_px, self.across.canvas_px):
            return self
        return Layout(self.down.resized(height_px), self.across.resized(width_px))


def layout_of(
    height_px: int, width_px: int, subject: Region | None, how: Composition, most_pixels: int | None = None
) -> Layout:
    """Where a picture comes to lie, on a canvas of `most_pixels`: margins may make it larger than the picture."""
    layout = Layout(Axis(height_px, height_px), Axis(width_px, width_px)).at_most(how.max_pixels)
    if subject is not None:
        down, across = layout.down, layout.across
        rows, columns = (subject.top_px, subject.bottom_px), (subject.left_px, subject.right_px)
        if how.crop is not None:
            down = _cropped(down, rows, how.crop.top, how.crop.bottom)
            across = _cropped(across, columns, how.crop.left, how.crop.right)
        layout = _positioned(down, across, rows, columns, how)
    bounds = [bound for bound in (how.max_pixels, most_pixels) if bound is not None]
    return layout.at_most(min(bounds, default=None))


def box_of(region: RegionOfInterest, height_px: int, width_px: int) -> Box | None:
    """A region of interest in whole pixels; None where it is the whole picture.

    Raises:
        RegionOutsidePicture: it goes beyond the picture.
        RegionEmpty: it holds no pixel.
    """
    left, right = (round(edge.of_px(width_px)) for edge in (region.left, region.right))
    top, bottom = (round(edge.of_px(height_px)) for edge in (region.top, region.bottom))
    size = {"width": width_px, "height": height_px}
    if max(left, right) > width_px or max(top, bottom) > height_px:
        raise RegionOutsidePicture(
            f"the region of interest goes beyond the picture, which has {width_px} x {height_px} pixels", **size
        )
    if left >= right or top >= bottom:
        raise RegionEmpty("the region of interest holds no pixel of the picture", **size)
    if (left, top, right, bottom) == (0, 0, width_px, height_px):
        return None
    return Box(left_px=left, top_px=top, right_px=right, bottom_px=bottom)


def _fitted(height_px: int, width_px: int, pixels: int | None) -> tuple[int, int]:
    """(height, width) in proportion, with no more pixels and never larger; no side is under 1 px."""
    if pixels is None or height_px * width_px <= pixels:
        return height_px, width_px
    by = math.sqrt(pixels / (height_px * width_px))
    rows, columns = (max(1, math.floor(side_px * by + _NEARLY)) for side_px in (height_px, width_px))
    rows = min(rows, max(1, pixels // columns))
    return rows, min(columns, max(1, pixels // rows))


def _cropped(axis: Axis, subject: tuple[int, int], before: Length, after: Length) -> Axis:
    """The canvas cut down to the subject and its margins."""
    first, end = axis.covers(*subject)
    return axis.cut(first - _margin_px(before, end - first), end + _margin_px(after, end - first))


def _margin_px(margin: Length, subject_px: int) -> int:
    most = min(margin.amount, MOST_MARGIN[margin.unit])
    return round(margin.model_copy(update={"amount": most}).of_px(subject_px))


def _positioned(
    down: Axis, across: Axis, rows: tuple[int, int], columns: tuple[int, int], how: Composition
) -> Layout:
    """The subject at its size and in its place on the canvas."""
    place = how.position
    if how.scale is None:
        if place is None or place == "original":
            return Layout(down, across)
        return Layout(_moved(down, rows, place.y), _moved(across, columns, place.x))
    sides = ((axis.canvas_px, end - start) for axis, (start, end) in ((down, rows), (across, columns)))
    by = how.scale * min(canvas_px / subject_px for canvas_px, subject_px in sides)
    scaled_down, scaled_across = _scaled(down, rows, by), _scaled(across, columns, by)
    if place == "original":
        return Layout(_as_before(scaled_down, rows, down), _as_before(scaled_across, columns, across))
    x, y = (0.5, 0.5) if place is None else (place.x, place.y)
    return Layout(_moved(scaled_down, rows, y), _moved(scaled_across, columns, x))


def _scaled(axis: Axis, subject: tuple[int, int], by: float) -> Axis:
    """The subject `by` times as large as in the picture, in whole pixels, and at the canvas's beginning."""
    start, end = subject
    wanted_px = min(axis.canvas_px, max(1, round(by * (end - start))))
    scale = wanted_px / (end - start)
    return replace(axis, scale=scale, offset_px=-scale * start)


def _moved(axis: Axis, subject: tuple[int, int], share: float) -> Axis:
    """The subject with so much of the room that it leaves before it."""
    first, end = axis.covers(*subject)
    return replace(axis, offset_px=axis.offset_px - first + round(share * (axis.canvas_px - (end - first))))


def _as_before(axis: Axis, subject: tuple[int, int], before: Axis) -> Axis:
    """The subject with its middle where it was, as far as the canvas has room for it there."""
    first, end = axis.covers(*subject)
    wanted_px = round(before.at(sum(subject) / 2) - (end - first) / 2)
    room_px = axis.canvas_px - (end - first)
    return replace(axis, offset_px=axis.offset_px - first + min(room_px, max(0, wanted_px)))
