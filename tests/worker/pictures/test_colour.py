"""Profiles and gammas: which are followed to sRGB, kept or ignored."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cutgate.jobs.spec import FileFormat
from cutgate.worker.pictures.colour import converted_from_srgb, converted_to_srgb, is_rgb_profile, to_srgb
from cutgate.worker.pictures.encoders import Picture, encode
from cutgate.worker.pictures.images import read_image
from tests.worker.pictures.samples import LIMITS, SRGB, gradient, grey_profile, saved, wide_profile


def test_a_profile_is_followed_to_srgb() -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    source = read_image(saved(red, "PNG", icc_profile=wide_profile()), LIMITS)
    assert source.icc_profile is None
    assert source.rgb[0, 0].tolist() == pytest.approx([0, 255, 0], abs=3)


def with_chunks(levels: NDArray[np.uint8], **chunks: bytes) -> bytes:
    info = PngInfo()
    for name, content in chunks.items():
        info.add(name.encode(), content)
    return saved(Image.fromarray(levels), "PNG", pnginfo=info)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({"gAMA": (100_000).to_bytes(4, "big")}, 188),  # linear light: half of it is 188 in sRGB
        ({"gAMA": (45_455).to_bytes(4, "big")}, 128),
        ({"gAMA": (1).to_bytes(4, "big")}, 128),
        ({"gAMA": (100_000).to_bytes(4, "big"), "sRGB": b"\0"}, 128),
        ({}, 128),
    ],
    ids=["linear", "as usual", "nonsense", "overruled", "none"],
)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_pngs_gamma_is_followed(chunks: dict[str, bytes], expected: int, channels: tuple[int, ...]) -> None:
    levels = np.full((4, 5, *channels), 128, np.uint8)
    assert (read_image(with_chunks(levels, **chunks), LIMITS).rgb == expected).all()


def test_a_profile_can_be_kept_with_the_numbers_untouched() -> None:
    rgb = gradient()
    profile = wide_profile()
    source = read_image(saved(Image.fromarray(rgb), "PNG", icc_profile=profile), LIMITS, keep_rgb_profile=True)
    np.testing.assert_array_equal(source.rgb, rgb)
    assert source.icc_profile == profile
    opaque = np.full(rgb.shape[:2], 255, np.uint8)
    picture = Picture(pixels=np.dstack([source.rgb, opaque]), icc_profile=source.icc_profile)
    result = Image.open(io.BytesIO(encode(picture, FileFormat.PNG)))
    assert result.info["icc_profile"] == profile


def test_srgb_under_any_name_changes_nothing() -> None:
    rgb = gradient()
    source = read_image(saved(Image.fromarray(rgb), "PNG", icc_profile=SRGB), LIMITS)
    np.testing.assert_array_equal(source.rgb, rgb)


def test_grey_follows_a_grey_profile_and_an_rgb_one() -> None:
    half_of_the_light = 128  # in a linear profile
    converted = np.asarray(to_srgb(Image.new("L", (2, 2), half_of_the_light), grey_profile(1.0)))
    assert converted[0, 0].tolist() == pytest.approx([188, 188, 188], abs=2)  # the same in sRGB
    assert np.asarray(to_srgb(Image.new("L", (2, 2), 100), wide_profile())).shape == (2, 2, 3)


@pytest.mark.parametrize("profile", [b"", b"no profile", SRGB[:200], grey_profile(2.2)], ids=len)
def test_a_profile_that_is_damaged_or_for_other_colours_is_ignored(profile: bytes) -> None:
    rgb = gradient()
    np.testing.assert_array_equal(np.asarray(to_srgb(Image.fromarray(rgb), profile)), rgb)
    assert not is_rgb_profile(profile)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 100}), ("TIFF", {"icc_profile": SRGB})])
def test_cmyk_is_plain_cmyk_even_with_an_rgb_profile(kind: str, options: dict[str, Any]) -> None:
    data = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), kind, **options)
    source = read_image(data, LIMITS, keep_rgb_profile=True)
    assert source.icc_profile is None
    assert source.rgb[4, 4].tolist() == pytest.approx([0, 255, 255], abs=4)


def test_a_profile_without_the_tables_that_say_what_its_numbers_mean_is_ignored() -> None:
    bare = bytearray(wide_profile())
    for at in range(132, 132 + 12 * bare[131], 12):
        if bytes(bare[at + 1 : at + 4]) in {b"XYZ", b"TRC"}:
            bare[at + 1 : at + 4] = bare[at + 1 : at + 4].lower()
    rgb, profile = gradient(), bytes(bare)
    assert is_rgb_profile(profile)
    np.testing.assert_array_equal(converted_to_srgb(rgb, profile), rgb)
    np.testing.assert_array_equal(converted_from_srgb(rgb, profile), rgb)
    assert not np.array_equal(converted_from_srgb(rgb, wide_profile()), rgb)
