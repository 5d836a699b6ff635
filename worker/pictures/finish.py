"""From a cut-out to a file: composed, laid over a background, encoded."""

from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from cutgate.jobs.composition import Composition
from cutgate.jobs.spec import Colour, CutoutSpec, FileFormat
from cutgate.worker.composition.backdrop import alpha_over, cover_fit
from cutgate.worker.composition.compose import Facts, arrange_on_canvas
from cutgate.worker.cutout.raster.arrays import Bytes, RgbImage
from cutgate.worker.pictures.colour import converted_from_srgb
from cutgate.worker.pictures.encoders import MEDIA_TYPES, Picture, encode, format_of

_OPAQUE: Final = 255
_WHITE: Final[Colour] = (255, 255, 255, _OPAQUE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finish:
    """How a result is to look as a file. A mask has neither shadow nor background, and in a ZIP it is alone."""

    file_format: FileFormat = FileFormat.PNG
    quality: int | None = None
    """1 to 100, of JPEG and WebP; None stands for lossless WebP and for the best usual JPEG."""
    background: Colour | RgbImage | None = None
    """A colour, or a picture (height, width, 3) uint8 of any size, that is scaled to cover; both are sRGB. A ZIP,
    which has colours and alpha apart, has none."""
    composition: Composition = field(default_factory=Composition)
    """Where and how large; its background is `background`."""
    most_pixels: int | None = None
    """Of the result, whatever the composition asks for."""

    @classmethod
    def of(cls, spec: CutoutSpec, behind: RgbImage | None = None, most_pixels: int | None = None) -> Self:
        """What a spec says of it, with the picture behind the subject, where it names one."""
        return cls(
            file_format=spec.file_format,
            quality=spec.quality,
            background=spec.background if behind is None else behind,
            composition=spec.composing,
            most_pixels=most_pixels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A result as a file, and what is said of it."""

    data: bytes
    media_type: str
    width_px: int
    height_px: int
    subject_found: bool
    confidence: float | None
    facts: Facts
    """Of the result that was given."""


def finish(picture: Picture, how: Finish, *, threads: int = 1) -> Finished:
    """Make a file of a result, with so many threads at most.

    Raises:
        ProcessingFailed: the picture is larger than the format can hold.
    """
    # Under one name, for each may have hundreds of megabytes.
    picture, facts = lay_out(picture, how)
    picture = over_background(picture, how)
    data, media_type = encode_with_type(picture, how, threads=threads)
    width_px, height_px = picture.size_px
    return Finished(
        data=data,
        media_type=media_type,
        width_px=width_px,
        height_px=height_px,
        subject_found=picture.subject_found,
        confidence=picture.confidence,
        facts=facts,
    )


def lay_out(picture: Picture, how: Finish) -> tuple[Picture, Facts]:
    """A result as its composition wants it, and what became known of it."""
    pixels, facts = arrange_on_canvas(picture.pixels, how.composition, how.most_pixels)
    return replace(picture, pixels=pixels), facts


def encode_with_type(picture: Picture, how: Finish, *, threads: int = 1) -> tuple[bytes, str]:
    """A result that is composed and over its background as a file, and the media type; otherwise as `finish`."""
    file_format = format_of(picture, how.file_format)
    return encode(picture, file_format, how.quality, threads=threads), MEDIA_TYPES[file_format]


def over_background(picture: Picture, how: Finish) -> Picture:
    """A composed cut-out over what is to be behind it, for a JPEG over white at least; a mask as it is."""
    if picture.is_mask or how.file_format is FileFormat.ZIP:
        return picture
    width_px, height_px = picture.size_px
    background = how.background
    if how.file_format is FileFormat.JPEG:
        background = _opaque(background)
    if background is None or (isinstance(background, tuple) and background[3] == 0):
        return picture
    colours = (
        np.array([[background[:3]]], np.uint8)
        if isinstance(background, tuple)
        else cover_fit(background, height_px, width_px)
    )
    if picture.icc_profile is not None:
        colours = converted_from_srgb(colours, picture.icc_profile)
    alpha = background[3] if isinstance(background, tuple) else _OPAQUE
    return replace(picture, pixels=alpha_over(picture.pixels, colours, alpha))


def _opaque(background: Colour | RgbImage | None) -> Colour | Bytes:
    """What a picture without alpha lies over: the colour itself, whatever its alpha; white where there is none."""
    if background is None:
        return _WHITE
    return (*background[:3], _OPAQUE) if isinstance(background, tuple) else background
