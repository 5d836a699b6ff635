"""What a source brings along: density, odd colours, alpha, 16 bits; the formats of telephones."""

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from cutgate.jobs.errors import SourceUnreadable
from cutgate.jobs.spec import CutoutSpec, FileFormat, Output, Refinement
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage, Samples
from cutgate.worker.cutout.raster.filters import enlarged, to_levels
from cutgate.worker.pictures import images
from cutgate.worker.pictures.encoders import encode
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import SourceImage, read_image
from cutgate.worker.pictures.metadata import LONGEST_RIGHTS_CHARACTERS, exif_with
from cutgate.worker.pictures.png import write_png
from tests.pictures.composites import named
from tests.worker.pictures.samples import LIMITS, SRGB, by_cv2, gradient, grey_profile, saved, wide_profile

SPEC = CutoutSpec(model="given", refinement=Refinement.OFF, erode_px=0)
PLAIN = Image.fromarray(gradient(8, 12))


def exif(**tags: Any) -> Image.Exif:
    block = Image.Exif()
    names = {"orientation": 0x0112, "across": 282, "down": 283, "unit": 296}
    for name, value in tags.items():
        block[names[name]] = value
    return block


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_density_in_the_formats_own_place(kind: str) -> None:
    source = read_image(saved(PLAIN, kind, dpi=(300, 150)), LIMITS)
    assert source.dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"across": 300.0, "down": 150.0, "unit": 2}, (300, 150)),
        ({"across": 300.0, "down": 150.0}, (300, 150)),
        ({"across": 118.11, "down": 59.055, "unit": 3}, (300, 150)),
        ({"across": 300.0, "down": 150.0, "unit": 1}, None),
        ({"across": 0.0, "down": 150.0, "unit": 2}, None),
        ({"across": 300.0}, None),
    ],
)
def test_density_in_exif(kind: str, tags: dict[str, Any], expected: tuple[float, float] | None) -> None:
    source = read_image(saved(PLAIN, kind, exif=exif(**tags)), LIMITS)
    assert source.dpi == (None if expected is None else pytest.approx(expected, abs=0.02))


def test_density_turns_with_the_picture() -> None:
    source = read_image(saved(PLAIN, "PNG", dpi=(300, 150), exif=exif(orientation=6)), LIMITS)
    assert source.rgb.shape == (12, 8, 3)
    assert source.dpi == pytest.approx((150, 300), abs=0.02)


def test_the_block_that_we_write_says_nothing_else() -> None:
    block = Image.Exif()
    block.load(exif_with((300, 150)))
    assert set(block) == {282, 283, 296}


def exif_of(data: bytes) -> dict[int, Any]:
    """All that a file's EXIF says, places included."""
    with Image.open(io.BytesIO(data)) as picture:
        block = picture.getexif()
    return {**block, **block.get_ifd(ExifTags.IFD.GPSInfo)}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "HEIF"])
@pytest.mark.parametrize("file_format", [FileFormat.PNG, FileFormat.WEBP, FileFormat.JPEG])
def test_artist_and_copyright_are_kept_and_the_place_is_not(kind: str, file_format: FileFormat) -> None:
    images.learn_heif()
    # Pillow writes ASCII alone into the tags of a TIFF.
    notice = b"(c) Zoe" if kind == "TIFF" else "© Zoë, all rights reserved".encode()
    block = exif(across=300.0, down=300.0, unit=2)
    block[ExifTags.Base.Artist], block[ExifTags.Base.Copyright] = "Ann Artist", notice
    block[ExifTags.Base.Model] = "a camera"
    block.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    source = read_image(saved(PLAIN, kind, exif=block.tobytes()), LIMITS)
    result = cut_out(source, SPEC, all_of_it, lambda: None)
    found = exif_of(finish(result, Finish(file_format=file_format)).data)
    assert found[ExifTags.Base.Artist] == "Ann Artist"
    assert found[ExifTags.Base.Copyright].encode("latin-1") == notice
    assert not found.keys() & {ExifTags.Base.Model, ExifTags.GPS.GPSLatitudeRef}


def test_a_notice_without_end_is_left_out() -> None:
    block = exif()
    block[ExifTags.Base.Copyright] = "x" * (LONGEST_RIGHTS_CHARACTERS + 1)
    assert read_image(saved(PLAIN, "PNG", exif=block), LIMITS).rights is None


def test_lab() -> None:
    lab = ImageCms.profileToProfile(
        PLAIN, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    source = read_image(saved(lab, "TIFF"), LIMITS)
    assert np.abs(source.rgb.astype(int) - gradient(8, 12)).mean() < 3  # some lie beyond what Lab's bytes can say
    assert source.dpi is None


@pytest.mark.parametrize("mode", ["YCbCr", "P", "L", "1", "LA", "PA", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)], ids=str)
def test_every_kind_of_colour_in_any_size(mode: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white").convert("L" if mode == "PA" else "RGB").convert(mode)
    kind = "PNG" if mode == "LA" else "TIFF"
    source = read_image(saved(picture, kind), LIMITS)
    assert source.rgb.shape == (size[1], size[0], 3)
    assert source.rgb.min() >= 250


def test_heic() -> None:
    images.learn_heif()
    large = Image.fromarray(np.repeat(np.repeat(gradient(3, 5), 16, axis=0), 16, axis=1))
    data = saved(large, "HEIF", quality=95, exif=exif(across=300.0, down=150.0, unit=2))
    source = read_image(data, LIMITS)
    assert np.abs(source.rgb.astype(int) - np.asarray(large)).mean() < 3
    assert source.dpi == pytest.approx((300, 150), abs=0.02)
    with pytest.raises(SourceUnreadable):
        read_image(data[: len(data) // 2], LIMITS)


def test_a_telephones_heic_is_turned_and_its_colours_are_brought_to_srgb() -> None:
    """As telephones write it: held upright, so stored lying; in tiles; with a profile, a preview, and a place."""
    images.learn_heif()
    upright = np.repeat(np.repeat(gradient(5, 3), 32, axis=0), 32, axis=1)
    block = exif(orientation=6)
    block.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    kept = {"exif": block.tobytes(), "icc_profile": wide_profile(), "thumbnails": [64]}
    data = saved(lying, "HEIF", quality=95, tile_size=64, **kept)
    source = read_image(data, LIMITS)
    assert source.rgb.shape == upright.shape
    assert np.abs(source.rgb.astype(int) - upright[..., [1, 0, 2]]).mean() < 6


def all_of_it(view: RgbImage) -> ByteMask:
    return np.full(view.shape[:2], 255, np.uint8)


def test_what_shows_through_a_source_is_not_in_its_colours() -> None:
    rgba = np.full((20, 20, 4), (200, 0, 0, 128), np.uint8)
    rgba[:, 10:, 3] = 255
    rgba[0, 0] = (9, 9, 9, 0)
    source = read_image(saved(Image.fromarray(rgba), "PNG"), LIMITS)
    pixels = cut_out(source, SPEC, all_of_it, lambda: None).pixels
    rgba[0, 0] = 0
    np.testing.assert_array_equal(pixels, rgba)


def test_cleaned_colours_of_a_source_with_alpha() -> None:
    rng = np.random.default_rng(3)
    rgba = np.dstack([rng.integers(0, 256, (40, 40, 3), np.uint8), np.full((40, 40), 255, np.uint8)])
    opaque = read_image(saved(Image.fromarray(rgba), "PNG"), LIMITS)
    rgba[0, :, 3] = 254
    source = read_image(saved(Image.fromarray(rgba), "PNG"), LIMITS)
    assert source.alpha is not None

    def soft(view: RgbImage) -> ByteMask:
        return np.broadcast_to(np.linspace(0, 255, 40).astype(np.uint8), (40, 40)).copy()

    spec = SPEC.model_copy(update={"refinement": Refinement.ON, "erode_px": 15})
    seen, expected = (cut_out(each, spec, soft, lambda: None).pixels for each in (source, opaque))
    assert np.abs(seen[5:].astype(int) - expected[5:]).max() <= 2


def test_the_network_sees_srgb_whatever_profile_is_kept() -> None:
    data = saved(Image.new("RGB", (8, 8), (255, 0, 0)), "PNG", icc_profile=wide_profile())
    seen: list[list[int]] = []

    def predict(view: RgbImage) -> ByteMask:
        seen.append(view[0, 0].tolist())
        return all_of_it(view)

    kept = read_image(data, LIMITS, keep_rgb_profile=True)
    result = cut_out(kept, SPEC, predict, lambda: None)
    assert seen == [pytest.approx([0, 255, 0], abs=3)]
    assert result.icc_profile == wide_profile()
    assert result.pixels[0, 0].tolist() == [255, 0, 0, 255]
    mask = cut_out(kept, SPEC.model_copy(update={"output": Output.MASK}), predict, lambda: None)
    assert mask.icc_profile is None


def test_the_density_is_the_results() -> None:
    source = read_image(saved(PLAIN, "JPEG", dpi=(72, 96)), LIMITS)
    for output in Output:
        spec = SPEC.model_copy(update={"output": output})
        assert cut_out(source, spec, all_of_it, lambda: None).dpi == (72, 96)


def noise(*shape: int) -> Samples:
    return np.random.default_rng(5).integers(0, 65536, shape, np.uint16)


def deep_png(samples: Samples, icc: bytes | None = None) -> bytes:
    """A PNG; where there is no alpha one that hides nothing, for our writer has no other."""
    opaque = np.full((*samples.shape[:2], 1), 65535, np.uint16)
    return write_png(samples if samples.shape[2] == 4 else np.dstack([samples, opaque]), icc, (300, 300))


def turned_png(samples: Samples, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    png, chunk = deep_png(samples), b"eXIf" + block
    return png[:33] + struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


def deep_tiff(samples: Samples, *, orientation: int = 1, photometric: int = 2, extra: int = 2) -> bytes:
    """An uncompressed TIFF, little endian; `extra` says what a fourth channel is: 2 is straight alpha."""
    height_px, width_px, channels = samples.shape
    pixels = samples.astype("<u2").tobytes()
    tags = [
        (256, 4, 1, width_px),
        (257, 4, 1, height_px),
        (258, 3, channels, 16 if channels == 1 else 8),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 16),
        (274, 3, 1, orientation),
        (277, 3, 1, channels),
        (278, 4, 1, height_px),
        (279, 4, 1, len(pixels)),
    ]
    if channels == 4:
        tags.append((338, 3, 1, extra))
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    bits = struct.pack("<4H", 16, 16, 16, 16)
    head = b"II*\0" + struct.pack("<I", 16 + len(pixels)) + bits
    return head + pixels + struct.pack("<H", len(tags)) + directory + bytes(4)


def read_deep(data: bytes) -> SourceImage:
    return read_image(data, replace(LIMITS, max_bytes=2**23, max_pixels=2 * 10**6), keep_16_bit=True)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 3), (12, 7, 3), (12, 7, 4)], ids=str)
@pytest.mark.parametrize("make", [deep_png, deep_tiff])
def test_every_sample_is_kept_and_alpha_is_parted_in_8_bits(make: Any, shape: tuple[int, ...]) -> None:
    samples = noise(*shape)
    source = read_deep(make(samples))
    assert source.samples is not None
    np.testing.assert_array_equal(source.samples, samples[..., :3])
    assert source.rgb.dtype == np.uint8
    assert np.abs(source.rgb - samples[..., :3] / 257).max() <= 0.5
    assert (source.alpha is not None) is (shape[2] == 4)
    if source.alpha is not None:
        assert np.abs(source.alpha - samples[..., 3] / 257).max() <= 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_as_others_are(orientation: int) -> None:
    samples = noise(6, 4, 3)
    for data in (turned_png(samples, orientation), deep_tiff(samples, orientation=orientation)):
        deep, plain = read_deep(data), read_image(data, LIMITS)
        assert plain.samples is None, "nobody asked for 16 bits"
        assert deep.samples is not None
        assert deep.samples.shape == ((4, 6, 3) if orientation >= 5 else (6, 4, 3))
        assert np.abs(deep.rgb.astype(int) - plain.rgb).max() <= 1
        assert deep.dpi == plain.dpi


def test_deep_grey() -> None:
    levels = noise(5, 6)
    for data in (write_png(levels), deep_tiff(levels[..., None], photometric=1)):
        source = read_deep(data)
        assert source.samples is not None
        np.testing.assert_array_equal(source.samples, np.dstack([levels] * 3))


@pytest.mark.parametrize("part", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_truncated_deep_picture(orientation: int, part: float) -> None:
    data = turned_png(noise(90, 90, 3), orientation)
    with pytest.raises(SourceUnreadable):
        read_deep(data[: int(len(data) * part)])


def test_what_has_no_16_bits_or_cannot_keep_them_has_8() -> None:
    grey = noise(5, 6)
    others = {
        "8 bits": saved(Image.new("RGB", (4, 4)), "PNG"),
        "a JPEG": saved(Image.new("RGB", (4, 4)), "JPEG"),
        "8 bits in TIFF": saved(Image.new("RGB", (4, 4)), "TIFF"),
        "a transparent level": saved(Image.fromarray(grey), "PNG", transparency=int(grey[0, 0])),
        "a grey profile": write_png(grey, grey_profile(1.0)),
        "premultiplied alpha": deep_tiff(noise(5, 6, 4), extra=1),
    }
    for name, data in others.items():
        source = read_deep(data)
        assert source.samples is None, name
        assert source.rgb.shape[2] == 3, name


def test_a_profile_stays_with_the_numbers() -> None:
    samples = noise(4, 4, 3)
    source = read_deep(deep_png(samples, wide_profile()))
    assert source.icc_profile == wide_profile()
    assert read_deep(deep_png(samples, SRGB)).icc_profile is None


@pytest.mark.parametrize("mode", [Refinement.OFF, Refinement.ON])
def test_a_deep_cut_out(mode: Refinement) -> None:
    bear = named("bear")
    fine = np.random.default_rng(2).integers(0, 257, bear.photo.shape)
    samples = np.minimum(bear.photo.astype(np.uint16) * 257 + fine, 65535).astype(np.uint16)

    def predict(view: RgbImage) -> ByteMask:
        assert view.dtype == np.uint8
        return to_levels(enlarged(bear.coarse_mask(), view.shape[0], view.shape[1]))

    spec = CutoutSpec(model="given", refinement=mode)
    source = read_deep(deep_png(samples))
    deep = cut_out(source, spec, predict, lambda: None)
    plain = cut_out(SourceImage(rgb=source.rgb, alpha=None), spec, predict, lambda: None).pixels
    pixels = by_cv2(encode(deep, FileFormat.PNG))
    assert pixels.dtype == np.uint16
    assert deep.dpi == pytest.approx((300, 300), abs=0.02)
    alpha = plain[..., 3]
    np.testing.assert_array_equal(pixels[..., 3], alpha.astype(int) * 257)
    np.testing.assert_array_equal(pixels[alpha == 255, :3], samples[alpha == 255])
    assert not pixels[alpha == 0].any()
    soft = (alpha > 0) & (alpha < 255)
    assert np.abs(pixels[soft] / 257 - plain[soft]).max() <= 1
    mask = cut_out(source, spec.model_copy(update={"output": Output.MASK}), predict, lambda: None)
    assert mask.pixels.dtype == np.uint8
