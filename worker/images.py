"""Bytes to arrays and back: every format that comes in, PNG out.

A picture is turned upright, brought to 8 bits and to sRGB, and parted from its own alpha; what follows sees
nothing but plain sRGB pixels.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from jobs.errors import CutoutError, SourceTooLarge, SourceUndecodable, SourceUnreadable
from jobs.settings import JobSettings
from worker.cutout.arrays import Bytes
from worker.colour import is_rgb_profile, to_srgb
from worker.png import BAND_BYTES, write_png

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What is read; of an animation the first frame."""
_STRAIGHT: Final = {"La": "LA", "RGBa": "RGBA"}
"""Modes with premultiplied alpha, and those with straight alpha that they become."""
_COLOURS_OF: Final = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
"""Modes whose colours are not RGB."""
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation, and what undoes it."""

# Pillow's bound on pixels is a constant of the library; ours is a setting, and is checked before decoding.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large a source may be."""

    max_bytes: int
    max_pixels: int
    max_side_px: int

    @classmethod
    def of(cls, settings: JobSettings) -> Self:
        """The limits that gateway and worker share."""
        return cls(
            max_bytes=settings.max_source_bytes,
            max_pixels=settings.max_source_pixels,
            max_side_px=settings.max_source_side_px,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceImage:
    """A decoded source, upright. The arrays may be read-only.

    Attributes:
        rgb: (height, width, 3) uint8; sRGB unless `icc_profile` says otherwise.
        alpha: (height, width) uint8, straight; None when the source is opaque.
        icc_profile: the RGB profile that `rgb` keeps to, when it was to be kept.
    """

    rgb: Bytes
    alpha: Bytes | None
    icc_profile: bytes | None = None

    def over_white(self) -> Bytes:
        """The picture as a network should see it: what is transparent shows white. `rgb` itself when opaque."""
        if self.alpha is None:
            return self.rgb
        picture = Image.fromarray(self.rgb)
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), Image.fromarray(self.alpha))
        return np.asarray(picture)


def read_image(data: bytes, limits: ImageLimits, *, keep_rgb_profile: bool = False) -> SourceImage:
    """Decode a picture.

    Args:
        data: a file in one of `FORMATS`, by its first bytes; names and media types play no part.
        limits: checked before anything is decoded.
        keep_rgb_profile: keep an RGB picture's numbers and hand its profile on, instead of converting to sRGB.

    Raises:
        SourceUnreadable: the bytes are no picture in a known format.
        SourceTooLarge: the picture is over a limit.
        SourceUndecodable: the picture is truncated, damaged, or holds samples of a kind that is not read.
    """
    _check("bytes", len(data), limits.max_bytes)
    # Pillow warns of oddities in metadata that have no bearing on the pixels.
    with warnings.catch_warnings(action="ignore"):
        try:
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            _check("pixels", picture.width * picture.height, limits.max_pixels)
            _check("pixels on its longest side", max(picture.size), limits.max_side_px)
            return _decode(picture, keep_rgb_profile=keep_rgb_profile)
        except (CutoutError, MemoryError):
            raise
        except UnidentifiedImageError as error:
            raise SourceUnreadable("the bytes are not a picture in " + ", ".join(FORMATS)) from error
        except Exception as error:  # what a decoder raises on damaged bytes differs from one to the next
            raise SourceUndecodable("the picture is truncated or damaged; save or send it again") from error


def encode_png(pixels: Bytes, icc_profile: bytes | None = None) -> bytes:
    """A result as PNG: a cut-out as RGBA with straight alpha, a mask as 8-bit grey.

    Args:
        pixels: (height, width, 4) or (height, width) uint8.
        icc_profile: the profile that the colours keep to; None for sRGB and for a mask.
    """
    height_px, width_px = pixels.shape[:2]
    planes = pixels.reshape(height_px, width_px, -1)
    rows_per_band = max(1, BAND_BYTES // planes[0].nbytes)
    bands = (planes[top : top + rows_per_band] for top in range(0, height_px, rows_per_band))
    return write_png(width_px, height_px, planes.shape[2], bands, icc_profile)


def _check(measure: str, value: int, limit: int) -> None:
    if value > limit:
        raise SourceTooLarge(measure, value, limit)


def _decode(picture: Image.Image, *, keep_rgb_profile: bool) -> SourceImage:
    """Decode an opened picture; Pillow's own errors pass through."""
    picture.load()
    icc = picture.info.get("icc_profile")
    picture = _upright(picture)
    if picture.mode in {"I", "F"}:
        raise SourceUndecodable("samples of 32 bits are not read; save the picture with 8 or 16 bits per channel")
    alpha = None
    if picture.mode.startswith("I;16"):
        picture, alpha = _reduce_grey(picture)
    elif picture.has_transparency_data:
        picture = picture.convert(_STRAIGHT.get(picture.mode, picture.mode))
        alpha = _alpha_of(picture)
    colours = picture.convert(_COLOURS_OF.get(picture.mode, "RGB"))
    kept = icc if icc and keep_rgb_profile and colours.mode == "RGB" and is_rgb_profile(icc) else None
    rgb = np.asarray(colours if kept else to_srgb(colours, icc))
    return SourceImage(rgb=rgb, alpha=alpha, icc_profile=kept)


def _upright(picture: Image.Image) -> Image.Image:
    """Undo the orientation that the metadata names; what cannot be read counts as upright."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged metadata, in as many ways as there are; the pixels are whole
        return picture
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if method is None else picture.transpose(method)


def _reduce_grey(picture: Image.Image) -> tuple[Image.Image, Bytes | None]:
    """Grey of 16 bits as grey of 8, by division and not by clipping, and its alpha if one level is transparent."""
    levels = np.asarray(picture).astype(np.uint16)
    key = picture.info.get("transparency")
    alpha = None if key is None else np.where(levels == key, 0, 255).astype(np.uint8)
    return Image.fromarray((levels >> 8).astype(np.uint8)), alpha


def _alpha_of(picture: Image.Image) -> Bytes | None:
    """Straight alpha of a picture that may have some; None when every pixel is opaque."""
    key = picture.info.get("transparency")
    if picture.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # The transparent colour of a 16-bit picture, whose samples Pillow has cut to their upper 8 bits.
        picture.info["transparency"] = tuple(level >> 8 for level in key)
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    return None if alpha.min() == 255 else alpha
