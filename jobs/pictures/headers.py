"""Format, oriented size, wholeness and price of a picture from its bytes, without decoding it.

`filetype` names the format and `imagesize` reads sizes and EXIF orientation, each under a bound on its reads
(a PNG's size stands where it always does, and is read here at a fraction of the cost);
`wholeness` follows the lengths that the file states of itself. HEIC and AVIF are left to `iso_media`,
and what only decoding shows to the worker.
"""

import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import filetype
import imagesize
from filetype.types import image

from cutgate.jobs.errors import SourceTooCostly, SourceTooLarge, SourceUnreadable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures import iso_media, wholeness
from cutgate.jobs.pictures.wholeness import Walk

EMPTY: Final = "the picture is empty (0 bytes)"

_MATCHERS: Final = (image.Jpeg(), image.Png(), image.Webp(), image.Bmp(), image.Gif(), image.Tiff())

_WALKERS: Final[dict[str, Callable[[bytes], Walk]]] = {
    "image/jpeg": wholeness.walk_jpeg,
    "image/png": wholeness.walk_png,
    "image/webp": wholeness.walk_webp,
    "image/bmp": wholeness.walk_bmp,
    "image/gif": wholeness.walk_gif,
    "image/tiff": wholeness.walk_tiff,
}

_PNG_START: Final = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4}).{2}", re.DOTALL)
"""Signature and first chunk, with width and height."""

_SWAPPING: Final = range(5, 9)
"""EXIF orientations that exchange width and height."""

_MAX_STORED_SHARE: Final = 4
"""How much larger than the picture its tiles, or its first frame, may be."""
_LEAST_STORED_PIXELS: Final = 2**22
"""Tiles have a size of their own, however small the picture is."""

_USUAL_PIXEL_BYTES: Final = 4
"""A picture with more, such as one of 16 bits, may have so many fewer pixels."""

_READ_COST_BYTES: Final = 64
_READ_SLACK_BYTES: Final = 2**20
_JPEG_SEGMENT_BYTES: Final = 65_533 - len(b"Exif\0\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHeader:
    """What the bytes say of a picture, with the EXIF orientation applied."""

    media_type: str
    width_px: int
    height_px: int
    size_bytes: int
    """How many bytes of the file are the picture."""

    @property
    def megapixels(self) -> int:
        """Rounded up, as rates count them."""
        return -(-self.width_px * self.height_px // 1_000_000)

    def picture_of(self, data: bytes) -> bytes:
        """The file without what a camera has appended to the picture."""
        return data if len(data) == self.size_bytes else data[: self.size_bytes]


def inspect(data: bytes, limits: SourceLimits) -> PictureHeader:
    """Check a picture as far as its header and its own lengths go.

    Args:
        data: the whole file.
        limits: bounds on bytes, pixels and side; pixels and sides are counted after orientation.

    Raises:
        SourceUnreadable: the format is unknown, the size cannot be read, or the file is shorter than its own
            lengths say.
        SourceTooLarge: a limit is passed.
        SourceTooCostly: it would take a decoder far more than its pixels are worth.
    """
    if not data:
        raise SourceUnreadable(EMPTY)
    if len(data) > limits.max_bytes:
        raise SourceTooLarge("bytes", len(data), limits.max_bytes)
    header, walk = _read(data)
    require_size(len(data), header.width_px, header.height_px, limits)
    _require_price(header.width_px * header.height_px, walk, limits)
    return header


def _require_price(pixels: int, walk: Walk, limits: SourceLimits) -> None:
    """Check what decoding costs, as far as it follows from what the file states."""
    most_stored = max(_MAX_STORED_SHARE * pixels, _LEAST_STORED_PIXELS)
    if walk.pixels > most_stored:
        raise SourceTooCostly("pixels in its tiles or frames", walk.pixels, most_stored)
    if pixels * walk.layers > limits.max_pixels:
        raise SourceTooCostly("pixels in a moving picture's layers", pixels * walk.layers, limits.max_pixels)
    most_bytes = _USUAL_PIXEL_BYTES * limits.max_pixels
    if pixels * walk.pixel_bytes > most_bytes:
        raise SourceTooCostly(
            f"bytes in pixels of {walk.pixel_bytes:g} bytes", int(pixels * walk.pixel_bytes), most_bytes
        )
    decoded = max(walk.pixels, pixels) * walk.scans
    if decoded > limits.max_decoded_pixels:
        raise SourceTooCostly(f"pixels in {walk.scans} scans", decoded, limits.max_decoded_pixels)


def require_size(size_bytes: int, width_px: int, height_px: int, limits: SourceLimits) -> None:
    """Check a picture whose size is known.

    Raises:
        SourceTooLarge: a limit is passed.
    """
    side_px, pixels = max(width_px, height_px), width_px * height_px
    for measure, value, limit in (
        ("bytes", size_bytes, limits.max_bytes),
        ("pixels on its longer side", side_px, limits.max_side_px),
        ("pixels", pixels, limits.max_pixels),
    ):
        if value > limit:
            raise SourceTooLarge(measure, value, limit)


def _read(data: bytes) -> tuple[PictureHeader, Walk]:
    media_type = _media_type_of(data)
    try:
        if media_type in _WALKERS:
            width_px, height_px, orientation = _size_of(data)
            walk = _WALKERS[media_type](data)
            if walk.exif:
                orientation = _orientation_of(walk.exif)
        else:
            width_px, height_px, orientation, walk = iso_media.read(data)
    except (struct.error, IndexError):
        raise SourceUnreadable("the picture ends inside its header", wrong="size") from None
    if width_px < 1 or height_px < 1:
        raise SourceUnreadable("the picture's size cannot be read", wrong="size")
    if orientation in _SWAPPING:
        width_px, height_px = height_px, width_px
    header = PictureHeader(
        media_type=media_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=wholeness.require_end(data, walk.end),
    )
    return header, walk


def _media_type_of(data: bytes) -> str:
    kind = filetype.match(data, _MATCHERS)
    media_type = iso_media.media_type_of(data) if kind is None else str(kind.mime)
    if media_type is None:
        raise SourceUnreadable(wholeness.UNKNOWN_FORMAT, wrong="format")
    return media_type


def _size_of(data: bytes) -> tuple[int, int, int]:
    """Stored width and height in pixels, and the orientation where the format's own place for it is known."""
    if (png := _PNG_START.match(data)) is not None:
        return int.from_bytes(png[1], "big"), int.from_bytes(png[2], "big"), -1
    try:
        info = imagesize.get_info(
            _BoundedReader(data), dpi=False, colors=False, channels=False, exif_rotation=False
        )
    except Exception:  # the parser promises no set of errors for damaged files
        raise SourceUnreadable("the picture's size cannot be read", wrong="size") from None
    return info.width, info.height, info.rotation


def _orientation_of(exif: bytes) -> int:
    """The orientation in a bare EXIF block (PNG `eXIf`, WebP `EXIF`), where imagesize does not look.

    The block is handed over inside a JPEG of one pixel, so that one reader decides for every format.
    """
    block = exif.removeprefix(b"Exif\0\0")[:_JPEG_SEGMENT_BYTES]
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 8, 8, 1, 1, 0)
    return _size_of(b"\xff\xd8" + segment + frame)[2]


class _BoundedReader(io.BytesIO):
    """A file in memory whose reads cost: hostile lengths end in an error, not in hours."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._budget_bytes = 2 * len(data) + _READ_SLACK_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        taken = super().read(size)
        self._budget_bytes -= len(taken) + _READ_COST_BYTES
        if self._budget_bytes < 0:
            raise ValueError("too many reads")
        return taken
