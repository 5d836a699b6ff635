"""What is made of a cut-out: a part of it, cropped, scaled, placed, given a shadow, laid over a picture, smaller.

The order of work is fixed: region of interest, cut-out, `max_pixels`, `crop`, `scale` and `position`, `shadow`,
background. None of it needs the network but the region of interest, which is what the network looks at.
"""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.color import COLORS_BY_NAME

T = TypeVar("T")

_LENGTH: Final = re.compile(r"(?P<amount>\d{1,9}(\.\d{0,9})?)(?P<unit>px|%)?", re.ASCII)
"""A length as text; a number without a unit is pixels."""
_HEX: Final = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})", re.ASCII)
_SHORT_HEX: Final = 4
_OPAQUE: Final = "ff"


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

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10px`, `2.5%` or `10`, which is pixels.

        Raises:
            ValueError: it is nothing of the kind; the text says what would be.
        """
        found = _LENGTH.fullmatch(text.strip().lower())
        if found is None:
            raise ValueError(f"{text[:40]!r} is no length: use pixels or a percentage, such as 10px or 5%")
        return cls(amount=float(found["amount"]), unit=Unit(found["unit"] or Unit.PX))

    def of_px(self, side_px: float) -> float:
        """How many pixels it is along a side of so many."""
        return self.amount if self.unit is Unit.PX else side_px * self.amount / 100


class RegionOfInterest(_Part):
    """Two corners in the oriented picture: left and top in, right and bottom out. All else is background."""

    left: Length
    top: Length
    right: Length
    bottom: Length

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read four lengths with spaces between them, such as `10% 0 90% 400px`: left, top, right and bottom.

        Raises:
            ValueError: as `Length.parse`, or they are not four.
        """
        lengths = [Length.parse(part) for part in text.split()]
        if len(lengths) != 4:
            raise ValueError(
                "a region is four lengths, px or %, such as 10% 10% 90% 90%: left, top, right, bottom"
            )
        left, top, right, bottom = lengths
        return cls(left=left, top=top, right=right, bottom=bottom)


class Margins(_Part):
    """Room around the subject's box; percentages are of the box. Each counts up to 50 %, or 500 px."""

    top: Length
    right: Length
    bottom: Length
    left: Length

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one length for all sides, two (top and bottom, left and right), or four clockwise from the top.

        Raises:
            ValueError: as `Length.parse`, or there is another number of them.
        """
        lengths = [Length.parse(part) for part in text.split()]
        if len(lengths) not in {1, 2, 4}:
            raise ValueError("margins are one, two or four lengths, px or %, such as 10px, or 5% 10% 5% 0")
        top, right, bottom, left = lengths * (4 // len(lengths))
        return cls(top=top, right=right, bottom=bottom, left=left)


class Position(_Part):
    """Where the subject's box lies: shares, 0 to 1, of the room that it leaves on the canvas."""

    x: Annotated[float, Field(ge=0, le=1)] = 0.5
    y: Annotated[float, Field(ge=0, le=1)] = 0.5

    @classmethod
    def parse(cls, text: str) -> Self | Literal["original"]:
        """Read `original`, `center`, or one or two percentages, across and down.

        Raises:
            ValueError: it is nothing of the kind; the text says what would be.
        """
        words = text.lower().split()
        if words == ["original"]:
            return "original"
        if words == ["center"]:
            return cls()
        try:
            x, y = map(_share, words * 2 if len(words) == 1 else words)
        except ValueError:
            raise ValueError(
                f"{text[:40]!r} is no position: use original, center, or one or two percentages up to 100%"
            ) from None
        return cls(x=x, y=y)


Place: TypeAlias = Position | Literal["original"]
"""Where the subject's box lies; `original`: its middle stays, as far as the canvas has room for the box there."""


def parse_scale(text: str) -> float | None:
    """Read a percentage up to 100%, as a share; None stands for `original`.

    Raises:
        ValueError: it is nothing of the kind; the text says what would be.
    """
    if text.strip().lower() == "original":
        return None
    try:
        share = _share(text)
    except ValueError:
        share = 0.0
    if share == 0:
        raise ValueError(f"{text[:40]!r} is no scale: use original, or a percentage up to 100%")
    return share


def parse_colour(text: str) -> tuple[int, int, int, int]:
    """Read `transparent`, a name of CSS's, or 3, 4, 6 or 8 hexadecimal digits: red, green, blue and alpha.

    Raises:
        ValueError: it is nothing of the kind; the text says what would be.
    """
    name = text.lower()
    if name in COLORS_BY_NAME:
        return (*COLORS_BY_NAME[name], 255)
    if name == "transparent":
        return (0, 0, 0, 0)
    found = _HEX.fullmatch(name)
    if found is None:
        raise ValueError("must be hexadecimal, such as fff, 81d4fa or 81d4fa80, or a colour's name")
    digits = found[1] if len(found[1]) > _SHORT_HEX else "".join(2 * digit for digit in found[1])
    red, green, blue, alpha = bytes.fromhex((digits + _OPAQUE)[:8])
    return red, green, blue, alpha


def _share(text: str) -> float:
    length = Length.parse(text)
    if length.unit is not Unit.PERCENT and length.amount != 0:
        raise ValueError("not a percentage")
    if length.amount > 100:
        raise ValueError("more than all")
    return length.amount / 100


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
    position: Place | None = None
    """Where the box lies; None is `original`, or the centre where `scale` is given."""
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


def composition_of(
    *,
    region_of_interest: str | None = None,
    megapixels: float | None = None,
    crop_margin: str | int | None = None,
    scale: str | float | None = None,
    position: str | tuple[float, float] | None = None,
    shadow: str | float | bool | None = None,
    opaque_inside: bool = False,
) -> Composition | None:
    """What a caller says in texts or numbers; None where nothing is asked for.

    Args:
        region_of_interest: as `RegionOfInterest.parse`.
        megapixels: the most that the result has.
        crop_margin: as `Margins.parse`, or pixels.
        scale: as `parse_scale`, or a share.
        position: as `Position.parse`, or two shares.
        shadow: whether there is one; or its opacity, a percentage or a share.
        opaque_inside: whether half-transparent areas inside the subject become opaque.

    Raises:
        ValueError: one is wrong; the text names it, and says what would be right.
    """
    asked: dict[str, Any] = {"hard_inside": opaque_inside}
    if region_of_interest is not None:
        asked["region_of_interest"] = _named("region_of_interest", RegionOfInterest.parse, region_of_interest)
    if megapixels is not None:
        asked["max_pixels"] = _named("megapixels", _pixels, megapixels)
    if crop_margin is not None:
        asked["crop"] = _named("crop_margin", Margins.parse, str(crop_margin))
    if scale is not None:
        asked["scale"] = _named("scale", parse_scale, _percentage(scale))
    if position is not None:
        text = position if isinstance(position, str) else " ".join(map(_percentage, position))
        asked["position"] = _named("position", Position.parse, text)
    if shadow not in {None, False}:
        asked["shadow"] = Shadow() if shadow is True else _named("shadow", _shadow, _percentage(shadow))
    composition = Composition(**asked)
    return None if composition == Composition() else composition


def _named(name: str, read: Callable[[Any], T], value: Any) -> T:
    """What is read of an option."""
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _percentage(share: str | float) -> str:
    return share if isinstance(share, str) else f"{100 * share:.9f}%"


def _pixels(megapixels: float) -> int:
    pixels = round(megapixels * 1e6) if math.isfinite(megapixels) else 0
    if pixels < 1:
        raise ValueError(f"{megapixels} is no number of megapixels: use one above 0, such as 0.25")
    return pixels


def _shadow(text: str) -> Shadow:
    try:
        return Shadow(opacity=_share(text))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no opacity: use a percentage up to 100%") from None
