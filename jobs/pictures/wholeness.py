"""Whether a picture's file is as long as it says: walks over the lengths in its own structure.

A file that a walk refuses is cut off; one that a walk accepts may still be damaged where only decoding looks.
Every walk reads lengths only, skips what they cover, and gives up after a bounded number of parts.
A walk may raise `struct.error` or `IndexError` where the file ends inside a length.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cutgate.jobs.errors import SourceUnreadable

_MAX_PARTS: Final = 2**18
"""Chunks, segments or blocks of one file: 32 MiB in GIF's blocks of 255 bytes, twice."""

_JPEG_START_OF_SCAN: Final = 0xDA
_JPEG_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD9)})

_BMP_UNCOMPRESSED: Final = frozenset({0, 3, 6})
_BMP_CORE_HEADER_BYTES: Final = 12

_TIFF_TYPE_BYTES: Final = {1: 1, 3: 2, 4: 4}
_TIFF_STRIPS: Final = (273, 279)
_TIFF_TILES: Final = (324, 325)


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk came past."""

    exif: bytes | None = None
    """The EXIF block of a format where imagesize does not look for it."""


def walk_png(data: bytes) -> Walk:
    """Chunks of length, type, data and check sum, up to `IEND` or, where that is missing, the end."""
    exif = None
    kind = b""
    position = 8
    for _ in _parts():
        if position >= len(data) and kind == b"IDAT":
            break
        size, kind = struct.unpack_from(">I4s", data, position)
        _reach(data, position + 12 + size)
        if kind == b"eXIf":
            exif = data[position + 8 : position + 8 + size]
        if kind == b"IEND":
            break
        position += 12 + size
    return Walk(exif)


def walk_webp(data: bytes) -> Walk:
    """The RIFF length, and within it chunks of type, length and data padded to even length."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    _reach(data, end)
    position = 12
    for _ in _parts():
        if position + 8 > end:
            break
        kind, size = struct.unpack_from("<4sI", data, position)
        _reach(data, position + 8 + size)
        if kind == b"EXIF":
            return Walk(data[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    return Walk()


def walk_jpeg(data: bytes) -> Walk:
    """Segments of marker and length, up to the first scan; a scan states no length."""
    position = 2
    for _ in _parts():
        position = data.find(b"\xff", position)
        if position < 0:
            raise SourceUnreadable("the picture ends before its first scan")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_BARE_MARKERS or marker == 0:
            position += 2
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
            _reach(data, position)
            if marker == _JPEG_START_OF_SCAN:
                break
    return Walk()


def walk_gif(data: bytes) -> Walk:
    """Colour tables, extensions and the blocks of the first frame."""
    parts = _parts()
    position = 13 + _gif_table_bytes(data[10])
    for _ in parts:
        introducer = data[position]
        if introducer == 0x21:
            position = _gif_blocks_end(data, position + 2, parts)
        elif introducer == 0x2C:
            _gif_blocks_end(data, position + 11 + _gif_table_bytes(data[position + 9]), parts)
            return Walk()
        else:
            break
    raise SourceUnreadable("the picture has no frame")


def walk_bmp(data: bytes) -> Walk:
    """Rows of an uncompressed picture, or the stated size of a compressed one."""
    start, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == _BMP_CORE_HEADER_BYTES:
        raise SourceUnreadable("a bitmap in the form of OS/2 1.x is not supported")
    width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", data, 18)
    if compression in _BMP_UNCOMPRESSED:
        size = (width * bits + 31) // 32 * 4 * abs(height)
    _reach(data, start + size)
    return Walk()


def walk_tiff(data: bytes) -> Walk:
    """Strips or tiles of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, directory)[0]
    _reach(data, directory + 2 + 12 * count)
    fields = {}
    for number in range(count):
        tag, kind, length = struct.unpack_from(order + "HHI", data, directory + 2 + 12 * number)
        fields[tag] = (kind, length, directory + 10 + 12 * number)
    for offsets, sizes in (_TIFF_STRIPS, _TIFF_TILES):
        if offsets in fields and sizes in fields:
            starts = _tiff_values(data, order, *fields[offsets])
            lengths = _tiff_values(data, order, *fields[sizes])
            _reach(data, max((start + size for start, size in zip(starts, lengths, strict=False)), default=0))
    return Walk()


def _tiff_values(data: bytes, order: str, kind: int, length: int, position: int) -> tuple[int, ...]:
    """The numbers of a directory entry, which lie in it or where it points."""
    size = _TIFF_TYPE_BYTES.get(kind)
    if size is None or length > _MAX_PARTS:
        raise SourceUnreadable("the picture's directory is not understood")
    if size * length > 4:
        position = struct.unpack_from(order + "I", data, position)[0]
    return struct.unpack_from(f"{order}{length}{'_BH_I'[size]}", data, position)


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


def _parts() -> Iterator[int]:
    """Count parts; over the bound the file is not a picture that somebody made."""
    yield from range(_MAX_PARTS)
    raise SourceUnreadable("the picture has too many parts")


def _reach(data: bytes, end: int) -> None:
    if end > len(data):
        raise SourceUnreadable(f"the picture has {len(data)} bytes, its own lengths need {end}")
