"""Types of the protocol's fields: forms send texts, JSON texts, numbers and booleans, and all are read alike."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field

from cutgate.jobs import composition
from cutgate.jobs.composition import Margins, Position, RegionOfInterest, parse_colour, parse_scale
from cutgate.jobs.spec import Colour as Rgba

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_LEAST_SCALE: Final = 0.1
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%?", re.ASCII)

PREVIEWS: Final = ("preview", "small", "regular")
SIZES: Final = {
    **dict.fromkeys(PREVIEWS, 250_000),
    "medium": 1_500_000,
    "hd": 4_000_000,
    **dict.fromkeys(("full", "4k", "auto"), 25_000_000),
    "50MP": 50_000_000,
}
"""Most pixels of each size."""
TYPES: Final = {
    **{name: name for name in ("person", "product", "animal", "car", "other")},
    **dict.fromkeys(("car_interior", "car_part"), "car"),
    **dict.fromkeys(("auto", "transportation", "graphic", "graphics"), "other"),
}
"""What a picture may be said to show, and what `X-Type` calls that at level 1."""


def text_of(value: object) -> str:
    """A value as a form would send it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ValueError("must be a text, a number, true or false")


def _read(read: Callable[[str], Any], text: str | None = None, kind: type = str, **said: Any) -> BeforeValidator:
    """What reads a text, and what the service's description says of it."""
    return BeforeValidator(lambda value: read(text_of(value)), Annotated[kind, Field(description=text, **said)])


def _one_of(*names: str) -> BeforeValidator:
    def check(text: str) -> str:
        name = text.upper() if text.upper() in names else text  # 50MP and 3D are taken in any case
        if name not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return name

    return _read(check, json_schema_extra={"enum": list(names)})


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:  # Python's forms send `True`
        raise ValueError("must be true or false")
    return _FLAGS[text.lower()]


def _opacity(text: str) -> float | None:
    if text == "auto":
        return None
    found = _PERCENT.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise ValueError("must be auto, or a number from 0 to 100")
    return float(found[1]) / 100


def _scale(text: str) -> float | None:
    share = parse_scale(text)
    if share is not None and share < _LEAST_SCALE:
        raise ValueError("must be original, or a percentage from 10% to 100%")
    return share


Flag: TypeAlias = Annotated[bool, _read(_flag, kind=bool)]
Size: TypeAlias = Annotated[str, _one_of(*SIZES)]
Type: TypeAlias = Annotated[str, _one_of(*TYPES)]
TypeLevel: TypeAlias = Annotated[str, _one_of("none", "1", "2", "latest")]
Format: TypeAlias = Annotated[str, _one_of("auto", "png", "jpg", "webp", "zip")]
Holes: TypeAlias = Annotated[str, _one_of("keep", "fill")]
Channels: TypeAlias = Annotated[str, _one_of("rgba", "alpha")]
ShadowType: TypeAlias = Annotated[str, _one_of("auto", "car", "3D", "drop", "none")]
Roi: TypeAlias = Annotated[RegionOfInterest, _read(RegionOfInterest.parse, "Left, top, right, bottom; px or %.")]
CropMargin: TypeAlias = Annotated[Margins, _read(Margins.parse, "With `crop`: one, two or four lengths, px or %.")]
Scale: TypeAlias = Annotated[float | None, _read(_scale, "`original`, or `10%` to `100%`.")]
Place: TypeAlias = Annotated[composition.Place | None, _read(Position.parse, "`original`, `center`, `20% 80%`.")]
Opacity: TypeAlias = Annotated[float | None, _read(_opacity, "`auto`, or 0 to 100.")]
Colour: TypeAlias = Annotated[Rgba | None, _read(parse_colour, "`fff`, `81d4fa80`, or a name.")]
