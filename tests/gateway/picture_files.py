"""Pictures for the tests, made byte by byte: the gateway's tests need no image library either."""

import base64
import struct
import zlib

BASE64_8X8 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGklEQVR42mNQSFiAFTEQkLhgYABHtJIgwVUAeGxJAbUlOosAAAAASUVORK5C"
    "YII="
)
"""The PNG of 8 x 8 pixels in the protocol's examples."""


def png(width_px: int = 8, height_px: int = 8, *, exif: bytes | None = None) -> bytes:
    """A black picture in 8-bit grey."""
    rows = zlib.compress(bytes((width_px + 1) * height_px))
    return _png(width_px, height_px, rows, b"" if exif is None else _png_chunk(b"eXIf", exif))


def png_header_only(width_px: int, height_px: int) -> bytes:
    """A PNG that claims a size without having the rows: what a bomb looks like from outside."""
    return _png(width_px, height_px, b"")


def jpeg(
    width_px: int = 8, height_px: int = 6, *, exif: bytes | None = None, exif_blocks: int = 1, scans: int = 1
) -> bytes:
    """A JPEG whose scans' data is nonsense."""
    exif_segment = b"" if exif is None else _jpeg_segment(0xE1, b"Exif\0\0" + exif) * exif_blocks
    frame = struct.pack(">BHHB", 8, height_px, width_px, 1) + b"\x01\x11\x00"
    scan = _jpeg_segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    return b"\xff\xd8" + exif_segment + _jpeg_segment(0xC0, frame) + (scan + b"\x00" * 8) * scans + b"\xff\xd9"


def webp(width_px: int = 8, height_px: int = 6, *, exif: bytes | None = None) -> bytes:
    """An extended WebP whose picture is nonsense."""
    size = (width_px - 1).to_bytes(3, "little") + (height_px - 1).to_bytes(3, "little")
    chunks = _riff_chunk(b"VP8X", b"\x08\0\0\0" + size) + _riff_chunk(b"VP8L", b"\x2f" + bytes(9))
    if exif is not None:
        chunks += _riff_chunk(b"EXIF", exif)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def heif(
    width_px: int = 8, height_px: int = 6, *, brand: bytes = b"heic", turns: int = 0, tiles: int = 0
) -> bytes:
    """An HEIC or AVIF file up to its picture, whose data is nonsense; it may be put together from itself."""
    sizes = (
        _box(b"ispe", bytes(4) + struct.pack(">II", 1, 1)),
        _box(b"ispe", bytes(4) + struct.pack(">II", width_px, height_px)),
    )
    described = b"".join(sizes) + _box(b"irot", bytes([turns]))
    # A thumbnail is item 1; item 2 is the picture.
    associations = bytes(4) + struct.pack(">IHBBHBBB", 2, 1, 1, 1, 2, 2, 2, 0x83)
    meta = bytes(4) + _box(b"pitm", bytes(4) + b"\0\2")
    meta += _box(b"iprp", _box(b"ipco", described) + _box(b"ipma", associations))
    if tiles:
        meta += _box(b"iref", bytes(4) + _box(b"dimg", struct.pack(">HH", 2, tiles) + b"\0\2" * tiles))
    return _box(b"ftyp", brand + bytes(4) + b"mif1" + brand) + _box(b"meta", meta) + _box(b"mdat", bytes(8))


def bmp(width_px: int = 8, height_px: int = 6) -> bytes:
    """A black BMP of 24 bits a pixel; a negative height stores it top down."""
    rows = bytes((width_px * 24 + 31) // 32 * 4 * abs(height_px))
    info = struct.pack("<IiiHHIIiiII", 40, width_px, height_px, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + info + rows


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def bmp_core(width_px: int = 8, height_px: int = 6) -> bytes:
    """A BMP with the oldest header, of 12 bytes; sizes in 16 bits."""
    rows = bytes((width_px * 24 + 31) // 32 * 4 * height_px)
    info = struct.pack("<IHHHH", 12, width_px, height_px, 1, 24)
    return b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26) + info + rows


def gif(width_px: int = 8, height_px: int = 6, *, frame_px: tuple[int, int] | None = None) -> bytes:
    """A GIF of one frame, with a colour table, an extension and two blocks of nonsense."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width_px, height_px, 0x80, 0, 0) + bytes(6)
    extension = b"\x21\xf9\x04" + bytes(4) + b"\0"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, *(frame_px or (width_px, height_px)), 0)
    return screen + extension + frame + b"\x02" + b"\x03abc" + b"\x02de" + b"\0" + b";"


def tiff(
    width_px: int = 8,
    height_px: int = 6,
    *,
    order: str = "<",
    orientation: int = 1,
    further: tuple[tuple[int, int, int, int], ...] = (),
) -> bytes:
    """An uncompressed TIFF of one strip in 8-bit grey; `further` has tag, type, count and value of more fields."""
    pixels = bytes(width_px * height_px)
    entries = [
        (256, 4, 1, width_px),
        (257, 4, 1, height_px),
        (273, 4, 1, 8),
        (274, 3, 1, orientation),
        (279, 4, 1, len(pixels)),
        *further,
    ]
    return _tiff(order, entries, pixels)


def nef() -> bytes:
    """What a camera's RAW file begins with: the TIFF of a thumbnail, which says that it is one."""
    return tiff(160, 106, further=((254, 4, 1, 1),))


def exif_block(orientation: int, order: str = "<") -> bytes:
    """A bare EXIF block that holds an orientation."""
    return _tiff(order, [(274, 3, 1, orientation)], b"")


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    """A data URI as published clients send it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _tiff(order: str, entries: list[tuple[int, int, int, int]], pixels: bytes) -> bytes:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    body = b"".join(_tiff_entry(order, *entry) for entry in entries)
    directory = struct.pack(order + "H", len(entries)) + body + bytes(4)
    return mark + struct.pack(order + "I", 8 + len(pixels)) + pixels + directory


def _tiff_entry(order: str, tag: int, kind: int, count: int, value: int) -> bytes:
    packed = struct.pack(order + ("H2x" if kind == 3 else "I"), value)
    return struct.pack(order + "HHI", tag, kind, count) + packed


def _png(width_px: int, height_px: int, rows: bytes, further: bytes = b"") -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + further + _png_chunk(b"IDAT", rows) + _png_chunk(b"IEND", b"")


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg_segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def _riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
