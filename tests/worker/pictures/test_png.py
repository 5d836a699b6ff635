import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2

DEPTHS = [np.uint8, np.uint16]
DepthType = type[np.uint8] | type[np.uint16]


def noise(seed: int, *shape: int, depth: DepthType = np.uint8) -> Levels:
    levels = np.random.default_rng(seed).integers(0, np.iinfo(depth).max, shape, dtype=depth, endpoint=True)
    return np.asarray(levels)


def by_pillow(png: bytes) -> Levels:
    return np.asarray(Image.open(io.BytesIO(png)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.sampled_from(DEPTHS), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_again(
    height_px: int, width_px: int, colours: bool, depth: DepthType, seed: int
) -> None:
    pixels = noise(seed, height_px, width_px, *([4] if colours else []), depth=depth)
    png = write_png(pixels)
    seen = by_cv2(png)
    assert seen.dtype == depth
    np.testing.assert_array_equal(seen, pixels)
    if depth is np.uint8 or not colours:  # Pillow has no colours of 16 bits
        np.testing.assert_array_equal(by_pillow(png), pixels)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_picture_of_several_bands(depth: DepthType) -> None:
    rgba = noise(1, 300, 2000, 4, depth=depth)
    np.testing.assert_array_equal(by_cv2(write_png(rgba)), rgba)


def test_a_mask_is_grey() -> None:
    assert Image.open(io.BytesIO(write_png(noise(3, 5, 5)))).mode == "L"
    assert Image.open(io.BytesIO(write_png(noise(3, 5, 5, depth=np.uint16)))).mode == "I;16"


def test_every_chunk_carries_its_checksum_and_stands_where_it_should() -> None:
    png = write_png(noise(6, 50, 60, 4), b"a profile", (300, 150))
    place, kinds = 8, []
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        body = png[place + 4 : place + 8 + size]
        assert int.from_bytes(png[place + 8 + size : place + 12 + size], "big") == zlib.crc32(body)
        kinds.append(body[:4])
        place += 12 + size
    assert kinds == [b"IHDR", b"iCCP", b"pHYs", b"IDAT", b"IEND"]
    assert Image.open(io.BytesIO(png)).info["dpi"] == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("depth", DEPTHS)
def test_arrays_that_are_views_of_others(depth: DepthType) -> None:
    rgba = noise(8, 20, 30, 4, depth=depth)[::2, ::-1]
    np.testing.assert_array_equal(by_cv2(write_png(rgba)), rgba)
    np.testing.assert_array_equal(by_cv2(write_png(rgba[..., 3])), rgba[..., 3])
