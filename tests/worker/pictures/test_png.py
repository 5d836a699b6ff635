"""Writing a PNG in bands: the bytes of the file, its size, the threads that share it."""

import io
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from PIL import Image

from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.pictures import png as png_module
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2

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
