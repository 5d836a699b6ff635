"""A PNG writer for one job: lossless 8-bit results, fast.

Every row is filtered with Sub (the difference to the pixel on the left, PNG specification 9.2) in numpy and packed
by ISA-L. On photographs that is a fifth of the time of zlib's fastest level, for a file a few percent larger.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final
from zlib import crc32

import numpy as np
from isal import isal_zlib

from worker.cutout.arrays import Bytes

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE: Final = {1: 0, 4: 6}  # channels → grey, RGBA
_SUB: Final = 1
_LEVEL: Final = 1
BAND_BYTES: Final = 2**20
"""About the size in which a picture should be handed in: it stays in the processor's cache."""


def write_png(
    width_px: int, height_px: int, channels: int, bands: Iterable[Bytes], icc: bytes | None = None
) -> bytes:
    """A PNG file of a picture that comes in bands of rows, so that no second copy of it is ever held.

    Args:
        width_px: at least 1.
        height_px: at least 1; the bands' rows add up to it.
        channels: 1 is grey, 4 RGB with straight alpha.
        bands: (rows, width, channels) uint8 each, from top to bottom.
        icc: a colour profile to embed.

    Raises:
        ValueError: the bands do not make up the picture.
    """
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    parts = [_SIGNATURE, _chunk(b"IHDR", header)]
    if icc is not None:
        parts.append(_chunk(b"iCCP", b"ICC profile\x00\x00" + isal_zlib.compress(icc)))
    packer = isal_zlib.compressobj(_LEVEL)
    rows = 0
    for band in bands:
        if band.dtype != np.uint8 or band.shape[1:] != (width_px, channels):
            raise ValueError(f"a band of shape {band.shape} {band.dtype} in a picture of {width_px} x {channels}")
        rows += len(band)
        parts.append(_data(packer.compress(_filtered(band).data)))
    if rows != height_px:
        raise ValueError(f"{rows} rows in a picture of {height_px}")
    parts += [_data(packer.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _filtered(band: Bytes) -> Bytes:
    """The rows as the file holds them: the filter's number, then differences to the left, modulo 256."""
    rows, width_px, channels = band.shape
    lines = np.empty((rows, 1 + width_px * channels), np.uint8)
    lines[:, 0] = _SUB
    flat = band.reshape(rows, width_px * channels)
    lines[:, 1 : 1 + channels] = flat[:, :channels]
    np.subtract(flat[:, channels:], flat[:, :-channels], out=lines[:, 1 + channels :])
    return lines


def _data(packed: bytes) -> bytes:
    """A chunk of image data; the packer often has nothing to say yet."""
    return _chunk(b"IDAT", packed) if packed else b""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(data, crc32(kind)))
