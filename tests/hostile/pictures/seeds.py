"""One small sound picture of each kind that is read: what damaged ones are made of."""

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import pillow_heif
from PIL import Image

from tests.worker.pictures.samples import SRGB, saved

_TIFF_KINDS: Final = ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
_PNG_MARK: Final = b"\x89PNG\r\n\x1a\n"


@cache
def seeds() -> Mapping[str, bytes]:
    """The pictures by their names, the same in every process."""
    pillow_heif.register_heif_opener(thumbnails=False)
    noise = np.random.default_rng(1)
    colour = Image.fromarray(noise.integers(0, 255, (24, 32, 3), np.uint8))
    deep = Image.fromarray(noise.integers(0, 65_535, (16, 16), np.uint16))
    grey, clear, few = colour.convert("L"), colour.convert("RGBA"), colour.convert("P")
    exif = Image.Exif()
    exif[274], exif[282] = 6, 72.0
    told: dict[str, Any] = {"exif": exif.tobytes()}
    frames: dict[str, Any] = {"save_all": True, "append_images": [clear, colour]}
    return {
        "jpeg": saved(colour, "JPEG", icc_profile=SRGB, **told),
        "progressive jpeg": saved(colour, "JPEG", progressive=True),
        "cmyk jpeg": saved(colour.convert("CMYK"), "JPEG"),
        "png": saved(clear, "PNG", icc_profile=SRGB, **told),
        "png with a palette": saved(few, "PNG", transparency=3),
        "deep png": saved(deep, "PNG"),
        "moving png": saved(colour, "PNG", **frames),
        "webp": saved(colour, "WEBP", **told),
        "lossless webp": saved(clear, "WEBP", lossless=True),
        "moving webp": saved(colour, "WEBP", **frames),
        "bmp": saved(colour, "BMP"),
        "bmp with a palette": saved(few, "BMP"),
        "gif": saved(few, "GIF"),
        "moving gif": saved(few, "GIF", save_all=True, append_images=[grey.convert("P")]),
        **{f"tiff, {kind}": saved(colour, "TIFF", compression=kind) for kind in _TIFF_KINDS},
        "tiff, group4": saved(colour.convert("1"), "TIFF", compression="group4"),
        "deep tiff": saved(deep, "TIFF"),
        "avif": saved(colour, "AVIF", **told),
        "clear avif": saved(clear, "AVIF"),
        "heic": saved(colour, "HEIF"),
        "clear heic": saved(clear, "HEIF"),
    }


def with_check_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the check sums of what is in them now; anything else as it is."""
    if not data.startswith(_PNG_MARK):
        return data
    whole, at = bytearray(data), len(_PNG_MARK)
    while at + 12 <= len(whole):
        end = at + 8 + int.from_bytes(whole[at : at + 4], "big")
        if end + 4 > len(whole):
            break
        whole[end : end + 4] = zlib.crc32(whole[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(whole)
