"""A PNG writer for one job: lossless results of 8 or 16 bits, fast.

Every row is filtered with Sub (the difference to the pixel on the left, PNG specification 9.2) in numpy and packed
by ISA-L. On photographs that is a fifth of the time of zlib's fastest level, for a file a few percent larger.

Bands of rows are packed apart from each other, so that threads can share them, and are one zlib stream together
(RFC 1950). What is a band depends on the picture alone, so the file is the same whatever the number of threads.
"""

import struct
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final

import numpy as np
from isal import isal_zlib
from isal.isal_zlib import crc32

from cutgate.worker.cutout.raster.arrays import Bytes, Levels
from cutgate.worker.pictures.metadata import INCH_METRES, Dpi

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE: Final = {1: 0, 4: 6}  # channels → grey, RGBA
_PER_METRE: Final = 1
_EXIF_OF_JPEG: Final = b"Exif\0\0"
"""What stands before EXIF in a JPEG, and in no PNG."""
_SUB: Final = 1
_LEVEL: Final = 1
_BAND_BYTES: Final = 2**20
"""Size in which a picture is worked on: it stays in the processor's cache, and is worth the start of a thread."""
_ZLIB_HEADER: Final = b"\x78\x01"
_RAW_DEFLATE: Final = -15
"""What zlib calls its window of 32 KiB where the stream has no header."""
_LAST_BLOCK: Final = b"\x03\x00"
"""An empty block that ends a stream, RFC 1951."""
_ADLER_MODULUS: Final = 65_521


def write_png(
    pixels: Levels,
    icc: bytes | None = None,
    dpi: Dpi | None = None,
    exif: bytes | None = None,
    *,
    threads: int = 1,
) -> bytes:
    """A PNG file, made in bands of rows, so that no second copy of the picture is ever held.

    Pixels are (height, width) of grey or (height, width, 4) with straight alpha, of 8 or 16 bits a channel.
    """
    height_px, width_px = pixels.shape[:2]
    planes = pixels.reshape(height_px, width_px, -1)
    sample_bytes, channels = pixels.dtype.itemsize, planes.shape[2]
    header = struct.pack(">IIBBBBB", width_px, height_px, 8 * sample_bytes, _COLOUR_TYPE[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    if icc is not None:
        chunks.append(_chunk(b"iCCP", b"ICC profile\x00\x00", isal_zlib.compress(icc)))
    if dpi is not None:
        per_metre = (round(density / INCH_METRES) for density in dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, _PER_METRE)))
    if exif is not None:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(_EXIF_OF_JPEG)))
    chunks += [_chunk(b"IDAT", *pieces) for pieces in _zlib_stream(planes, threads)]
    chunks.append(_chunk(b"IEND"))
    return b"".join(chain([_SIGNATURE], *chunks))


def _zlib_stream(planes: Levels, threads: int) -> list[list[bytes]]:
    """The rows as one stream, in pieces, which are those of a band each."""
    row_bytes = planes[0].nbytes
    rows = max(1, _BAND_BYTES // row_bytes)
    bands = [planes[top : top + rows] for top in range(0, len(planes), rows)]
    threads = min(threads, len(bands))
    if threads == 1:
        packed = [_packed(band) for band in bands]
    else:
        with ThreadPoolExecutor(threads, "png") as pool:
            packed = list(pool.map(_packed, bands))
    checksum = 1
    for band, (_, own_checksum) in zip(bands, packed, strict=True):
        checksum = _joined_adler32(checksum, own_checksum, len(band) * (1 + row_bytes))
    stream = [pieces for pieces, _ in packed]
    stream[0].insert(0, _ZLIB_HEADER)
    stream[-1] += [_LAST_BLOCK, struct.pack(">I", checksum)]
    return stream


def _packed(band: Levels) -> tuple[list[bytes], int]:
    """Deflate blocks that end at a byte and refer to nothing before them, and the Adler-32 of what is in them."""
    lines = _filtered(band).data
    packer = isal_zlib.compressobj(_LEVEL, wbits=_RAW_DEFLATE)
    return [packer.compress(lines), packer.flush(isal_zlib.Z_FULL_FLUSH)], isal_zlib.adler32(lines)


def _filtered(band: Levels) -> Bytes:
    """The rows as the file holds them: the filter's number, then differences to the left, modulo 256."""
    pixel_bytes = band[0, 0].nbytes
    # The most significant byte comes first, and the filter knows bytes alone.
    flat = np.ascontiguousarray(band, band.dtype.newbyteorder(">")).view(np.uint8).reshape(len(band), -1)
    lines = np.empty((len(band), 1 + flat.shape[1]), np.uint8)
    lines[:, 0] = _SUB
    lines[:, 1 : 1 + pixel_bytes] = flat[:, :pixel_bytes]
    np.subtract(flat[:, pixel_bytes:], flat[:, :-pixel_bytes], out=lines[:, 1 + pixel_bytes :])
    return lines


def _joined_adler32(first: int, second: int, second_bytes: int) -> int:
    """Adler-32 of two pieces of data after each other, by that of each, as `adler32_combine` of zlib has it.

    Its lower half is 1 + the sum of all bytes, its upper half the sum of what the lower was after each byte.
    """
    first_low, first_high = first & 0xFFFF, first >> 16
    second_low, second_high = second & 0xFFFF, second >> 16
    low = (first_low + second_low - 1) % _ADLER_MODULUS
    high = (first_high + second_high + second_bytes * (first_low - 1)) % _ADLER_MODULUS
    return high << 16 | low


def _chunk(kind: bytes, *pieces: bytes) -> tuple[bytes, ...]:
    """A chunk in pieces, which are copied once, into the file."""
    checksum = crc32(kind)
    for piece in pieces:
        checksum = crc32(piece, checksum)
    return struct.pack(">I", sum(map(len, pieces))), kind, *pieces, struct.pack(">I", checksum)
