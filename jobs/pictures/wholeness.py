"""Whether a picture's file is as long as it says, and what decoding it costs: walks over its own structure.

A file that a walk refuses is cut off; one that a walk accepts may still be damaged where only decoding looks.
Every walk reads lengths only, skips what they cover, and gives up after a bounded number of parts.
A walk may raise `struct.error` or `IndexError` where the file ends inside a length.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cutgate.jobs.errors import SourceUnreadable

UNKNOWN_FORMAT: Final = "the bytes are not a JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF picture"

_MAX_PARTS: Final = 2**18
"""Chunks, segments or blocks of one file: 32 MiB in GIF's blocks of 255 bytes, twice."""

_SPARE_BYTES: Final = 65_536
"""Padding and small lists that programs leave behind a picture."""
_CAMERAS_OWN: Final = re.compile(rb"\0*(\xff\xd8\xff|.{4}ftyp)", re.DOTALL)
"""Another picture or a film, as photos with depth, with more light or with motion have them."""
_SAMSUNGS_END: Final = b"SEFT"

_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What stands in a scan's data is stuffed, so that no marker but a restart's occurs in it."""
_JPEG_SCAN: Final = re.compile(rb"\xff\xda")
_JPEG_START_OF_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_BARE_MARKERS: Final = frozenset({0x01, 0xD8})
_JPEG_EXIF: Final = b"Exif\0\0"
_MAX_EXIF_BLOCKS: Final = 64
"""Decoders join them one by one, in a time that grows with the square of their number."""

_PNG_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by the colour type."""

_WEBP_MOVES: Final = 0x02
"""A flag of its first chunk: frames are drawn over a canvas, which decoders hold twice."""

_BMP_UNCOMPRESSED: Final = frozenset({0, 3, 6})
_BMP_CORE_HEADER_BYTES: Final = 12

_TIFF_TYPE_BYTES: Final = {1: 1, 3: 2, 4: 4}
_TIFF_STRIPS: Final = (273, 279)
_TIFF_TILES: Final = (324, 325)
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COMPRESSION, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 256, 257, 259, 322, 323
_TIFF_SUBFILE_TYPE, _TIFF_DNG_VERSION = 254, 50706
_TIFF_REDUCED: Final = 1
"""A bit of the type: the directory holds a smaller copy of another picture in the file."""
_TIFF_READ: Final = frozenset({254, 256, 257, 259, 322, 323, 50706, *_TIFF_STRIPS, *_TIFF_TILES})
_TIFF_JPEG: Final = frozenset({6, 7})


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk came past."""

    exif: bytes | None = None
    """The EXIF block of a format where imagesize does not look for it."""
    end: int | None = None
    """Where the picture ends in the file; None where the format does not say."""
    pixels: int = 0
    """Those of the tiles or the frame that are decoded, where they are not the picture's own."""
    scans: int = 1
    """How often a decoder goes over all pixels."""
    layers: int = 1
    """How many times a decoder holds all pixels."""
    pixel_bytes: float = 0
    """Bytes of a pixel; 0 where the format has no more than the usual three or four."""


def walk_png(data: bytes) -> Walk:
    """Chunks of length, type, data and check sum, up to `IEND` or, where that is missing, the end."""
    exif = None
    kind = b""
    position = 8
    for _ in counted():
        if kind == b"IEND" or (position >= len(data) and kind == b"IDAT"):
            break
        size, kind = struct.unpack_from(">I4s", data, position)
        _reach(data, position + 12 + size)
        if kind == b"eXIf":
            exif = data[position + 8 : position + 8 + size]
        position += 12 + size
    return Walk(exif, position, pixel_bytes=_PNG_SAMPLES.get(data[25], 0) * data[24] / 8)


def walk_webp(data: bytes) -> Walk:
    """The RIFF length, and within it chunks of type, length and data padded to even length."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    _reach(data, end)
    layers = 2 if data[12:16] == b"VP8X" and data[20] & _WEBP_MOVES else 1
    position = 12
    for _ in counted():
        if position + 8 > end:
            break
        kind, size = struct.unpack_from("<4sI", data, position)
        _reach(data, position + 8 + size)
        if kind == b"EXIF":
            return Walk(data[position + 8 : position + 8 + size], end, layers=layers)
        position += 8 + size + size % 2
    return Walk(end=end, layers=layers)


def walk_jpeg(data: bytes) -> Walk:
    """Segments of marker and length up to the end mark, and between them scans, which state no length.

    Whatever may be a scan's marker counts as one, also within a segment: decoders differ in what they skip.
    """
    position, first_scan, end = 2, 0, None
    scans = 0
    for found, _ in zip(_JPEG_MARKER.finditer(data, position), counted(), strict=False):
        marker = data[found.end() - 1]
        scans += marker == _JPEG_START_OF_SCAN
        if found.start() < position:
            continue
        position = found.end()
        if marker == _JPEG_END:
            end = position
            break
        position += 0 if marker in _JPEG_BARE_MARKERS else struct.unpack_from(">H", data, position)[0]
        if not first_scan:
            _reach(data, position)
            first_scan = position if marker == _JPEG_START_OF_SCAN else 0
    if not first_scan:
        raise SourceUnreadable("the picture ends before its first scan")
    if data.count(_JPEG_EXIF, 0, first_scan) > _MAX_EXIF_BLOCKS:
        raise SourceUnreadable("the picture has too many parts")
    return Walk(end=end, scans=scans)


def walk_gif(data: bytes) -> Walk:
    """Colour tables, extensions and the blocks of the first frame; where further ones end is not looked at."""
    parts = counted()
    position = 13 + _gif_table_bytes(data[10])
    for _ in parts:
        introducer = data[position]
        if introducer == 0x21:
            position = _gif_blocks_end(data, position + 2, parts)
        elif introducer == 0x2C:
            left_px, top_px, width_px, height_px = struct.unpack_from("<4H", data, position + 1)
            position = _gif_blocks_end(data, position + 11 + _gif_table_bytes(data[position + 9]), parts)
            end = position + 1 if data[position : position + 1] == b";" else None
            return Walk(end=end, pixels=(left_px + width_px) * (top_px + height_px))
        else:
            break
    raise SourceUnreadable("the picture has no frame")


def walk_bmp(data: bytes) -> Walk:
    """Rows of an uncompressed picture, or the stated size of a compressed one."""
    whole_bytes, _, start, header_bytes = struct.unpack_from("<IIII", data, 2)
    if header_bytes == _BMP_CORE_HEADER_BYTES:
        raise SourceUnreadable("a bitmap in the form of OS/2 1.x is not supported")
    width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", data, 18)
    if compression in _BMP_UNCOMPRESSED:
        size = (width * bits + 31) // 32 * 4 * abs(height)
    _reach(data, start + size)
    return Walk(end=max(start + size, min(whole_bytes, len(data))))


def walk_tiff(data: bytes) -> Walk:
    """Strips or tiles of the first directory; a camera's RAW file, which has a thumbnail there, is no picture."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, directory)[0]
    _reach(data, directory + 2 + 12 * count)
    fields: dict[int, tuple[int, ...]] = {}
    for number in range(count):
        place = directory + 2 + 12 * number
        tag, kind, length = struct.unpack_from(order + "HHI", data, place)
        if tag in _TIFF_READ:
            if tag in fields:  # decoders differ in which of two counts
                raise SourceUnreadable("the picture's directory is not understood")
            fields[tag] = _tiff_values(data, order, kind, length, place + 8)
    is_thumbnail = any(flags & _TIFF_REDUCED for flags in fields.get(_TIFF_SUBFILE_TYPE, ()))
    if is_thumbnail or _TIFF_DNG_VERSION in fields:
        raise SourceUnreadable(UNKNOWN_FORMAT, wrong="format")
    for offsets, sizes in (_TIFF_STRIPS, _TIFF_TILES):
        ends = (start + size for start, size in zip(fields.get(offsets, ()), fields.get(sizes, ()), strict=False))
        _reach(data, max(ends, default=0))
    return _tiff_tiles(data, {tag: values[0] for tag, values in fields.items() if values})


def _tiff_tiles(data: bytes, field: Mapping[int, int]) -> Walk:
    """What the tiles of a TIFF hold, where it has some; those at its edges reach beyond it."""
    width_px, height_px = field.get(_TIFF_WIDTH, 0), field.get(_TIFF_HEIGHT, 0)
    tile_width_px = field.get(_TIFF_TILE_WIDTH, width_px)
    tile_height_px = field.get(_TIFF_TILE_HEIGHT, height_px)
    if not tile_width_px or not tile_height_px:
        raise SourceUnreadable("the picture's directory is not understood")
    tiles = -(-width_px // tile_width_px) * -(-height_px // tile_height_px)
    # Each tile or strip in JPEG's form has scans of its own.
    scans = -(-len(_JPEG_SCAN.findall(data)) // max(tiles, 1)) if field.get(_TIFF_COMPRESSION) in _TIFF_JPEG else 1
    return Walk(pixels=tiles * tile_width_px * tile_height_px, scans=max(scans, 1))


def _tiff_values(data: bytes, order: str, kind: int, length: int, position: int) -> tuple[int, ...]:
    """The numbers of a directory entry, which lie in it or where it points."""
    size = _TIFF_TYPE_BYTES.get(kind)
    if size is None or length > _MAX_PARTS:
        raise SourceUnreadable("the picture's directory is not understood")
    if size * length > 4:
        position = struct.unpack_from(order + "I", data, position)[0]
    return struct.unpack_from(f"{order}{length}{'_BH_I'[size]}", data, position)


def require_end(data: bytes, end: int | None) -> int:
    """How many bytes of a file are the picture: cameras append another one, a film, or a list of their own."""
    end = len(data) if end is None else min(end, len(data))
    spare_bytes = len(data) - end
    if spare_bytes > _SPARE_BYTES and not (_CAMERAS_OWN.match(data, end) or data.endswith(_SAMSUNGS_END)):
        raise SourceUnreadable(f"{spare_bytes} bytes stand behind the picture's end; save or send it again")
    return end


def _gif_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, position: int, parts: Iterator[int]) -> int:
    """Where a run of blocks ends, each with its length in front; a length of 0 ends the run."""
    for _ in parts:
        size = data[position]
        position += 1 + size
        if not size:
            break
    return position


def counted() -> Iterator[int]:
    """Count parts; over the bound the file is not a picture that somebody made."""
    yield from range(_MAX_PARTS)
    raise SourceUnreadable("the picture has too many parts")


def _reach(data: bytes, end: int) -> None:
    if end > len(data):
        raise SourceUnreadable(f"the picture has {len(data)} bytes, its own lengths need {end}")
