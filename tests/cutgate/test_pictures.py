"""Pictures in memory as files: what a service decodes is what was there."""

import io
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cutgate.jobs.limits import SourceLimits
from cutgate.pictures import file_of
from cutgate.worker.pictures.images import SourceImage, of_pillow, read_image

LIMITS = SourceLimits(max_bytes=10**6, max_pixels=10**6, max_side_px=10**4)
RIGHTS, ORIENTATION = 0x8298, 274


def read(picture: Any, *, keep_16_bit: bool = False) -> SourceImage:
    """What a worker makes of the file."""
    return read_image(file_of(picture), LIMITS, keep_16_bit=keep_16_bit)


@pytest.fixture
def levels() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (23, 37, 4), np.uint8)


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_an_array_arrives_level_for_level(levels: NDArray[np.uint8], channels: int) -> None:
    array = levels[..., 0] if channels == 0 else levels[..., :channels]
    source = read(array[::-1])  # no copy in one piece
    expected = levels[::-1]
    grey = np.repeat(expected[..., :1], 3, axis=2)
    assert np.array_equal(source.rgb, grey if channels in {0, 1} else expected[..., :3])
    assert source.alpha is None if channels < 4 else np.array_equal(source.alpha, expected[..., 3])  # type: ignore[arg-type]


def test_an_array_of_16_bits_keeps_them(levels: NDArray[np.uint8]) -> None:
    deep = levels[..., :3].astype(np.uint16) * 257 + 3
    source = read(deep, keep_16_bit=True)
    assert source.samples is not None
    assert np.array_equal(source.samples, deep)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "I;16"]
)
def test_a_pillow_picture_arrives_as_this_process_would_read_it(levels: NDArray[np.uint8], mode: str) -> None:
    picture = Image.fromarray(levels)
    if mode == "I;16":
        picture = Image.fromarray(levels[..., 0].astype(np.uint16) * 257)
    elif mode in {"La", "RGBa"}:
        picture = picture.convert(mode.upper()).convert(mode)
    elif mode != "RGBA":
        picture = picture.convert("RGB").convert(mode)
    here, there = of_pillow(picture), read(picture)
    assert np.array_equal(here.rgb, there.rgb)
    assert np.array_equal(here.alpha, there.alpha) if here.alpha is not None else there.alpha is None  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_profile_orientation_and_rights_go_along(levels: NDArray[np.uint8], mode: str) -> None:
    picture = Image.fromarray(levels).convert("RGB").convert(mode)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    exif = picture.getexif()
    exif[ORIENTATION], exif[RIGHTS] = 6, "Ada"
    before = dict(picture.info)
    with Image.open(io.BytesIO(file_of(picture))) as sent:
        assert sent.info["icc_profile"] == picture.info["icc_profile"]
        assert (sent.getexif()[ORIENTATION], sent.getexif()[RIGHTS]) == (6, "Ada")
    assert (picture.info, picture.mode) == (before, mode)


def test_a_pngs_gamma_goes_along(levels: NDArray[np.uint8]) -> None:
    picture = Image.fromarray(levels[..., :3])
    picture.info["gamma"] = 1.0
    there = read(picture).rgb
    assert np.array_equal(there, of_pillow(picture).rgb)
    assert not np.array_equal(there, levels[..., :3])


def test_neither_library_is_loaded_for_who_uses_none() -> None:
    code = """
import sys
from cutgate import Client
from cutgate.pictures import file_of
file_of(b"a file")
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert "cutgate.pictures" in done.stdout.split()
    assert {"numpy", "PIL"}.isdisjoint(done.stdout.split())
