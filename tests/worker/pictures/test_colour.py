from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from cutgate.jobs.spec import FileFormat
from cutgate.worker.pictures.colour import is_rgb_profile, to_srgb
from cutgate.worker.pictures.encoders import Picture, encode
from cutgate.worker.pictures.images import read_image
from tests.worker.pictures.test_images import LIMITS, gradient, saved

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile() -> bytes:
    """An RGB profile whose primaries are sRGB's in another order: red means green. Nobody could overlook it."""
    profile = bytearray(SRGB)
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def grey_profile(gamma: float) -> bytes:
    """A grey profile with a gamma curve, written by hand after ICC.1:2010 (version 2, D50)."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)
    white = b"XYZ " + bytes(4) + bytes.fromhex("0000f6d6 00010000 0000d32d".replace(" ", ""))
    text = b"text" + bytes(4) + b"grey\x00\x00\x00\x00"
    desc = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"grey\x00" + bytes(78) + bytes(1)
    tags = [(b"desc", desc), (b"cprt", text), (b"wtpt", white), (b"kTRC", curve)]
    offset, table, body = 132 + 12 * len(tags), len(tags).to_bytes(4, "big"), b""
    for name, data in tags:
        table += name + (offset + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data + bytes(-len(data) % 4)
    head = bytearray(128)
    head[0:4] = (128 + len(table) + len(body)).to_bytes(4, "big")
    head[8:12], head[12:24], head[36:40] = b"\x02\x10\x00\x00", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = bytes.fromhex("0000f6d6000100000000d32d")
    return bytes(head) + table + body


def test_a_profile_is_followed_to_srgb() -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    source = read_image(saved(red, "PNG", icc_profile=wide_profile()), LIMITS)
    assert source.icc_profile is None
    assert source.rgb[0, 0].tolist() == pytest.approx([0, 255, 0], abs=3)


def test_a_profile_can_be_kept_with_the_numbers_untouched() -> None:
    rgb = gradient()
    profile = wide_profile()
    source = read_image(saved(Image.fromarray(rgb), "PNG", icc_profile=profile), LIMITS, keep_rgb_profile=True)
    np.testing.assert_array_equal(source.rgb, rgb)
    assert source.icc_profile == profile
    opaque = np.full(rgb.shape[:2], 255, np.uint8)
    result = Image.open(
        io.BytesIO(
            encode(Picture(pixels=np.dstack([source.rgb, opaque]), icc_profile=source.icc_profile), FileFormat.PNG)
        )
    )
    assert result.info["icc_profile"] == profile


def test_srgb_under_any_name_changes_nothing() -> None:
    rgb = gradient()
    source = read_image(saved(Image.fromarray(rgb), "PNG", icc_profile=SRGB), LIMITS)
    np.testing.assert_array_equal(source.rgb, rgb)


def test_grey_follows_a_grey_profile() -> None:
    level = round(255 * 0.5 ** (1 / 1.0))  # half of the light, in a linear profile
    converted = np.asarray(to_srgb(Image.new("L", (2, 2), level), grey_profile(1.0)))
    assert converted[0, 0].tolist() == pytest.approx([188, 188, 188], abs=2)  # half of the light, in sRGB


def test_grey_follows_an_rgb_profile() -> None:
    assert np.asarray(to_srgb(Image.new("L", (2, 2), 100), wide_profile())).shape == (2, 2, 3)


@pytest.mark.parametrize("profile", [b"", b"no profile", SRGB[:200], grey_profile(2.2)], ids=len)
def test_a_profile_that_is_damaged_or_for_other_colours_is_ignored(profile: bytes) -> None:
    rgb = gradient()
    np.testing.assert_array_equal(np.asarray(to_srgb(Image.fromarray(rgb), profile)), rgb)
    assert not is_rgb_profile(profile)


def test_cmyk_without_a_profile() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    data = saved(cyan, "JPEG", quality=100)
    assert read_image(data, LIMITS).rgb[4, 4].tolist() == pytest.approx([0, 255, 255], abs=4)


def test_cmyk_with_an_rgb_profile_is_plain_cmyk() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    data = saved(cyan, "TIFF", icc_profile=SRGB)
    source = read_image(data, LIMITS, keep_rgb_profile=True)
    assert source.icc_profile is None
    assert source.rgb[4, 4].tolist() == pytest.approx([0, 255, 255], abs=4)
