"""What is done with a result before it is a file: cut down to the subject, laid over something, written."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from cutgate.jobs.spec import Colour, CutoutSpec, FileFormat
from cutgate.worker.cutout.raster.arrays import Bytes, RgbImage
from cutgate.worker.pictures.backdrop import composite, cover_fit, subject_box
from cutgate.worker.pictures.colour import converted_from_srgb
from cutgate.worker.pictures.encoders import MEDIA_TYPES, Picture, encode

_OPAQUE: Final = 255
_WHITE: Final[Colour] = (255, 255, 255, _OPAQUE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finish:
    """How a result is to look as a file. A mask has no background, and in a ZIP it is alone."""

    file_format: FileFormat = FileFormat.PNG
    quality: int | None = None
    """1 to 100, of JPEG and WebP; None stands for lossless WebP and for the best usual JPEG."""
    background: Colour | RgbImage | None = None
    """A colour, or a picture (height, width, 3) uint8 of any size, that is scaled to cover; both are sRGB."""
    crop_margin_px: int | None = None
    """Cut down to the subject and so much around it; None keeps the size."""

    @classmethod
    def of(cls, spec: CutoutSpec) -> Self:
        """What a spec says of it."""
        return cls(
            file_format=spec.file_format,
            quality=spec.quality,
            background=spec.background,
            crop_margin_px=spec.crop_margin_px,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A result as a file, and what is said of it."""

    data: bytes
    media_type: str
    width_px: int
    height_px: int
    subject_found: bool


def finish(picture: Picture, how: Finish, *, threads: int = 1) -> Finished:
    """Make a file of a result, with so many threads at most.

    Raises:
        ProcessingFailed: the picture is larger than the format can hold.
    """
    if how.crop_margin_px is not None:
        picture = cropped(picture, how.crop_margin_px)
    if not picture.is_mask:
        picture = over_background(picture, how)
    data = encode(picture, how.file_format, how.quality, threads=threads)
    width_px, height_px = picture.size_px
    return Finished(
        data=data,
        media_type=MEDIA_TYPES[how.file_format],
        width_px=width_px,
        height_px=height_px,
        subject_found=picture.subject_found,
    )


def cropped(picture: Picture, margin_px: int) -> Picture:
    """A result cut down to its subject and so much around it."""
    alpha = picture.pixels if picture.is_mask else picture.pixels[..., 3]
    return replace(picture, pixels=picture.pixels[subject_box(alpha, margin_px).index])


def over_background(picture: Picture, how: Finish) -> Picture:
    """A cut-out, not a mask, over what is to be behind it; for a JPEG over white at least."""
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
    return replace(picture, pixels=composite(picture.pixels, colours, alpha))


def _opaque(background: Colour | RgbImage | None) -> Colour | Bytes:
    """What a picture without alpha lies over: the colour itself, whatever its alpha; white where there is none."""
    if background is None:
        return _WHITE
    return (*background[:3], _OPAQUE) if isinstance(background, tuple) else background
