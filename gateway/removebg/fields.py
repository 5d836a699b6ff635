"""Types of the protocol's fields: forms send texts, JSON texts, numbers and booleans, and all are read alike."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator
from pydantic.color import COLORS_BY_NAME

from cutgate.jobs import composition
from cutgate.jobs.composition import Margins, Position, RegionOfInterest, parse_scale
from cutgate.jobs.spec import Colour as Rgba

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_HEX: Final = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})", re.ASCII)
_SHORT_HEX: Final = 4
_OPAQUE: Final = "ff"
_LEAST_SCALE: Final = 0.1
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%?", re.ASCII)

SIZES: Final = {
    "preview": 250_000,
    "small": 250_000,
    "regular": 250_000,
    "medium": 1_500_000,
    "hd": 4_000_000,
    "full": 25_000_000,
    "4k": 25_000_000,
    "50MP": 50_000_000,
    "auto": 25_000_000,
}
"""Most pixels of each size."""
PREVIEWS: Final = frozenset({"preview", "small", "regular"})
TYPES: Final = {
    "auto": "other",
    "other": "other",
    "person": "person",
    "product": "product",
    "animal": "animal",
    "car": "car",
    "car_interior": "car",
    "car_part": "car",
    "transportation": "other",
    "graphic": "other",
    "graphics": "other",
}
"""What a picture may be said to show, and what `X-Type` calls that at level 1."""


def text_of(value: object) -> str:
    """A value as a form would send it.

    Raises:
        ValueError: it is a list or an object.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value).strip()
    raise ValueError("must be a text, a number, true or false")


def _read(read: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: read(text_of(value)))


def _one_of(*names: str) -> BeforeValidator:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return _read(check)


def _flag(text: str) -> bool:
    if text not in _FLAGS:
        raise ValueError("must be true or false")
    return _FLAGS[text]


def _size(text: str) -> str:
    name = "50MP" if text.upper() == "50MP" else text
    if name not in SIZES:
        raise ValueError(f"must be one of {', '.join(SIZES)}")
    return name


def _shadow_type(text: str) -> str:
    names = ("auto", "car", "3D", "drop", "none")
    name = "3D" if text.upper() == "3D" else text
    if name not in names:
        raise ValueError(f"must be one of {', '.join(names)}")
    return name


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


def _colour(text: str) -> Rgba:
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


Flag: TypeAlias = Annotated[bool, _read(_flag)]
Size: TypeAlias = Annotated[str, _read(_size)]
Type: TypeAlias = Annotated[str, _one_of(*TYPES)]
TypeLevel: TypeAlias = Annotated[str, _one_of("none", "1", "2", "latest")]
Format: TypeAlias = Annotated[str, _one_of("auto", "png", "jpg", "webp", "zip")]
Channels: TypeAlias = Annotated[str, _one_of("rgba", "alpha")]
Roi: TypeAlias = Annotated[RegionOfInterest, _read(RegionOfInterest.parse)]
CropMargin: TypeAlias = Annotated[Margins, _read(Margins.parse)]
Scale: TypeAlias = Annotated[float | None, _read(_scale)]
Place: TypeAlias = Annotated[composition.Place | None, _read(Position.parse)]
ShadowType: TypeAlias = Annotated[str, _read(_shadow_type)]
Opacity: TypeAlias = Annotated[float | None, _read(_opacity)]
Colour: TypeAlias = Annotated[Rgba | None, _read(_colour)]
