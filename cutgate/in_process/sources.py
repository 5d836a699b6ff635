"""Whatever a caller has a picture as, decoded."""

from __future__ import annotations

import os
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutgate.jobs.errors import SourceUndecodable
from cutgate.protocol.picpik import read_picture
from cutgate.worker.pictures.images import SourceImage, of_pillow, read_image
from cutgate.worker.pictures.sixteen_bit import parted, to_8_bit
from cutgate.worker.settings import WorkerSettings

Picture: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any]
"""A file's name, its content, a file open for reading, a Pillow picture, or an array of levels in sRGB."""


def source_of(picture: Picture, settings: WorkerSettings, *, keep_16_bit: bool) -> SourceImage:
    """A picture as the pipeline takes it.

    Args:
        picture: an array is (height, width), or (height, width, 1, 3 or 4) with straight alpha as the fourth.
        settings: limits and what is kept of files; arrays and Pillow pictures have been decoded, and have none.
        keep_16_bit: whether the result may hold 16 bits; an array of uint16 then keeps them.

    Raises:
        CutoutError: it cannot be read, or is over a limit.
        OSError: the file cannot be read.
        TypeError: it is no picture of any kind.
        ValueError: the array has another shape or another type of number, or the name is an address.
    """
    if isinstance(picture, np.ndarray):
        return _of_array(picture, keep_16_bit=keep_16_bit)
    if isinstance(picture, Image.Image):
        return _of_pillow(picture, keep_rgb_profile=settings.keep_rgb_profile)
    return read_image(
        read_picture(picture),
        settings.source_limits(),
        keep_rgb_profile=settings.keep_rgb_profile,
        keep_16_bit=settings.keep_16_bit and keep_16_bit,
    )


def _of_pillow(picture: Image.Image, *, keep_rgb_profile: bool) -> SourceImage:
    if 0 in picture.size:
        raise ValueError("the picture has no pixels")
    try:
        picture.load()
        return of_pillow(picture, keep_rgb_profile=keep_rgb_profile)
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceUndecodable(f"Pillow cannot bring it to RGB: {error}") from error


def _of_array(levels: NDArray[Any], *, keep_16_bit: bool) -> SourceImage:
    if levels.ndim == 2:
        levels = levels[..., None]
    if levels.ndim != 3 or levels.shape[2] not in {1, 3, 4} or 0 in levels.shape:
        raise ValueError(f"an array is (height, width) or (height, width, 1, 3 or 4), not {levels.shape}")
    if levels.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise ValueError(
            f"an array is of uint8 or uint16, not {levels.dtype}: for levels from 0 to 1 pass "
            "(255 * array).round().astype(numpy.uint8)"
        )
    if levels.shape[2] == 1:
        levels = levels.repeat(3, axis=2)
    if levels.dtype == np.uint16:
        samples, alpha = parted(np.asarray(levels, np.uint16))
        return SourceImage(rgb=to_8_bit(samples), alpha=alpha, samples=samples if keep_16_bit else None)
    rgb, alpha = np.ascontiguousarray(levels[..., :3]), None
    if levels.shape[2] == 4 and levels[..., 3].min() < 255:
        alpha = np.ascontiguousarray(levels[..., 3])
    return SourceImage(rgb=rgb, alpha=alpha)
