"""Every format out, as another reader sees it, and a PNG written in bands."""

import io
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import get_sampling

from cutgate.jobs.errors import ProcessingFailed
from cutgate.jobs.spec import FileFormat
from cutgate.worker.cutout.raster.arrays import Bytes, Levels, RgbaImage
from cutgate.worker.pictures import png as png_module
from cutgate.worker.pictures.colour_bleed import with_colour_bleed
from cutgate.worker.pictures.encoders import Picture, encode
from cutgate.worker.pictures.images import read_image
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import LIMITS, by_cv2, gradient, wide_profile

SIZES = [(1, 1), (1, 40), (40, 1), (17, 23), (300, 40)]
DPI = (300.0, 150.0)
SUBSAMPLED = 2
"""What Pillow calls 4:2:0."""


def cutout(height_px: int = 24, width_px: int = 40) -> RgbaImage:
    """A subject on the right, softly ending, and nothing on the left."""
    alpha = np.clip(np.linspace(-255, 510, width_px), 0, 255).astype(np.uint8)
    pixels = np.dstack([gradient(height_px, width_px), np.broadcast_to(alpha, (height_px, width_px))])
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def pictures_in(data: bytes, file_format: FileFormat) -> list[bytes]:
    return [*members(data).values()] if file_format is FileFormat.ZIP else [data]


def levels(picture: Image.Image) -> Bytes:
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_lossless_webp_keeps_every_number(size: tuple[int, int]) -> None:
    pixels = cutout(*size)
    picture = opened(encode(Picture(pixels=pixels), FileFormat.WEBP))
    assert picture.format == "WEBP"
    np.testing.assert_array_equal(levels(picture.convert("RGBA")), pixels)


def test_lossy_webp_keeps_alpha_and_is_smaller() -> None:
    pixels = np.dstack([np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8), cutout(64, 64)[..., 3]])
    small, smaller = (encode(Picture(pixels=pixels), FileFormat.WEBP, quality) for quality in (90, 20))
    assert len(smaller) < len(small) < len(encode(Picture(pixels=pixels), FileFormat.WEBP))
    np.testing.assert_array_equal(levels(opened(smaller).convert("RGBA"))[..., 3], pixels[..., 3])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("file_format", FileFormat)
def test_masks_are_grey_in_every_format(file_format: FileFormat, size: tuple[int, int]) -> None:
    mask = np.ascontiguousarray(cutout(*size)[..., 3])
    data = encode(Picture(pixels=mask), file_format)
    assert file_format is not FileFormat.ZIP or list(members(data)) == ["alpha.png"]
    (file,) = pictures_in(data, file_format)
    seen = levels(opened(file).convert("RGB"))
    assert np.abs(seen.astype(int) - mask[..., None]).max() <= (8 if file_format is FileFormat.JPEG else 0)


def test_jpeg_by_quality() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 4), np.uint8)
    sizes = [len(encode(Picture(pixels=noise), FileFormat.JPEG, quality)) for quality in (10, 50, 90, None, 100)]
    assert sizes == sorted(sizes)
    assert opened(encode(Picture(pixels=noise), FileFormat.JPEG)).mode == "RGB"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_zip_has_colours_and_alpha_apart(size: tuple[int, int]) -> None:
    pixels = cutout(*size)
    data = encode(Picture(pixels=pixels), FileFormat.ZIP, 100)
    assert data == encode(Picture(pixels=pixels), FileFormat.ZIP, 100)
    found = members(data)
    assert list(found) == ["color.jpg", "alpha.png"]
    np.testing.assert_array_equal(levels(opened(found["alpha.png"])), pixels[..., 3])
    assert opened(found["alpha.png"]).mode == "L"
    assert get_sampling(opened(found["color.jpg"])) == SUBSAMPLED
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    colours = levels(opened(found["color.jpg"]))
    seen = pixels[..., 3] > 0
    off = np.abs(colours.astype(int) - pixels[..., :3])[seen]
    assert off.sum() <= 4 * off.size


def test_colours_go_on_outside_of_the_subject() -> None:
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[:, 40:] = (200, 40, 90, 255)
    np.testing.assert_array_equal(with_colour_bleed(pixels), np.broadcast_to((200, 40, 90), (60, 80, 3)))


def test_every_gap_takes_the_colour_beside_it() -> None:
    pixels = np.zeros((1, 1200, 4), np.uint8)
    pixels[:, :50], pixels[:, -50:] = (250, 0, 0, 255), (0, 0, 250, 255)
    around = with_colour_bleed(pixels).astype(int)
    assert np.abs(around[0, 60] - (250, 0, 0)).max() < 60
    assert np.abs(around[0, -60] - (0, 0, 250)).max() < 60


@pytest.mark.parametrize(("subject", "expected"), [(0, 255), (1, 90)], ids=["nothing", "one pixel of millions"])
def test_colours_around_next_to_nothing(subject: int, expected: int) -> None:
    pixels = np.zeros((1500, 20_000, 4), np.uint8)
    pixels[700, 700 : 700 + subject] = (90, 90, 90, 255)
    assert (with_colour_bleed(pixels) == expected).all()


@pytest.mark.parametrize("file_format", FileFormat)
@pytest.mark.parametrize("mask", [False, True])
def test_density_is_kept_in_every_format(file_format: FileFormat, mask: bool) -> None:
    pixels = np.full((6, 8), 255, np.uint8) if mask else np.full((6, 8, 4), 255, np.uint8)
    data = encode(Picture(pixels=pixels, dpi=DPI), file_format)
    for file in pictures_in(data, file_format):
        assert read_image(file, LIMITS).dpi == pytest.approx(DPI, abs=0.02)
    bare = encode(Picture(pixels=pixels), file_format)
    for file in pictures_in(bare, file_format):
        assert read_image(file, LIMITS).dpi is None


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_kept_profile_is_in_every_format(file_format: FileFormat) -> None:
    data = encode(Picture(pixels=np.full((6, 8, 4), 255, np.uint8), icc_profile=wide_profile()), file_format)
    profile = opened(pictures_in(data, file_format)[0]).info["icc_profile"]
    assert profile == wide_profile()
    ImageCms.ImageCmsProfile(io.BytesIO(profile))


@pytest.mark.parametrize(("file_format", "side_px"), [(FileFormat.WEBP, 16_384), (FileFormat.JPEG, 65_536)])
def test_a_format_that_is_too_small_says_so(file_format: FileFormat, side_px: int) -> None:
    with pytest.raises(ProcessingFailed, match=r"at most \d+ pixels on a side; ask for png"):
        encode(Picture(pixels=np.zeros((1, side_px, 4), np.uint8)), file_format)


def test_sixteen_bits_are_for_png_alone() -> None:
    with pytest.raises(TypeError, match="only PNG"):
        encode(Picture(pixels=np.zeros((4, 4, 4), np.uint16)), FileFormat.WEBP)


ASTRONAUT = Path(__file__).parents[3] / "examples/astronaut.jpg"
DEPTHS = [np.uint8, np.uint16]
DepthType = type[np.uint8] | type[np.uint16]


def noise(seed: int, *shape: int, depth: DepthType = np.uint8) -> Levels:
    levels = np.random.default_rng(seed).integers(0, np.iinfo(depth).max, shape, dtype=depth, endpoint=True)
    return np.asarray(levels)


def by_pillow(png: bytes) -> Levels:
    return np.asarray(Image.open(io.BytesIO(png)))


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and data of each, whose checksum is right."""
    place, chunks = 8, []
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        body = png[place + 4 : place + 8 + size]
        assert int.from_bytes(png[place + 8 + size : place + 12 + size], "big") == zlib.crc32(body)
        chunks.append((body[:4], body[4:]))
        place += 12 + size
    return chunks


def rows_in(png: bytes) -> bytes:
    """What the image data hold, once zlib has found their Adler-32 right and nothing behind it."""
    unpacker = zlib.decompressobj()
    rows = unpacker.decompress(b"".join(data for kind, data in chunks_of(png) if kind == b"IDAT"))
    assert unpacker.eof
    assert not unpacker.unused_data
    return rows


def filtered_by_definition(pixels: Levels) -> bytes:
    """Sub, as the specification has it: byte by byte of a pixel, against the one on the left."""
    samples = pixels.reshape(len(pixels), -1).astype(pixels.dtype.newbyteorder(">")).view(np.uint8)
    left = np.zeros_like(samples)
    pixel_bytes = samples.shape[1] // pixels.shape[1]
    left[:, pixel_bytes:] = samples[:, :-pixel_bytes]
    return np.hstack([np.ones((len(pixels), 1), np.uint8), samples - left]).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from(DEPTHS),
    st.integers(1, 2000),
    st.integers(0, 2**32 - 1),
)
def test_bands_are_one_stream(
    height_px: int, width_px: int, colours: bool, depth: DepthType, band_bytes: int, seed: int
) -> None:
    pixels = noise(seed, height_px, width_px, *([4] if colours else []), depth=depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png_module, "_BAND_BYTES", band_bytes)
        png, *others = (write_png(pixels, threads=threads) for threads in (1, 2, 5))
    assert others == [png, png]
    assert rows_in(png) == filtered_by_definition(pixels)
    assert by_cv2(png).dtype == depth
    np.testing.assert_array_equal(by_cv2(png), pixels)
    if depth is np.uint8 or not colours:  # Pillow has no colours of 16 bits
        np.testing.assert_array_equal(by_pillow(png), pixels)


def test_a_photo_is_as_small_as_in_one_piece() -> None:
    with Image.open(ASTRONAUT) as photo:
        rgba = np.asarray(photo.convert("RGBA").resize((1500, 1500), Image.Resampling.LANCZOS))
    png = write_png(rgba, threads=2)
    rows = rows_in(png)
    assert rows == filtered_by_definition(rgba)
    np.testing.assert_array_equal(by_pillow(png), rgba)
    np.testing.assert_array_equal(by_cv2(png), rgba)
    assert len(png) < 1.005 * len(isal_zlib.compress(rows, 1))


def test_threads_share_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for another that packs at the same time; alone it would wait for ever."""
    together, packed = threading.Barrier(2, timeout=20), png_module._packed

    def packed_together(band: Levels) -> tuple[list[bytes], int]:
        together.wait()
        return packed(band)

    rgba = noise(2, 512, 1024, 4)
    alone = write_png(rgba)
    monkeypatch.setattr(png_module, "_packed", packed_together)
    assert write_png(rgba, threads=2) == alone


def test_a_small_picture_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(png_module, "ThreadPoolExecutor")
    small = noise(2, 200, 1000, 4)
    np.testing.assert_array_equal(by_cv2(write_png(small, threads=2)), small)


def test_every_chunk_carries_its_checksum_and_stands_where_it_should() -> None:
    png = write_png(noise(6, 50, 60, 4), b"a profile", (300, 150))
    kinds = [kind for kind, _ in chunks_of(png)]
    assert kinds == [b"IHDR", b"iCCP", b"pHYs", b"IDAT", b"IEND"]
    assert Image.open(io.BytesIO(png)).info["dpi"] == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("depth", DEPTHS)
def test_arrays_that_are_views_of_others(depth: DepthType) -> None:
    rgba = noise(8, 20, 30, 4, depth=depth)[::2, ::-1]
    np.testing.assert_array_equal(by_cv2(write_png(rgba)), rgba)
    np.testing.assert_array_equal(by_cv2(write_png(rgba[..., 3])), rgba[..., 3])
