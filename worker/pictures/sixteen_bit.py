"""Pictures of 16 bits per channel, whose colours Pillow would cut to 8."""

from typing import Final

import cv2
import numpy as np
from PIL import Image

from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes, Samples
from cutgate.worker.pictures.metadata import turned

_PNG_SIGNATURE: Final = b"\x89PNG"
_PNG_DEPTH_AT: Final = 24
"""Where a PNG's header states the bits per channel."""
_TIFF_BITS, _TIFF_COLOURS, _TIFF_EXTRA, _TIFF_SAMPLE_KIND = 258, 262, 338, 339
_TIFF_BLACK_IS_ZERO, _TIFF_RGB, _TIFF_STRAIGHT_ALPHA, _TIFF_UNSIGNED = 1, 2, 2, 1


def is_deep(data: bytes, picture: Image.Image) -> bool:
    """Whether a picture has 16 bits per channel that `read_samples` reads right."""
    if "transparency" in picture.info:  # one transparent colour; Pillow makes alpha of it, at 8 bits
        return False
    return data[_PNG_DEPTH_AT] == 16 if picture.format == "PNG" else _is_deep_tiff(picture)


def read_samples(data: bytes, orientation: int) -> Samples | None:
    """Decode a picture that `is_deep`, and turn it upright; None where OpenCV does not know this kind of file."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        return None
    samples = np.asarray(decoded, np.uint16)
    if data.startswith(_PNG_SIGNATURE):  # OpenCV turns a TIFF by itself, and nothing else when it reads unchanged
        samples = turned(samples, orientation)
    channels = samples.shape[2] if samples.ndim == 3 else 1
    conversion = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(channels)
    return None if conversion is None else np.asarray(cv2.cvtColor(samples, conversion), np.uint16)


def parted(samples: Samples) -> tuple[Samples, ByteMask | None]:
    """Colours, and alpha at 8 bits, of (height, width, 3 or 4) levels; no alpha where every pixel is opaque."""
    if samples.shape[2] == 3:
        return samples, None
    alpha = to_8_bit(samples[..., 3])
    return np.ascontiguousarray(samples[..., :3]), None if alpha.min() == 255 else alpha


def to_8_bit(samples: Samples) -> Bytes:
    """Levels of 16 bits as the nearest ones of 8."""
    narrow = cv2.convertScaleAbs(np.ascontiguousarray(samples), alpha=1 / 257)
    return np.asarray(narrow, np.uint8).reshape(samples.shape)


def _is_deep_tiff(picture: Image.Image) -> bool:
    if picture.format != "TIFF":
        return False
    tags = dict(getattr(picture, "tag_v2", {}))
    return (
        set(tags.get(_TIFF_BITS, ())) == {16}
        and set(tags.get(_TIFF_SAMPLE_KIND, (_TIFF_UNSIGNED,))) == {_TIFF_UNSIGNED}
        and tags.get(_TIFF_COLOURS) in {_TIFF_BLACK_IS_ZERO, _TIFF_RGB}
        and tags.get(_TIFF_EXTRA, (_TIFF_STRAIGHT_ALPHA,)) == (_TIFF_STRAIGHT_ALPHA,)
    )
