"""Reading a picture: every format, turned upright, alpha and colours, limits, profiles and gammas."""

import io
import warnings
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cutgate.jobs.errors import SourceRejected, SourceTooLarge, SourceUndecodable, SourceUnreadable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import FileFormat
from cutgate.worker.pictures.colour import converted_from_srgb, converted_to_srgb, is_rgb_profile, to_srgb
from cutgate.worker.pictures.encoders import Picture, encode
from cutgate.worker.pictures.images import FORMATS, of_pillow, read_image
from tests.worker.pictures.samples import LIMITS, SRGB, gradient, grey_profile, saved, wide_profile

EXACT: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4", "speed": 10},
}
"""Options with which a format keeps the pixels as they are, or nearly so."""


KINDS = [kind for kind in FORMATS.values() if kind != "HEIF"]
"""Those that Pillow writes by itself."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read(kind: str) -> None:
    rgb = np.repeat(np.repeat(gradient(3, 5), 8, axis=0), 8, axis=1)
    source = read_image(saved(Image.fromarray(rgb), kind, **EXACT.get(kind, {})), LIMITS)
    assert source.rgb.shape == rgb.shape
    assert source.rgb.dtype == np.uint8
    assert np.abs(source.rgb.astype(int) - rgb).max() <= (4 if kind in {"JPEG", "AVIF"} else 0)
    assert source.alpha is None
    assert source.icc_profile is None


@pytest.mark.parametrize("height_px", [1, 256, 700])
def test_pixels_of_many_rows_stay_as_they_are(height_px: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (height_px, 33, 3), np.uint8)
    np.testing.assert_array_equal(read_image(saved(Image.fromarray(noise), "PNG"), LIMITS).rgb, noise)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    upright = gradient()
    # What a camera stores, by the EXIF specification's table, is the inverse of what a reader must do.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, 3),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **EXACT.get(kind, {}))
    source = read_image(data, LIMITS)
    assert source.rgb.shape == upright.shape
    assert np.abs(source.rgb.astype(int) - upright).max() <= (12 if kind in {"JPEG", "AVIF"} else 0)


JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "colours in every pixel": {"subsampling": 0},
    "colours in every second column": {"subsampling": 1},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_rows": 1},
    "in RGB": {"keep_rgb": True},
    "another profile": {"icc_profile": wide_profile()},
}


def jpeg(**options: Any) -> bytes:
    noise = np.random.default_rng(2).integers(0, 256, (23, 31, 3), np.uint8)
    return saved(Image.fromarray(noise), "JPEG", quality=80, **options)


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_in_colour_is_as_pillow_reads_it(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg(**options)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        expected = of_pillow(picture)
    monkeypatch.delattr("cutgate.worker.pictures.images.of_pillow")
    np.testing.assert_array_equal(read_image(data, LIMITS).rgb, expected.rgb)


def test_a_jpeg_with_an_oddity_that_pillow_puts_up_with_is_read() -> None:
    data = jpeg()
    odd = data[:-2] + bytes(99) + data[-2:]
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(odd)
    np.testing.assert_array_equal(read_image(odd, LIMITS).rgb, read_image(data, LIMITS).rgb)


def test_damaged_metadata_does_not_cost_the_picture() -> None:
    data = saved(Image.fromarray(gradient()), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff broken")
    assert read_image(data, LIMITS).rgb.shape == (24, 40, 3)


ALPHA = np.array([[0, 1, 128], [200, 254, 255]], np.uint8)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("TIFF", "RGBA"), ("PNG", "LA")])
def test_alpha_is_parted_from_the_colours(kind: str, mode: str) -> None:
    colours = gradient(2, 3) if mode == "RGBA" else gradient(2, 3)[..., :1]
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    source = read_image(saved(Image.fromarray(np.dstack([colours, ALPHA]), mode), kind, **options), LIMITS)
    assert source.alpha is not None
    np.testing.assert_array_equal(source.alpha, ALPHA)
    np.testing.assert_array_equal(source.rgb, np.broadcast_to(colours, (2, 3, 3)))


def test_an_alpha_that_hides_nothing_is_none() -> None:
    rgba = np.dstack([gradient(), np.full((24, 40), 255, np.uint8)])
    assert read_image(saved(Image.fromarray(rgba), "PNG"), LIMITS).alpha is None


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7)), ("P", 7), ("1", 0), ("P", b"\xff\x00")])
def test_a_transparent_colour_becomes_alpha(mode: str, key: object) -> None:
    hidden = {"1": 0, "P": 1 if isinstance(key, bytes) else 7}.get(mode, 7)
    picture = Image.new(mode, (4, 3), 255 if mode == "1" else 0)
    if mode == "P":
        picture.putpalette([level for level in range(256) for _ in range(3)])
    picture.putpixel((1, 2), hidden if mode != "RGB" else (7, 7, 7))
    source = read_image(saved(picture, "PNG", transparency=key), LIMITS)
    expected = np.full((3, 4), 255, np.uint8)
    expected[2, 1] = 0
    assert source.alpha is not None
    np.testing.assert_array_equal(source.alpha, expected)


def test_what_is_transparent_shows_white_to_the_network() -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    source = read_image(saved(Image.fromarray(np.dstack([rgb, ALPHA])), "PNG"), LIMITS)
    np.testing.assert_array_equal(source.over_backdrop(), np.dstack([255 - ALPHA] * 3))
    opaque = read_image(saved(Image.fromarray(gradient()), "PNG"), LIMITS)
    assert opaque.over_backdrop() is opaque.rgb


@pytest.mark.parametrize(
    ("levels", "backdrop"),
    [((0, 128), 255), ((250, 240), 128), ((250, 130), 0), ((250, 10), 128), ((250, 250, 120, 10, 10), 128)],
    ids=str,
)
def test_what_is_transparent_is_not_shown_like_the_rest(levels: tuple[int, ...], backdrop: int) -> None:
    rgba = np.array([[(level, level, level, 255) for level in levels] + [(255, 255, 255, 0)]], np.uint8)
    shown = read_image(saved(Image.fromarray(rgba), "PNG"), LIMITS).over_backdrop()
    assert shown[0, :, 0].tolist() == [*levels, backdrop]


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_divided_and_not_clipped(extension: str, channels: int) -> None:
    levels = np.linspace(0, 65535, 12 * 10).astype(np.uint16).reshape(12, 10)
    data = cv2.imencode(extension, np.dstack([levels] * channels))[1].tobytes()
    source = read_image(data, LIMITS)
    assert np.abs(source.rgb.astype(int) - (levels / 257)[..., None]).max() <= 1
    if channels == 4:
        assert source.alpha is not None
        assert np.abs(source.alpha.astype(int) - levels / 257).max() <= 1


def test_a_transparent_level_of_sixteen_bit_grey() -> None:
    levels = np.array([[0, 40000], [40001, 65535]], np.uint16)
    source = read_image(saved(Image.fromarray(levels), "PNG", transparency=40000), LIMITS)
    assert source.alpha is not None
    np.testing.assert_array_equal(source.alpha, [[255, 0], [255, 255]])


def test_samples_of_32_bits_are_refused_with_advice() -> None:
    colours = cv2.imencode(".tiff", np.zeros((8, 8, 3), np.float32))[1].tobytes()
    for data in (colours, *(saved(Image.new(mode, (4, 4)), "TIFF") for mode in ("I", "F"))):
        with pytest.raises(SourceUndecodable, match=r"32 bits.*; save the picture with 8 or 16 bits per channel"):
            read_image(data, LIMITS)


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert read_image(data, LIMITS).rgb[4, 4].tolist() == pytest.approx([255, 0, 0], abs=4), kind


LIMIT_CASES = [
    (SourceLimits(max_bytes=10, max_pixels=10**6, max_side_px=1000), "bytes", 10),
    (SourceLimits(max_bytes=10**6, max_pixels=959, max_side_px=1000), "pixels", 959),
    (SourceLimits(max_bytes=10**6, max_pixels=10**6, max_side_px=39), "pixels on its longer side", 39),
]


@pytest.mark.parametrize(("limits", "measure", "limit"), LIMIT_CASES, ids=[case[1] for case in LIMIT_CASES])
def test_limits(limits: SourceLimits, measure: str, limit: int) -> None:
    with pytest.raises(SourceTooLarge) as caught:
        read_image(saved(Image.fromarray(gradient()), "PNG"), limits)
    assert (caught.value.details["measure"], caught.value.details["limit"]) == (measure, limit)


UNREADABLE = {
    "nothing": b"",
    "text": b"no picture at all",
    "a PDF": b"%PDF-1.7 ...",
    "a format that is not read": saved(Image.new("RGB", (4, 4)), "ICO"),
    "a signature alone": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(SourceUnreadable):
        read_image(data, LIMITS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_picture_is_named_as_such(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(
        (SourceUnreadable, SourceUndecodable), match=r"truncated or damaged|lengths need|inside its header"
    ):
        read_image(data[: len(data) * 2 // 3], LIMITS)


SAMPLES = {kind: saved(Image.fromarray(gradient()), kind) for kind in KINDS}


@given(st.sampled_from(KINDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damage_gives_a_picture_or_one_of_our_errors(kind: str, damage: list[tuple[float, int]]) -> None:
    data = bytearray(SAMPLES[kind])
    for place, value in damage:
        data[min(int(place * len(data)), len(data) - 1)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            source = read_image(bytes(data), LIMITS)
        except (SourceRejected, SourceUndecodable):
            return
    assert source.rgb.ndim == 3


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
