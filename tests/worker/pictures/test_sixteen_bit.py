"""Pictures of 16 bits per channel, from a file to a file."""

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.errors import SourceUnreadable
from cutgate.jobs.spec import CutoutSpec, FileFormat, Output, Refinement
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage, Samples
from cutgate.worker.cutout.raster.filters import enlarged, to_levels
from cutgate.worker.pictures.encoders import encode
from cutgate.worker.pictures.images import SourceImage, read_image
from cutgate.worker.pictures.png import write_png
from tests.pictures.composites import named
from tests.worker.pictures.samples import LIMITS, SRGB, by_cv2, grey_profile, saved, wide_profile


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
