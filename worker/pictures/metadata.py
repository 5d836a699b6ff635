"""A picture's metadata: orientation, density, and rights."""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_Samples = TypeVar("_Samples", np.uint8, np.uint16)

Dpi: TypeAlias = tuple[float, float]
"""Pixels per inch, across and down."""

LONGEST_RIGHTS_CHARACTERS: Final = 1_000
"""Of an artist's name and of a notice; what is longer is left out whole."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Whose picture it is, by its EXIF. A character stands for a byte (ISO 8859-1), whatever its writer meant."""

    artist: str = ""
    copyright: str = ""

    def __post_init__(self) -> None:
        for text in (self.artist, self.copyright):
            if len(text) > LONGEST_RIGHTS_CHARACTERS or max(text, default="") > "\xff":
                raise ValueError("no text of EXIF, or a long one")


_SWAPPING: Final = range(5, 9)
"""EXIF orientations that exchange width and height."""

_FLIPS: Final = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
"""OpenCV's name of the flip that is left to undo an orientation: 0 upside down, 1 mirrored, -1 both."""

INCH_METRES: Final = 0.0254

_EXIF_INCH: Final = 2
_UNIT_METRES: Final = {_EXIF_INCH: INCH_METRES, 3: 0.01}
"""EXIF's units of length, of which a missing one is the inch; 1 is none at all."""

_PLAUSIBLE_DPI: Final = (2.0, 100_000.0)
"""Writers that know no density are found to state 0 or 1."""


def orientation_of(picture: Image.Image) -> int:
    """EXIF orientation, 1 to 8; what cannot be read counts as upright."""
    # XMP may name another one; browsers and the gateway go by EXIF, and so do a box's coordinates.
    for other in ("xmp", "XML:com.adobe.xmp"):
        picture.info.pop(other, None)
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged metadata, in as many ways as there are; the pixels are whole
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def turned(samples: NDArray[_Samples], orientation: int) -> NDArray[_Samples]:
    """(height, width) or (height, width, channels) samples with their orientation undone."""
    upright: NDArray[Any] = cv2.transpose(samples) if orientation in _SWAPPING else samples
    flip = _FLIPS.get(orientation)
    return upright if flip is None else np.asarray(cv2.flip(upright, flip), samples.dtype)


def dpi_of(picture: Image.Image, orientation: int) -> Dpi | None:
    """Density of the upright picture, from the format's own place for it or EXIF; None where there is none."""
    try:
        across, down = (float(value) for value in _own_dpi(picture) or _exif_dpi(picture))
    except Exception:  # damaged metadata, as above; a density is never worth a picture
        return None
    low, high = _PLAUSIBLE_DPI
    if not (math.isfinite(across + down) and low <= min(across, down) and max(across, down) <= high):
        return None
    return (down, across) if orientation in _SWAPPING else (across, down)


def rights_of(picture: Image.Image) -> Rights | None:
    """Whose picture it is; None where EXIF does not say so, or cannot be read."""
    try:
        exif = picture.getexif()
        said = (exif.get(tag, "") for tag in (ExifTags.Base.Artist, ExifTags.Base.Copyright))
        rights = Rights(*(str(text).strip("\0 ") for text in said))
    except Exception:  # damaged metadata, as above
        return None
    return None if rights == Rights() else rights


def exif_with(dpi: Dpi | None, rights: Rights | None = None) -> bytes:
    """An EXIF block that says the density, and whose picture it is, and nothing else."""
    exif = Image.Exif()
    if dpi is not None:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
        exif[ExifTags.Base.ResolutionUnit] = _EXIF_INCH
    if rights is not None:
        for tag, text in ((ExifTags.Base.Artist, rights.artist), (ExifTags.Base.Copyright, rights.copyright)):
            if text:
                exif[tag] = text.encode("latin-1")
    return exif.tobytes()


def _own_dpi(picture: Image.Image) -> Dpi | None:
    """What the format's own place says. Of a JPEG without JFIF's, Pillow gives a guess of its own."""
    if picture.format in {"JPEG", "MPO"} and not picture.info.get("jfif_unit"):
        return None
    return picture.info.get("dpi")


def _exif_dpi(picture: Image.Image) -> Dpi:
    exif = picture.getexif()
    per_inch = INCH_METRES / _UNIT_METRES[exif.get(ExifTags.Base.ResolutionUnit, _EXIF_INCH)]
    across, down = (float(exif[tag]) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
    return across * per_inch, down * per_inch
