from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worker.cutout.arrays import Bytes
from worker.images import encode_png
from worker.png import BAND_BYTES, write_png

SIZES = [(1, 1), (1, 9), (9, 1), (7, 5), (300, 2000)]


def noise(seed: int, *shape: int) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def decoded_twice(png: bytes) -> tuple[Bytes, Bytes]:
    """The file as Pillow and as OpenCV read it, the latter's channels put in Pillow's order."""
    by_cv2 = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert by_cv2 is not None
    pixels = np.asarray(by_cv2, np.uint8)
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3]]
    return np.asarray(Image.open(io.BytesIO(png))), pixels


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_two_other_readers_see_the_same_pixels(size: tuple[int, int]) -> None:
    rgba = noise(1, *size, 4)
    for seen in decoded_twice(encode_png(rgba)):
        np.testing.assert_array_equal(seen, rgba)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masks(size: tuple[int, int]) -> None:
    alpha = noise(3, *size)
    png = encode_png(alpha)
    assert Image.open(io.BytesIO(png)).mode == "L"
    for seen in decoded_twice(png):
        np.testing.assert_array_equal(seen, alpha)


def test_a_picture_of_several_bands() -> None:
    rgba = noise(4, 3 * BAND_BYTES // 1000 // 4, 1000, 4)
    seen = decoded_twice(encode_png(rgba))[0]
    np.testing.assert_array_equal(seen, rgba)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_size(height_px: int, width_px: int, seed: int) -> None:
    alpha = noise(seed, height_px, width_px)
    for seen in decoded_twice(encode_png(alpha)):
        np.testing.assert_array_equal(seen, alpha)


def test_every_chunk_carries_its_checksum() -> None:
    png = encode_png(noise(6, 50, 60, 4), b"a profile")
    place, kinds = 8, []
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        body = png[place + 4 : place + 8 + size]
        assert int.from_bytes(png[place + 8 + size : place + 12 + size], "big") == zlib.crc32(body)
        kinds.append(body[:4])
        place += 12 + size
    assert kinds == [b"IHDR", b"iCCP", b"IDAT", b"IEND"]


def test_arrays_that_are_views_of_others() -> None:
    rgba = noise(8, 20, 30, 4)[::2, ::-1]
    seen = decoded_twice(encode_png(rgba))[0]
    np.testing.assert_array_equal(seen, rgba)


@pytest.mark.parametrize("band", [noise(1, 4, 5, 4), noise(1, 3, 6, 4), noise(1, 3, 5, 1), noise(1, 3, 5, 4) / 2])
def test_bands_that_do_not_make_up_the_picture(band: Bytes) -> None:
    with pytest.raises(ValueError, match="in a picture of"):
        write_png(5, 3, 4, [band])
