"""Pictures that are small, in bytes or in pixels, and costly to decode: they are refused before that."""

import io
import struct
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.errors import (
    SourceRejected,
    SourceTooCostly,
    SourceTooLarge,
    SourceUnreadable,
)
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect
from cutgate.worker.pictures.images import read_image
from cutgate.worker.pictures.png import write_png
from tests.gateway import picture_files as pictures
from tests.hostile.pictures.bombs import png, webp_canvas

LIMITS = SourceLimits(max_bytes=2**25, max_pixels=50_000_000, max_side_px=12_000)
TILE_WIDTH, TILE_HEIGHT = 322, 323


def progressive(width_px: int, height_px: int, further_scans: int) -> bytes:
    """A real JPEG whose last scan comes again and again: 75 bytes for a pass over all of its pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (width_px, height_px), (128, 90, 20)).save(buffer, "JPEG", progressive=True, quality=50)
    whole = buffer.getvalue()
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * further_scans + whole[-2:]


def tiled(width_px: int, height_px: int, tile_px: tuple[int, int]) -> bytes:
    """A TIFF that says how large its tiles are."""
    tags = zip((TILE_WIDTH, TILE_HEIGHT), tile_px, strict=True)
    return pictures.tiff(width_px, height_px, further=tuple((tag, 4, 1, value) for tag, value in tags))


def png_of_16_bits(width_px: int, height_px: int) -> bytes:
    """The start of one with colours and alpha."""
    data = pictures.png_header_only(width_px, height_px)
    return data[:24] + b"\x10\x06" + data[26:]


WHOLE = {
    "jpeg": pictures.jpeg(),
    "png": pictures.png(8, 6),
    "webp": pictures.webp(),
    "bmp": pictures.bmp(),
    "gif": pictures.gif(),
}
COSTLY: dict[str, Callable[[], bytes]] = {
    "jpeg, many scans": lambda: progressive(3_000, 3_000, 120),
    "png, 16 bits": lambda: png_of_16_bits(7_000, 7_142),
    "tiff, one large tile": lambda: tiled(16, 16, (29_984, 22_000)),
    "tiff, tiles that reach far beyond it": lambda: tiled(12_000, 10, (16, 65_504)),
    "tiff, a jpeg of many scans": lambda: (
        pictures.tiff(4_000, 4_000, further=((259, 3, 1, 7),)) + b"\xff\xda\0\0" * 63
    ),
    "gif, a frame larger than its screen": lambda: pictures.gif(16, 16, frame_px=(65_000, 65_000)),
    "webp, frames on a large canvas": lambda: webp_canvas((7_000, 7_142), 2),
    "heic, too many tiles": lambda: pictures.heif(4_000, 4_000, tiles=5),
    "avif, too many tiles": lambda: pictures.heif(4_000, 4_000, brand=b"avif", tiles=1_000),
}


@pytest.mark.parametrize("name", COSTLY)
@pytest.mark.parametrize("check", [inspect, read_image], ids=["gateway", "worker"])
def test_what_costs_more_than_its_size_is_refused_at_once(name: str, check: Callable[..., object]) -> None:
    data = COSTLY[name]()
    started = time.process_time()
    with pytest.raises(SourceTooCostly, match="save it again"):
        check(data, LIMITS)
    assert time.process_time() - started < 1


def test_scans_are_bounded_by_the_pixels_that_they_go_over() -> None:
    """A small picture may have many, a large one few; exactly at the limit it passes."""
    data = progressive(100, 100, 40)
    scans = data.count(b"\xff\xda")
    inspect(data, replace(LIMITS, max_decoded_pixels=scans * 10_000))
    with pytest.raises(SourceTooCostly) as caught:
        inspect(data, replace(LIMITS, max_decoded_pixels=scans * 10_000 - 1))
    assert caught.value.facts().details == {
        "measure": f"pixels in {scans} scans",
        "value": scans * 10_000,
        "limit": scans * 10_000 - 1,
    }


def test_the_largest_jpeg_may_have_the_scans_that_encoders_make_and_two_more() -> None:
    assert progressive(100, 100, 0).count(b"\xff\xda") == 10
    inspect(pictures.jpeg(7_000, 7_142, scans=12), LIMITS)
    with pytest.raises(SourceTooCostly):
        inspect(pictures.jpeg(7_000, 7_142, scans=13), LIMITS)


@pytest.mark.parametrize(
    ("colour", "bits", "pixel_bytes"), [(2, 8, 3), (6, 8, 4), (4, 16, 4), (2, 16, 6), (6, 16, 8), (3, 1, 1 / 8)]
)
def test_a_png_of_more_than_four_bytes_a_pixel_may_have_fewer_pixels(
    colour: int, bits: int, pixel_bytes: float
) -> None:
    most_pixels = int(min(1, 4 / pixel_bytes) * 1_200)
    limits = replace(LIMITS, max_pixels=1_200)
    inspect(png((most_pixels // 10, 10), colour=colour, bits=bits), limits)
    with pytest.raises(SourceTooCostly if pixel_bytes > 4 else SourceTooLarge):
        inspect(png((most_pixels // 10 + 1, 10), colour=colour, bits=bits), limits)


def test_scans_cannot_be_hidden_in_what_looks_like_a_segment() -> None:
    """Decoders differ in which markers have a length: whatever may be a scan counts as one."""
    hidden = pictures.jpeg(7_000, 7_000, scans=30)
    scans_at = hidden.index(b"\xff\xda")
    segment = b"\xff\x02" + struct.pack(">H", 2 + len(hidden) - 2 - scans_at)
    with pytest.raises(SourceTooCostly):
        inspect(hidden[:scans_at] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + segment + hidden[scans_at:], LIMITS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: progressive(4_000, 4_000, 0),
        lambda: tiled(16, 16, (512, 512)),
        lambda: tiled(5_000, 4_000, (1_024, 1_024)),
        lambda: pictures.gif(16, 16, frame_px=(16, 20)),
        lambda: pictures.heif(4_000, 3_000, tiles=4),
        lambda: pictures.jpeg(exif=pictures.exif_block(1), exif_blocks=16),
    ],
    ids=range(6),
)
def test_what_encoders_make_is_not(make: Callable[[], bytes]) -> None:
    inspect(make(), LIMITS)


def test_a_field_that_occurs_twice_is_refused() -> None:
    """Decoders differ in which of the two counts."""
    with pytest.raises(SourceUnreadable, match="directory"):
        inspect(pictures.tiff(further=((TILE_WIDTH, 4, 1, 16), (TILE_WIDTH, 4, 1, 30_000))), LIMITS)


def test_a_chunk_that_states_more_than_the_file_holds_is_refused_by_the_worker_as_well() -> None:
    """OpenCV, which reads 16 bits, makes room for what a chunk states: gigabytes for some 600 bytes."""
    whole = write_png(np.full((8, 8, 4), 60_000, np.uint16))
    chunk = struct.pack(">I4s", 2**32 - 16, b"tEXt")
    with pytest.raises(SourceUnreadable, match="its own lengths need"):
        read_image(whole[:33] + chunk + whole[33:], LIMITS, keep_16_bit=True)


def test_many_exif_blocks_are_refused() -> None:
    """Pillow joins them one by one: 200 000 of 100 bytes take it minutes."""
    with pytest.raises(SourceUnreadable, match="too many parts"):
        inspect(pictures.jpeg(exif=pictures.exif_block(1), exif_blocks=65), LIMITS)


def test_references_that_lead_over_their_box_are_read_in_bounded_time() -> None:
    reference = struct.pack(">I4sHH", 12, b"dimg", 2, 65_535)
    associations = struct.pack(">I4sIIH", 18, b"ipma", 0, 2**32 - 1, 7)
    iprp = struct.pack(">I4s", 8 + 4_000 * 18, b"iprp") + associations * 4_000
    iref = struct.pack(">I4sI", 12 + 4_000 * 12, b"iref", 0) + reference * 4_000
    pitm = struct.pack(">I4sIH", 14, b"pitm", 0, 2)
    meta = struct.pack(">I4sI", 12 + len(pitm + iprp + iref), b"meta", 0) + pitm + iprp + iref
    data = struct.pack(">I4s8s4s", 20, b"ftyp", b"heic", b"heic") + meta + struct.pack(">I4s", 2**22 + 8, b"mdat")
    started = time.process_time()
    with pytest.raises(SourceRejected):
        inspect(data + bytes(2**22), LIMITS)
    assert time.process_time() - started < 2


class TestWhatStandsBehindAPicture:
    """Storage is for pictures: what a camera appends is dropped, anything else refused."""

    @pytest.mark.parametrize("name", WHOLE)
    def test_a_payload_is_refused(self, name: str) -> None:
        with pytest.raises(SourceUnreadable, match=r"70000 bytes stand behind the picture's end; save"):
            inspect(WHOLE[name] + bytes(70_000), LIMITS)

    @pytest.mark.parametrize("name", WHOLE)
    def test_padding_is_dropped(self, name: str) -> None:
        data = WHOLE[name]
        assert inspect(data + bytes(60_000), LIMITS).picture_of(data + bytes(60_000)) == data

    @pytest.mark.parametrize(
        "appended",
        [
            pictures.jpeg(40, 30) + bytes(2**17),
            bytes(100) + pictures.jpeg(40, 30, exif=bytes(2**15), exif_blocks=9),
            b"\0\0\0\x18ftypmp42" + bytes(2**17),
            b"\1\2" * 2**16 + b"SEFT",
        ],
        ids=["depth", "light", "motion", "samsung"],
    )
    def test_what_a_camera_appends_is_dropped(self, appended: bytes) -> None:
        photo = pictures.jpeg(exif=pictures.exif_block(6))
        header = inspect(photo + appended, LIMITS)
        assert header.picture_of(photo + appended) == photo
        assert (header.width_px, header.height_px) == (6, 8)

    def test_the_scans_of_what_follows_do_not_count(self) -> None:
        photo = progressive(5_000, 5_000, 0)
        header = inspect(photo + b"\xff\xd8\xff" + b"\xff\xda" * 2**15, LIMITS)
        assert header.size_bytes == len(photo)

    def test_a_picture_that_is_too_large_with_it_is_too_large(self) -> None:
        with pytest.raises(SourceTooLarge):
            inspect(pictures.jpeg() + bytes(100), replace(LIMITS, max_bytes=len(pictures.jpeg()) + 99))
