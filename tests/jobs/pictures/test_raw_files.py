"""A camera's RAW files that are TIFFs: what stands in front is a thumbnail, and nobody wants that one cut out."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageSequence

from cutgate.jobs.errors import SourceUnreadable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect
from cutgate.worker.pictures.images import read_image
from tests.gateway import picture_files as pictures

LIMITS = SourceLimits(max_bytes=2**22, max_pixels=10**6, max_side_px=2_000)
NEW_SUBFILE_TYPE, TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES, DNG_VERSION = 254, 322, 323, 330, 50706
THUMBNAIL, PAGE = 1, 2
"""Bits of a directory's type."""


def saved(width_px: int, height_px: int, tags: dict[int, Any], *further: Image.Image) -> bytes:
    file = io.BytesIO()
    picture = Image.effect_noise((width_px, height_px), 80)
    picture.save(file, "TIFF", tiffinfo=tags, save_all=bool(further), append_images=further)
    return file.getvalue()


def directory(kind: int) -> Image.Image:
    """A further one of a file, of that type."""
    picture = Image.new("L", (40, 30))
    picture.encoderinfo = {"tiffinfo": {NEW_SUBFILE_TYPE: kind}}
    return picture


def types_of(data: bytes) -> list[int]:
    """The types of a file's directories, as Pillow reads them."""
    with Image.open(io.BytesIO(data)) as picture:
        return [page.tag_v2.get(NEW_SUBFILE_TYPE, 0) for page in ImageSequence.Iterator(picture)]  # type: ignore[attr-defined]


RAW = {
    "nef": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL, SUB_DIRECTORIES: 8}),
    "nef, big endian": pictures.tiff(160, 106, order=">", further=((NEW_SUBFILE_TYPE, 4, 1, THUMBNAIL),)),
    "a thumbnail that is a page": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL | PAGE}),
    "dng": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL, DNG_VERSION: b"\1\4\0\0"}),
    "dng, full size in front": saved(600, 400, {NEW_SUBFILE_TYPE: 0, DNG_VERSION: b"\1\4\0\0"}),
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
}
ORDINARY = {
    "plain": saved(600, 400, {}),
    "its type stated": saved(600, 400, {NEW_SUBFILE_TYPE: 0}),
    "its type stated in 16 bits, big endian": pictures.tiff(
        600, 400, order=">", further=((NEW_SUBFILE_TYPE, 3, 1, PAGE),)
    ),
    "several pages": saved(600, 400, {NEW_SUBFILE_TYPE: PAGE}, directory(PAGE), directory(PAGE)),
    "a thumbnail behind": saved(600, 400, {NEW_SUBFILE_TYPE: 0}, directory(THUMBNAIL)),
}


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("check", [inspect, read_image], ids=["gateway", "worker"])
def test_a_raw_file_is_refused_in_the_words_for_what_is_no_picture(
    name: str, check: Callable[..., object]
) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        check(RAW[name], LIMITS)
    assert caught.value.message == "the bytes are not a JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF picture"
    assert caught.value.details == {"wrong": "format"}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_tiff_is_read(name: str) -> None:
    header = inspect(ORDINARY[name], LIMITS)
    assert (header.width_px, header.height_px) == (600, 400)
    assert read_image(ORDINARY[name], LIMITS).rgb.shape == (400, 600, 3)


def test_the_types_are_those_that_pillow_reads() -> None:
    assert types_of(RAW["nef"]) == [THUMBNAIL]
    assert types_of(ORDINARY["several pages"]) == [PAGE, PAGE, PAGE]
    assert types_of(ORDINARY["a thumbnail behind"]) == [0, THUMBNAIL]


def test_a_tiled_tiff_is_read() -> None:
    """Its fields may be followed by any others."""
    tiles = ((NEW_SUBFILE_TYPE, 4, 1, 0), (TILE_WIDTH, 4, 1, 256), (TILE_HEIGHT, 4, 1, 256))
    header = inspect(pictures.tiff(600, 400, further=tiles), LIMITS)
    assert (header.width_px, header.height_px) == (600, 400)
