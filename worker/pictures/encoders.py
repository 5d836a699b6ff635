"""Arrays to bytes: the formats of results."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from cutgate.jobs.errors import ProcessingFailed
from cutgate.jobs.spec import FileFormat
from cutgate.worker.cutout.raster.arrays import Bytes, Levels, strips
from cutgate.worker.pictures.colour_bleed import with_colour_bleed
from cutgate.worker.pictures.metadata import Dpi, Rights, exif_with
from cutgate.worker.pictures.png import write_png

MEDIA_TYPES: Final = {
    FileFormat.PNG: "image/png",
    FileFormat.WEBP: "image/webp",
    FileFormat.JPEG: "image/jpeg",
    FileFormat.ZIP: "application/zip",
}

JPEG_QUALITY: Final = 95
"""Where none is asked for: what is above it grows the file and shows nowhere."""
_WHOLE_CHROMA_QUALITY: Final = 90
"""From here on colours keep the full resolution: at half of it the subject's edge would bleed. In a ZIP there is
no edge: the subject's colours go on beyond it."""
_MOST_SIDE_PX: Final = {FileFormat.WEBP: 16_383, FileFormat.JPEG: 65_535}
_LOSSLESS_WEBP: Final = {"lossless": True, "method": 0, "quality": 0, "exact": True}
"""The fastest that there is, still smaller than PNG."""
_LOSSY_WEBP: Final = {"method": 2, "alpha_quality": 100}
_COLOUR_FILE, _ALPHA_FILE = "color.jpg", "alpha.png"
"""Clients of remove.bg's look for these names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A result before it is written.

    Attributes:
        pixels: a cut-out (height, width, 4) with straight alpha, or a mask (height, width); uint8, or uint16 where
            16 bits were kept.
        icc_profile: the profile that the colours keep to; None for sRGB and for a mask.
        dpi: density, across and down.
        rights: whose it is, which every format says as EXIF.
        subject_found: False where it is clear throughout, for want of a subject.
        confidence: how likely it is right, 0 to 1; None where nothing tells.
    """

    pixels: Levels
    icc_profile: bytes | None = None
    dpi: Dpi | None = None
    rights: Rights | None = None
    subject_found: bool = True
    confidence: float | None = None

    @property
    def is_mask(self) -> bool:
        """Whether it is alpha alone."""
        return self.pixels.ndim == 2

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        height_px, width_px = self.pixels.shape[:2]
        return width_px, height_px


def format_of(picture: Picture, asked: FileFormat) -> FileFormat:
    """The format itself: `AUTO` is JPEG for a cut-out of which nothing is transparent, and else PNG."""
    if asked is not FileFormat.AUTO:
        return asked
    pixels, full = picture.pixels, np.iinfo(picture.pixels.dtype).max
    # Strip by strip, since the first one tells of most.
    is_opaque = not picture.is_mask and all(pixels[strip, :, 3].min() == full for strip in strips(len(pixels)))
    return FileFormat.JPEG if is_opaque else FileFormat.PNG


def encode(picture: Picture, file_format: FileFormat, quality: int | None = None, *, threads: int = 1) -> bytes:
    """A result as a file.

    Args:
        picture: of 8 bits, except for PNG. A cut-out that becomes a JPEG is opaque: JPEG has no alpha.
        file_format: how to write it.
        quality: 1 to 100, of JPEG and WebP; None is lossless WebP, and `JPEG_QUALITY`.
        threads: how many may write a PNG.

    Raises:
        ProcessingFailed: the picture is larger than the format can hold.
    """
    file_format = format_of(picture, file_format)
    limit_px = _MOST_SIDE_PX.get(file_format)
    if limit_px is not None and max(picture.size_px) > limit_px:
        raise ProcessingFailed(
            f"{file_format.value} holds at most {limit_px} pixels on a side; ask for png",
            width_px=picture.size_px[0],
            height_px=picture.size_px[1],
        )
    return _ENCODERS[file_format](picture, quality, threads)


def _encode_png(picture: Picture, _quality: int | None, threads: int) -> bytes:
    exif = None if picture.rights is None else exif_with(None, picture.rights)
    return write_png(picture.pixels, picture.icc_profile, picture.dpi, exif, threads=threads)


def _encode_webp(picture: Picture, quality: int | None, _threads: int) -> bytes:
    options = _LOSSLESS_WEBP if quality is None else {**_LOSSY_WEBP, "quality": quality}
    is_told = picture.dpi is not None or picture.rights is not None
    metadata = {"exif": exif_with(picture.dpi, picture.rights)} if is_told else {}
    return _saved(picture, "WEBP", **options, **metadata)


def _encode_jpeg(picture: Picture, quality: int | None, _threads: int) -> bytes:
    quality = quality or JPEG_QUALITY
    return _jpeg(picture, quality, "4:4:4" if quality >= _WHOLE_CHROMA_QUALITY else "4:2:0")


def _jpeg(picture: Picture, quality: int, subsampling: str) -> bytes:
    metadata: dict[str, Any] = {}
    if picture.dpi is not None:
        metadata["dpi"] = tuple(round(value) for value in picture.dpi)
    if picture.rights is not None:
        metadata["exif"] = exif_with(picture.dpi, picture.rights)
    return _saved(picture, "JPEG", quality=quality, subsampling=subsampling, **metadata)


def _encode_zip(picture: Picture, quality: int | None, threads: int) -> bytes:
    """Colours and straight alpha apart; of a mask there is alpha alone. The members are packed already."""
    alpha = Picture(
        pixels=picture.pixels if picture.is_mask else picture.pixels[..., 3],
        dpi=picture.dpi,
        rights=picture.rights,
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        if not picture.is_mask:
            colours = Picture(
                pixels=with_colour_bleed(_as_bytes(picture.pixels)),
                icc_profile=picture.icc_profile,
                dpi=picture.dpi,
                rights=picture.rights,
            )
            # ZipInfo's own date makes equal results equal files.
            archive.writestr(zipfile.ZipInfo(_COLOUR_FILE), _jpeg(colours, quality or JPEG_QUALITY, "4:2:0"))
        archive.writestr(zipfile.ZipInfo(_ALPHA_FILE), _encode_png(alpha, None, threads))
    return file.getvalue()


_ENCODERS: Final[dict[FileFormat, Callable[[Picture, int | None, int], bytes]]] = {
    FileFormat.PNG: _encode_png,
    FileFormat.WEBP: _encode_webp,
    FileFormat.JPEG: _encode_jpeg,
    FileFormat.ZIP: _encode_zip,
}


def _saved(picture: Picture, kind: str, **options: Any) -> bytes:
    """The picture as Pillow writes it."""
    if picture.icc_profile is not None:
        options["icc_profile"] = picture.icc_profile
    file = io.BytesIO()
    _image_of(_as_bytes(picture.pixels), alpha=kind == "WEBP").save(file, kind, **options)
    return file.getvalue()


def _image_of(pixels: Bytes, *, alpha: bool) -> Image.Image:
    """Pillow's image of the array: the array itself where it can be, in strips where it is copied."""
    if pixels.ndim == 2 or (alpha and pixels.flags.c_contiguous):
        return Image.fromarray(pixels)
    channels, mode = (4, "RGBA") if alpha else (3, "RGB")
    image = Image.new(mode, pixels.shape[1::-1])
    for strip in strips(len(pixels)):
        part = np.ascontiguousarray(pixels[strip, :, :channels])
        image.paste(Image.fromarray(part), (0, strip.start))
    return image


def _as_bytes(pixels: Levels) -> Bytes:
    """The same levels, known to have 8 bits."""
    if pixels.dtype != np.uint8:
        raise TypeError("only PNG holds 16 bits")
    return np.asarray(pixels, np.uint8)
