"""Reads a result as a service delivers it, to make another file of it."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from cutgate.jobs.errors import SourceUndecodable, SourceUnreadable
from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.metadata import dpi_of, rights_of
from cutgate.worker.pictures.sixteen_bit import is_deep, read_samples


def read_delivered(data: bytes, *, keep_16_bit: bool) -> Picture:
    """A PNG of this service, or of another one: grey is a mask, all else is a cut-out.

    Args:
        data: the file.
        keep_16_bit: give a cut-out of 16 bits as such.

    Raises:
        SourceUnreadable: it is no PNG.
        SourceUndecodable: it is damaged.
    """
    with warnings.catch_warnings(action="ignore"):  # of oddities in metadata, which have no bearing on the pixels
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                pixels: Levels | None = None
                if keep_16_bit and picture.mode == "RGBA" and is_deep(data, picture):
                    pixels = read_samples(data, 1)
                if pixels is None:
                    pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGBA"))
                profile = None if pixels.ndim == 2 else picture.info.get("icc_profile")
                return Picture(
                    pixels=pixels, icc_profile=profile, dpi=dpi_of(picture, 1), rights=rights_of(picture)
                )
        except UnidentifiedImageError:
            raise SourceUnreadable("the result is not a PNG") from None
        except (OSError, SyntaxError, ValueError):
            raise SourceUndecodable("the result is truncated or damaged; fetch it again") from None
