"""Decodes whatever a caller has a picture as."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutgate.jobs.errors import SourceUndecodable
from cutgate.jobs.pictures.headers import inspect
from cutgate.pictures import Picture, is_array, is_pillow, planes_of, read_picture
from cutgate.worker.pictures.images import SourceImage, of_pillow, read_image
from cutgate.worker.pictures.sixteen_bit import parted, to_8_bit
from cutgate.worker.settings import WorkerSettings


class Source(NamedTuple):
    """A picture whose size is known, and that is not decoded yet."""

    pixel_count: int
    decode: Callable[[], SourceImage]
    """The picture as the pipeline takes it; raises CutoutError where it cannot be read."""


def source_of(picture: Picture, settings: WorkerSettings, *, keep_16_bit: bool) -> Source:
    """Find out how large a picture is, and refuse what is over a limit.

    `keep_16_bit` is whether the result may hold 16 bits. Arrays and Pillow pictures have been decoded: of the
    settings they have no limits.
    """
    if is_array(picture):
        planes = planes_of(picture)
        return Source(planes.shape[0] * planes.shape[1], partial(_of_array, planes, keep_16_bit=keep_16_bit))
    if is_pillow(picture):
        if 0 in picture.size:
            raise ValueError("the picture has no pixels")
        decode = partial(_of_pillow, picture, keep_rgb_profile=settings.keep_rgb_profile)
        return Source(picture.width * picture.height, decode)
    data, limits = read_picture(picture), settings.source_limits()
    header = inspect(data, limits)
    decode = partial(
        read_image,
        data,
        limits,
        keep_rgb_profile=settings.keep_rgb_profile,
        keep_16_bit=settings.keep_16_bit and keep_16_bit,
    )
    return Source(header.width_px * header.height_px, decode)


def _of_pillow(picture: Image.Image, *, keep_rgb_profile: bool) -> SourceImage:
    try:
        picture.load()
        return of_pillow(picture, keep_rgb_profile=keep_rgb_profile)
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceUndecodable(f"Pillow cannot bring it to RGB: {error}") from error


def _of_array(levels: NDArray[Any], *, keep_16_bit: bool) -> SourceImage:
    if levels.shape[2] == 1:
        levels = levels.repeat(3, axis=2)
    if levels.dtype == np.uint16:
        samples, alpha = parted(np.asarray(levels, np.uint16))
        return SourceImage(rgb=to_8_bit(samples), alpha=alpha, samples=samples if keep_16_bit else None)
    rgb, alpha = np.ascontiguousarray(levels[..., :3]), None
    if levels.shape[2] == 4 and levels[..., 3].min() < 255:
        alpha = np.ascontiguousarray(levels[..., 3])
    return SourceImage(rgb=rgb, alpha=alpha)
