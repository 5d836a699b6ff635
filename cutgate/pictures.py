"""Pictures in every form that callers have. numpy's and Pillow's are recognised without loading either library."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from cutgate.errors import PictureEmpty

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

Picture: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any]"
"""A file's name, its content, a file open for reading, a Pillow picture, or an array of levels in sRGB."""

_COLOUR_TYPES: Final = {1: 0, 3: 2, 4: 6}
"""Channels, and what a PNG calls them."""
_SUB: Final = 1
_FAST: Final = 1
_STRAIGHT: Final = {"La": "LA", "RGBa": "RGBA"}
"""Modes with premultiplied alpha, and those with straight alpha that they become."""
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def is_array(picture: object) -> TypeGuard[NDArray[Any]]:
    """Whether it is a numpy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(picture, numpy.ndarray)


def is_pillow(picture: object) -> TypeGuard[Image.Image]:
    """Whether it is a Pillow picture."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(picture, pillow.Image)


def planes_of(levels: NDArray[Any]) -> NDArray[Any]:
    """An array as (height, width, channels), a view of it.

    Args:
        levels: (height, width), or (height, width, 1, 3 or 4) with straight alpha as the fourth; uint8 or uint16.

    Raises:
        ValueError: it has another shape or another type of number.
    """
    if levels.ndim == 2:
        levels = levels[..., None]
    if levels.ndim != 3 or levels.shape[2] not in _COLOUR_TYPES or 0 in levels.shape:
        raise ValueError(f"an array is (height, width) or (height, width, 1, 3 or 4), not {levels.shape}")
    if levels.dtype.name not in {"uint8", "uint16"}:
        raise ValueError(
            f"an array is of uint8 or uint16, not {levels.dtype}: for levels from 0 to 1 pass "
            "(255 * array).round().astype(numpy.uint8)"
        )
    return levels


def file_of(picture: Picture) -> bytes:
    """The content of a file with this picture: as it is, or without loss what is in memory alone."""
    if is_array(picture):
        return _png_of(planes_of(picture))
    if is_pillow(picture):
        return _file_of_pillow(picture)
    return read_picture(picture)


def read_picture(picture: Picture) -> bytes:
    """A picture's bytes."""
    content = _content_of(picture)
    if not content:
        raise PictureEmpty(os.fspath(picture) if isinstance(picture, str | os.PathLike) else "the picture")
    return content


def _content_of(picture: Picture) -> bytes:
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, str | os.PathLike):
        if os.fspath(picture).startswith(("http://", "https://")):
            raise ValueError(f"{picture} is an address, and what is taken are pictures: download it first")
        return Path(picture).read_bytes()
    read = getattr(picture, "read", None)
    if read is None:
        raise TypeError(
            f"{type(picture).__name__} is no picture: pass a file's name, its bytes, an open file, "
            "a Pillow picture or a numpy array"
        )
    content = read()
    if not isinstance(content, bytes):
        raise TypeError("the file was opened for text: open it for reading bytes, with mode 'rb'")
    return content


def _file_of_pillow(picture: Image.Image) -> bytes:
    """A PNG, or a TIFF for ink; with profile and EXIF, which say how to read the colours and which side is up."""
    if 0 in picture.size:
        raise ValueError("the picture has no pixels")
    if picture.mode in {"I", "F"}:
        raise ValueError("samples of 32 bits are not read: convert the picture to 8 or 16 bits per channel")
    kept = {"icc_profile": picture.info.get("icc_profile"), "exif": picture.getexif()}
    file = io.BytesIO()
    if picture.mode == "CMYK":
        picture.save(file, "TIFF", **kept)
        return file.getvalue()
    mode = _STRAIGHT.get(picture.mode, picture.mode)
    mode = "I;16" if mode.startswith("I;16") else mode if mode in _PNG_MODES else "RGB"
    plain = picture if mode == picture.mode else picture.convert(mode)
    plain.save(file, "PNG", compress_level=_FAST, pnginfo=_gamma_of(picture), **kept)
    return file.getvalue()


def _gamma_of(picture: Image.Image) -> PngInfo | None:
    """The exponent of a PNG's levels, which Pillow reads and does not write."""
    gamma = picture.info.get("gamma")
    if not gamma or "srgb" in picture.info:
        return None
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    return chunks


def _png_of(planes: NDArray[Any]) -> bytes:
    """A PNG, each row of which holds the differences to the pixel on the left (PNG specification, 9.2)."""
    import numpy as np

    height_px, width_px, channels = planes.shape
    depth = 8 * planes.dtype.itemsize
    header = struct.pack(">IIBBBBB", width_px, height_px, depth, _COLOUR_TYPES[channels], 0, 0, 0)
    levels = planes.astype(planes.dtype.newbyteorder(">"), order="C").view("u1")
    differences = np.diff(levels, axis=1, prepend=np.uint8(0)).reshape(height_px, -1)
    lines = np.insert(differences, 0, _SUB, axis=1)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), _FAST)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    """Length, kind, content and check sum (PNG specification, 5.3)."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
