"""Bytes to arrays: every format that comes in.

A picture is turned upright, brought to 8 bits and to sRGB, and parted from its own alpha; what follows sees
nothing but plain sRGB pixels. On request its profile or its 16 bits are kept beside them.
"""

import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from cutgate.jobs.errors import CutoutError, SourceUndecodable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect, require_size
from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, Bytes, RgbImage, Samples, strips
from cutgate.worker.pictures.colour import (
    converted_to_srgb,
    from_gamma,
    gamma_of,
    is_rgb_profile,
    means_srgb,
    to_srgb,
)
from cutgate.worker.pictures.metadata import Dpi, Rights, dpi_of, orientation_of, rights_of, turned
from cutgate.worker.pictures.sixteen_bit import is_deep, parted, read_samples, to_8_bit

FORMATS: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "image/gif": "GIF",
    "image/tiff": "TIFF",
    "image/heic": "HEIF",
}
"""What is read, as media types, and the decoder of each; of an animation the first frame."""
_DAMAGED: Final = "the picture is truncated or damaged; save or send it again"
_UNKNOWN_TIFF: Final = (
    "this TIFF is damaged, or has samples of a kind that is not read, such as 32 bits; "
    "save the picture with 8 or 16 bits per channel"
)
_STRAIGHT: Final = {"La": "LA", "RGBa": "RGBA"}
"""Modes with premultiplied alpha, and those with straight alpha that they become."""
_COLOURS_OF: Final = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
"""Modes whose colours are not RGB."""
BACKDROPS: Final = (255, 128, 0)
"""Greys that transparency may be shown as, the usual one first."""
ALIKE_LEVELS: Final = 32
"""A pixel no further than this from a backdrop, in grey, may be taken for a part of it."""
# Pillow's bound on pixels is a constant of the library; ours is a setting, and is checked before decoding.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceImage:
    """A decoded source, upright. The arrays may be read-only.

    Attributes:
        rgb: (height, width, 3) uint8; sRGB unless `icc_profile` says otherwise.
        alpha: (height, width) uint8, straight; None when the source is opaque.
        icc_profile: the RGB profile that the colours keep to, when it was to be kept.
        dpi: density, across and down; None where the source has none.
        rights: whose picture it is; None where it does not say so.
        samples: (height, width, 3) uint16, the colours as stored, when 16 bits were to be kept and are there.
    """

    rgb: RgbImage
    alpha: ByteMask | None
    icc_profile: bytes | None = None
    dpi: Dpi | None = None
    rights: Rights | None = None
    samples: Samples | None = None

    def over_backdrop(self) -> RgbImage:
        """The picture as it is looked at: transparency is one of `BACKDROPS`. `rgb` itself when opaque."""
        if self.alpha is None:
            return self.rgb
        shown, backdrop = np.empty_like(self.rgb), (_backdrop(self.rgb, self.alpha),) * 3
        for strip in strips(len(shown)):
            picture, alpha = Image.fromarray(self.rgb[strip]), Image.fromarray(self.alpha[strip])
            shown[strip] = np.asarray(Image.composite(picture, Image.new("RGB", picture.size, backdrop), alpha))
        return shown

    def to_srgb(self, view: RgbImage) -> RgbImage:
        """A part of the picture in sRGB; the part itself where it is so already."""
        return view if self.icc_profile is None else converted_to_srgb(view, self.icc_profile)


def read_image(
    data: bytes, limits: SourceLimits, *, keep_rgb_profile: bool = False, keep_16_bit: bool = False
) -> SourceImage:
    """Decode a picture.

    Args:
        data: a file in one of `FORMATS`, by its first bytes; names and media types play no part.
        limits: checked before anything is decoded.
        keep_rgb_profile: keep an RGB picture's numbers and hand its profile on, instead of converting to sRGB.
        keep_16_bit: keep the colours of a PNG or TIFF picture of 16 bits per channel beside those of 8. Its
            numbers and its profile then stay as they are: there is no conversion at that depth.

    Raises:
        SourceUnreadable: the bytes are no picture in a known format.
        SourceTooLarge: the picture is over a limit.
        SourceTooCostly: decoding it would take far more than its pixels are worth.
        SourceUndecodable: the picture is truncated, damaged, or holds samples of a kind that is not read.
    """
    header = inspect(data, limits)
    data = header.picture_of(data)
    decoder = FORMATS[header.media_type]
    if decoder == "HEIF":
        learn_heif()
    # Pillow warns of oddities in metadata that have no bearing on the pixels. (Where several threads decode, the
    # filter may outlast this block, which harms nothing.)
    with warnings.catch_warnings(action="ignore"):
        try:
            source = None
            if decoder == "JPEG":
                source = _decode_jpeg(data, _opened(data, decoder, limits), keep_rgb_profile=keep_rgb_profile)
            elif keep_16_bit:
                source = _decode_deep(data, _opened(data, decoder, limits))
            if source is not None:
                return source
            # No name holds the picture, so that it goes as soon as it is converted.
            return of_pillow(_loaded(data, _opened(data, decoder, limits)), keep_rgb_profile=keep_rgb_profile)
        except (CutoutError, MemoryError):
            raise
        except UnidentifiedImageError as error:  # its header has passed, so its decoder knows no such samples
            raise SourceUndecodable(_UNKNOWN_TIFF if decoder == "TIFF" else _DAMAGED) from error
        except Exception as error:  # what a decoder raises on damaged bytes differs from one to the next
            raise SourceUndecodable(_DAMAGED) from error


def _backdrop(rgb: RgbImage, alpha: ByteMask) -> int:
    """Of `BACKDROPS` the one that fewest of the opaque pixels are like."""
    levels = np.zeros(256)
    for strip in strips(len(rgb)):
        opaque = (alpha[strip] >= LIKELY).view(np.uint8)
        grey = cv2.cvtColor(rgb[strip], cv2.COLOR_RGB2GRAY)
        levels += cv2.calcHist([grey], [0], opaque, [256], [0, 256]).ravel()
    alike = [levels[max(0, backdrop - ALIKE_LEVELS) : backdrop + ALIKE_LEVELS + 1].sum() for backdrop in BACKDROPS]
    return BACKDROPS[int(np.argmin(alike))]


def _opened(data: bytes, decoder: str, limits: SourceLimits) -> Image.Image:
    """The picture's header as its decoder reads it, held to the limits once more."""
    picture = Image.open(io.BytesIO(data), formats=[decoder])
    require_size(len(data), picture.width, picture.height, limits)
    return picture


@cache
def learn_heif() -> None:
    """Load the decoder of HEIC, which nobody waits for who sends none."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def _decode_jpeg(data: bytes, picture: Image.Image, *, keep_rgb_profile: bool) -> SourceImage | None:
    """A JPEG in colour, decoded by what Pillow has for it (libjpeg-turbo), but at once into an array.

    Pillow has four bytes for a pixel; to take one away costs a third of the whole. None where the colours are of
    another kind, or anything is wrong with the file: Pillow says then whether it can be read for all that.
    """
    if picture.mode != "RGB":
        return None
    width_px, height_px = picture.size
    pixels = np.empty((height_px, width_px, 3), np.uint8)
    try:
        decoded = simplejpeg.decode_jpeg(data, "RGB", buffer=pixels)
    except ValueError:
        return None
    if decoded.shape != pixels.shape:
        return None
    icc, orientation = picture.info.get("icc_profile"), orientation_of(picture)
    dpi, rights = dpi_of(picture, orientation), rights_of(picture)
    pixels = turned(pixels, orientation)
    kept = icc if icc and keep_rgb_profile and is_rgb_profile(icc) else None
    rgb = converted_to_srgb(pixels, icc) if icc and not kept else pixels
    return SourceImage(rgb=rgb, alpha=None, icc_profile=kept, dpi=dpi, rights=rights)


def _decode_deep(data: bytes, picture: Image.Image) -> SourceImage | None:
    """The picture with its 16 bits; None where it has not so many, or they cannot be kept."""
    icc = picture.info.get("icc_profile")
    if not is_deep(data, picture) or (icc and not is_rgb_profile(icc)):
        return None
    orientation = orientation_of(picture)
    dpi, rights = dpi_of(picture, orientation), rights_of(picture)
    del picture  # finding its metadata may have decoded it
    samples = read_samples(data, orientation)
    if samples is None:
        return None
    colours, alpha = parted(samples)
    kept = icc if icc and not means_srgb(icc) else None
    return SourceImage(
        rgb=to_8_bit(colours), alpha=alpha, icc_profile=kept, dpi=dpi, rights=rights, samples=colours
    )


def _loaded(data: bytes, picture: Image.Image) -> Image.Image:
    """The decoded picture with its metadata; Pillow's own errors pass through."""
    if picture.format != "WEBP":
        picture.load()
        return picture
    # Pillow reads every WebP as an animation and takes 15 bytes a pixel for it, OpenCV half as many. The pixels
    # are the same: both call libwebp.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[1::-1] != picture.size:
        raise SourceUndecodable(_DAMAGED)
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    loaded = Image.fromarray(np.asarray(cv2.cvtColor(pixels, order, dst=pixels), np.uint8))
    loaded.info = picture.info
    return loaded


def of_pillow(picture: Image.Image, *, keep_rgb_profile: bool = False) -> SourceImage:
    """Bring a decoded picture to plain sRGB, upright. It stays as it is; Pillow's own errors pass through.

    Raises:
        SourceUndecodable: it has samples of 32 bits.
    """
    icc, gamma = picture.info.get("icc_profile"), gamma_of(picture.info)
    orientation = orientation_of(picture)
    dpi, rights = dpi_of(picture, orientation), rights_of(picture)
    if picture.mode in {"I", "F"}:
        raise SourceUndecodable("samples of 32 bits are not read; save the picture with 8 or 16 bits per channel")
    alpha = None
    if picture.mode.startswith("I;16"):
        picture, alpha = _reduce_grey(picture)
    elif picture.has_transparency_data:
        picture = picture.convert(_STRAIGHT.get(picture.mode, picture.mode))
        alpha = _alpha_of(picture)
    mode = _COLOURS_OF.get(picture.mode, "RGB")
    if picture.mode != mode:  # `convert` would copy
        picture = picture.convert(mode)
    kept = icc if icc and keep_rgb_profile and mode == "RGB" and is_rgb_profile(icc) else None
    if not kept:
        picture = to_srgb(picture, icc) if icc else from_gamma(to_srgb(picture, None), gamma)
    rgb = turned(_pixels_of(picture), orientation)
    alpha = None if alpha is None else turned(alpha, orientation)
    return SourceImage(rgb=rgb, alpha=alpha, icc_profile=kept, dpi=dpi, rights=rights)


def _pixels_of(picture: Image.Image) -> RgbImage:
    """The array of an RGB picture, in strips: whole, Pillow would hold it twice on the way.

    Pillow has four bytes for a pixel. It hands them over as they are, for OpenCV is faster at taking one away.
    """
    width_px, height_px = picture.size
    pixels = np.empty((height_px, width_px, 3), np.uint8)
    for strip in strips(height_px):
        data = picture.crop((0, strip.start, width_px, strip.stop)).tobytes("raw", "RGBX")
        four = np.frombuffer(data, np.uint8).reshape(-1, width_px, 4)
        cv2.cvtColor(four, cv2.COLOR_RGBA2RGB, dst=pixels[strip])
    return pixels


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
        picture = picture.copy()
        picture.info["transparency"] = tuple(level >> 8 for level in key)
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    return None if alpha.min() == 255 else alpha
