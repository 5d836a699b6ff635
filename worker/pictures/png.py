"""A PNG writer for one job: lossless results of 8 or 16 bits, fast.

Every row is filtered with Sub (the difference to the pixel on the left, PNG specification 9.2) in numpy and packed
by ISA-L. On photographs that is a fifth of the time of zlib's fastest level, for a file a few percent larger.
"""

import struct
from collections.abc import Iterable
from typing import Final
from zlib import crc32

import numpy as np
from isal import isal_zlib

from cutgate.worker.cutout.raster.arrays import Bytes, Levels
from cutgate.worker.pictures.metadata import INCH_METRES, Dpi

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE: Final = {1: 0, 4: 6}  # channels → grey, RGBA
_PER_METRE: Final = 1
_SUB: Final = 1
_LEVEL: Final = 1
_BAND_BYTES: Final = 2**20
"""Size in which a picture is worked on: it stays in the processor's cache."""


def write_png(pixels: Levels, icc: bytes | None = None, dpi: Dpi | None = None) -> bytes:
    """A PNG file, made in bands of rows, so that no second copy of the picture is ever held.

    Args:
        pixels: (height, width) of grey or (height, width, 4) of RGB with straight alpha, at least 1 x 1; uint8, or
            uint16 for a file of 16 bits.
        icc: a colour profile to embed.
        dpi: density to state, across and down.
    """
    height_px, width_px = pixels.shape[:2]
    planes = pixels.reshape(height_px, width_px, -1)
    sample_bytes, channels = pixels.dtype.itemsize, planes.shape[2]
    header = struct.pack(">IIBBBBB", width_px, height_px, 8 * sample_bytes, _COLOUR_TYPE[channels], 0, 0, 0)
    parts = [_SIGNATURE, _chunk(b"IHDR", header)]
    if icc is not None:
        parts.append(_chunk(b"iCCP", b"ICC profile\x00\x00" + isal_zlib.compress(icc)))
    if dpi is not None:
        per_metre = (round(density / INCH_METRES) for density in dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, _PER_METRE)))
    packer = isal_zlib.compressobj(_LEVEL)
    parts += (_data(packer.compress(lines.data)) for lines in _filtered_bands(planes))
    parts += [_data(packer.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _filtered_bands(planes: Levels) -> Iterable[Bytes]:
    """The rows as the file holds them: the filter's number, then differences to the left, modulo 256."""
    height_px, width_px, channels = planes.shape
    pixel_bytes = channels * planes.dtype.itemsize
    row_bytes = width_px * pixel_bytes
    rows_per_band = max(1, _BAND_BYTES // row_bytes)
    for top in range(0, height_px, rows_per_band):
        band = planes[top : top + rows_per_band]
        # The most significant byte comes first, and the filter knows bytes alone.
        flat = (
            np.ascontiguousarray(band, band.dtype.newbyteorder(">")).view(np.uint8).reshape(len(band), row_bytes)
        )
        lines = np.empty((len(band), 1 + row_bytes), np.uint8)
        lines[:, 0] = _SUB
        lines[:, 1 : 1 + pixel_bytes] = flat[:, :pixel_bytes]
        np.subtract(flat[:, pixel_bytes:], flat[:, :-pixel_bytes], out=lines[:, 1 + pixel_bytes :])
        yield lines


def _data(packed: bytes) -> bytes:
    """A chunk of image data; the packer often has nothing to say yet."""
    return _chunk(b"IDAT", packed) if packed else b""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(data, crc32(kind)))
