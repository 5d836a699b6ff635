"""What is made of a cut-out: a part of it, cropped, scaled, placed, given a shadow, laid over a picture, smaller.

The order of work is fixed: region of interest, cut-out, `max_pixels`, `crop`, `scale` and `position`, `shadow`,
background. None of it needs the network but the region of interest, which is what the network looks at.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unit(StrEnum):
    """What a length is measured in."""

    PX = "px"
    PERCENT = "%"
    """Of the side that the length lies along: whose, the field says."""


class Length(_Part):
    """A length along one side of a picture."""

    amount: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: Unit = Unit.PX

    def of_px(self, side_px: float) -> float:
        """How many pixels it is along a side of so many."""
        return self.amount if self.unit is Unit.PX else side_px * self.amount / 100


class RegionOfInterest(_Part):
    """Two corners in the oriented picture: left and top in, right and bottom out. All else is background."""

    left: Length
    top: Length
    right: Length
    bottom: Length


class Margins(_Part):
    """Room around the subject's box; percentages are of the box. Each counts up to half of the box, or 500 px."""

    top: Length
    right: Length
    bottom: Length
    left: Length


class Position(_Part):
    """Where the subject's box lies: shares, 0 to 1, of the room that it leaves on the canvas."""

    x: Annotated[float, Field(ge=0, le=1)] = 0.5
    y: Annotated[float, Field(ge=0, le=1)] = 0.5


class Shadow(_Part):
    """A soft drop shadow below the subject."""

    opacity: Annotated[float, Field(ge=0, le=1)] = 0.5


class Composition(_Part):
    """How a cut-out is shown. Every field may be left out, and then changes nothing."""

    region_of_interest: RegionOfInterest | None = None
    max_pixels: Annotated[int, Field(ge=1)] | None = None
    """The result is made smaller to have no more; it is never enlarged."""
    crop: Margins | None = None
    """Cut down to the subject's box and so much around it; what the picture does not have there is transparent."""
    scale: Annotated[float, Field(gt=0, le=1)] | None = None
    """The subject's box fits this share of both sides of the canvas."""
    position: Position | None = None
    """Where the box lies; None leaves it, or centres it where `scale` is given."""
    shadow: Shadow | None = None
    hard_inside: bool = False
    """Whether half-transparent areas inside the subject become opaque."""
    least_subject_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """With fewer pixels above half opacity, of all, the item fails with `SubjectNotFound`; None never fails."""

    @model_validator(mode="after")
    def _region_has_area(self) -> Self:
        roi = self.region_of_interest
        for low, high in () if roi is None else ((roi.left, roi.right), (roi.top, roi.bottom)):
            if low.unit is high.unit and high.amount <= low.amount:
                raise ValueError("the region of interest needs an area")
        return self
