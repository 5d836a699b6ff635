"""What bytes and header show of a picture, and that hostile bytes show nothing else."""

import io
import struct
import time
from collections.abc import Callable
from typing import Any

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cutgate.jobs.errors import SourceRejected, SourceTooLarge, SourceUnreadable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect
from cutgate.worker.pictures.images import read_image
from tests.gateway import picture_files as pictures

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)

WHOLE = {
    "jpeg": pictures.jpeg(),
    "png": pictures.png(8, 6),
    "webp": pictures.webp(),
    "bmp": pictures.bmp(),
    "bmp top down": pictures.bmp(8, -6),
    "gif": pictures.gif(),
    "heic": pictures.heif(),
    "avif": pictures.heif(brand=b"avif"),
    "tiff little": pictures.tiff(),
    "tiff big": pictures.tiff(order=">"),
}

TURNED: dict[str, Callable[[int], bytes]] = {
    "jpeg": lambda orientation: pictures.jpeg(exif=pictures.exif_block(orientation)),
    "png": lambda orientation: pictures.png(8, 6, exif=pictures.exif_block(orientation)),
    "webp": lambda orientation: pictures.webp(exif=pictures.exif_block(orientation)),
    "webp, prefixed": lambda orientation: pictures.webp(exif=b"Exif\0\0" + pictures.exif_block(orientation)),
    "tiff": lambda orientation: pictures.tiff(orientation=orientation),
}


def size_of(data: bytes) -> tuple[int, int]:
    header = inspect(data, LIMITS)
    return header.width_px, header.height_px


@pytest.mark.parametrize("name", WHOLE)
def test_size_of_every_format(name: str) -> None:
    assert size_of(WHOLE[name]) == (8, 6)


@pytest.mark.parametrize("orientation", [*range(10), 65_535])
@pytest.mark.parametrize("name", TURNED)
def test_sizes_are_oriented(name: str, orientation: int) -> None:
    """An orientation that does not exist turns nothing."""
    assert size_of(TURNED[name](orientation)) == ((6, 8) if 5 <= orientation <= 8 else (8, 6))


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("brand", [b"heic", b"heix", b"avif"])
def test_heic_and_avif_are_turned_by_a_property(brand: bytes, turns: int) -> None:
    header = inspect(pictures.heif(8, 6, brand=brand, turns=turns), LIMITS)
    assert header.media_type == ("image/avif" if brand == b"avif" else "image/heic")
    assert (header.width_px, header.height_px) == ((6, 8) if turns % 2 else (8, 6))


@pytest.mark.parametrize("hidden", [b"meta", b"pitm", b"iprp", b"ipma", b"ispe"])
def test_heic_without_one_of_its_boxes_is_refused(hidden: bytes) -> None:
    with pytest.raises(SourceUnreadable):
        inspect(pictures.heif().replace(hidden, b"free"), LIMITS)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_shorter_than_its_own_lengths_is_refused(name: str) -> None:
    data = WHOLE[name]
    # A JPEG's scan states no length, so only what stands before it can be seen missing; GIF's last byte is a mark.
    # A TIFF ends with the place of a second directory.
    spare_bytes = {"jpeg": 10, "gif": 1, "tiff little": 4, "tiff big": 4}.get(name, 0)
    shortest_accepted = len(data) - spare_bytes
    for size in range(shortest_accepted):
        if name == "png" and size == len(data) - 12:
            continue  # without IEND, but no length is cut
        with pytest.raises(SourceUnreadable):
            inspect(data[:size], LIMITS)
    inspect(data[:shortest_accepted], LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"<svg width='1' height='1'/>", b"P6 1 1 255 abc", b"%PDF-1.7", b"PK\x03\x04", bytes(99)),
        pictures.bmp_core(),  # the oldest bitmaps, whose size would be misread
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(SourceUnreadable):
        inspect(data, LIMITS)


def test_limits_hold_at_their_value_and_not_above() -> None:
    at = SourceLimits(max_bytes=len(pictures.png(8, 6)), max_pixels=48, max_side_px=8)
    inspect(pictures.png(8, 6), at)
    cases = {
        "bytes": SourceLimits(max_bytes=at.max_bytes - 1, max_pixels=48, max_side_px=8),
        "pixels": SourceLimits(max_bytes=at.max_bytes, max_pixels=47, max_side_px=8),
        "pixels on its longer side": SourceLimits(max_bytes=at.max_bytes, max_pixels=48, max_side_px=7),
    }
    for measure, limits in cases.items():
        with pytest.raises(SourceTooLarge) as caught:
            inspect(pictures.png(8, 6), limits)
        assert caught.value.details["measure"] == measure


@pytest.mark.parametrize("size", [(0, 6), (8, 0), (2**31, 2**31)])
def test_sizes_that_no_picture_has(size: tuple[int, int]) -> None:
    with pytest.raises(SourceRejected):
        inspect(pictures.png_header_only(*size), LIMITS)


@given(st.sampled_from([data[:16] for data in WHOLE.values()]), st.binary(max_size=300))
def test_random_bytes_behind_a_beginning_raise_nothing_else(beginning: bytes, data: bytes) -> None:
    _inspect_or_reject(beginning + data)


@settings(max_examples=150)
@given(
    st.sampled_from(
        [*WHOLE.values(), pictures.png(8, 6, exif=pictures.exif_block(6)), pictures.webp(exif=b"Exif")]
    ),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(0, 400),
)
def test_damaged_headers_raise_nothing_else(data: bytes, edits: list[tuple[int, bytes]], keep: int) -> None:
    damaged = bytearray(data)
    for position, replacement in edits:
        damaged[position : position + len(replacement)] = replacement
    _inspect_or_reject(bytes(damaged[:keep]))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0" + b"\x00\x10" + bytes(2**22),  # no marker
        b"\xff\xd8" + b"\xff" * 2**22,  # fill bytes
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 2**20,  # empty segments
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(7) + b"\x01\0\0\0\x01" + bytes(2**22),
        pictures.gif()[:-9] + b"\x01x" * 2**21,  # blocks of one byte
        b"BM\0\0ftyp" + bytes(2**22),
        b"II*\0\x08\0\0\0\xff\xff" + bytes(2**22),  # empty tags
        pictures.heif() + b"\0\0\0\x08free" * 2**20,
        pictures.heif().replace(b"ipma" + bytes(7) + b"\2", b"ipma" + bytes(4) + b"\xff" * 4) + bytes(2**22),
    ],
    ids=range(9),
)
def test_hostile_files_are_read_in_bounded_time(data: bytes) -> None:
    started = time.process_time()
    _inspect_or_reject(data, SourceLimits(max_bytes=2**25, max_pixels=10_000, max_side_px=500))
    assert time.process_time() - started < 2


def _inspect_or_reject(data: bytes, limits: SourceLimits = LIMITS) -> None:
    try:
        header = inspect(data, limits)
    except SourceRejected:
        return
    assert 1 <= header.width_px <= limits.max_side_px
    assert 1 <= header.height_px <= limits.max_side_px


# Headers of files that a real encoder wrote, held to what its decoder says of them.


LARGE_LIMITS = SourceLimits(max_bytes=2**22, max_pixels=10**6, max_side_px=2_000)

MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGBA", "P", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "P", "1"),
    "GIF": ("P",),
    "TIFF": ("RGB",),
    "AVIF": ("RGB", "RGBA"),
}
FILES: list[tuple[str, str, dict[str, Any]]] = [
    *((form, mode, {}) for form, modes in MODES.items() for mode in modes),
    ("JPEG", "RGB", {"progressive": True, "optimize": True}),
    ("JPEG", "RGB", {"icc_profile": bytes(200_000)}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
]
WITHOUT_EXIF = {"BMP", "GIF"}


def encode(form: str, mode: str, options: dict[str, Any], orientation: int | None) -> bytes:
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {**options, "exif": exif}
    picture = Image.effect_noise((301, 200), 80)
    buffer = io.BytesIO()
    picture.convert("L").convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("form", "mode", "options"), FILES, ids=lambda value: str(value)[:40])
def test_size_is_the_decoders(form: str, mode: str, options: dict[str, Any]) -> None:
    for orientation in (None, *(() if form in WITHOUT_EXIF else range(1, 9))):
        data = encode(form, mode, options, orientation)
        with Image.open(io.BytesIO(data)) as opened:
            expected = ImageOps.exif_transpose(opened).size
        header = inspect(data, LARGE_LIMITS)
        assert (header.width_px, header.height_px) == expected, orientation


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_turned_by_its_own_property_and_not_by_exif(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = pillow_heif.from_pillow(Image.new("RGB", (300, 200)))
    buffer = io.BytesIO()
    picture.save(buffer, exif=exif.tobytes())
    opened = pillow_heif.open_heif(io.BytesIO(buffer.getvalue()))
    header = inspect(buffer.getvalue(), LARGE_LIMITS)
    assert header.media_type == "image/heic"
    assert (header.width_px, header.height_px) == opened.size


def test_an_animation_is_taken_by_its_first_frame() -> None:
    frames = [Image.effect_noise((30, 20), 80) for _ in range(3)]
    for form in ("GIF", "WEBP", "PNG", "AVIF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
        header = inspect(buffer.getvalue(), LARGE_LIMITS)
        assert (header.width_px, header.height_px) == (30, 20)


# A camera's RAW files that are TIFFs: what stands in front is a thumbnail, and nobody wants that one cut out.


NEW_SUBFILE_TYPE, TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES, DNG_VERSION = 254, 322, 323, 330, 50706
THUMBNAIL, PAGE = 1, 2
"""Bits of a directory's type."""


def saved(width_px: int, height_px: int, tags: dict[int, Any], *further: Image.Image) -> bytes:
    file = io.BytesIO()
    picture = Image.effect_noise((width_px, height_px), 80)
    picture.save(file, "TIFF", tiffinfo=tags, save_all=bool(further), append_images=further)
    return file.getvalue()


def directory(kind: int) -> Image.Image:
    """A further one of a file, of that type."""
    picture = Image.new("L", (40, 30))
    picture.encoderinfo = {"tiffinfo": {NEW_SUBFILE_TYPE: kind}}
    return picture


RAW = {
    "nef": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL, SUB_DIRECTORIES: 8}),
    "nef, big endian": pictures.tiff(160, 106, order=">", further=((NEW_SUBFILE_TYPE, 4, 1, THUMBNAIL),)),
    "a thumbnail that is a page": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL | PAGE}),
    "dng": saved(160, 106, {NEW_SUBFILE_TYPE: THUMBNAIL, DNG_VERSION: b"\1\4\0\0"}),
    "dng, full size in front": saved(600, 400, {NEW_SUBFILE_TYPE: 0, DNG_VERSION: b"\1\4\0\0"}),
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(99),
}
ORDINARY = {
    "plain": saved(600, 400, {}),
    "its type stated": saved(600, 400, {NEW_SUBFILE_TYPE: 0}),
    "its type stated in 16 bits, big endian": pictures.tiff(
        600, 400, order=">", further=((NEW_SUBFILE_TYPE, 3, 1, PAGE),)
    ),
    "several pages": saved(600, 400, {NEW_SUBFILE_TYPE: PAGE}, directory(PAGE), directory(PAGE)),
    "a thumbnail behind": saved(600, 400, {NEW_SUBFILE_TYPE: 0}, directory(THUMBNAIL)),
}


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("check", [inspect, read_image], ids=["gateway", "worker"])
def test_a_raw_file_is_refused_in_the_words_for_what_is_no_picture(
    name: str, check: Callable[..., object]
) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        check(RAW[name], LARGE_LIMITS)
    assert caught.value.message == "the bytes are not a JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF picture"
    assert caught.value.details == {"wrong": "format"}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_tiff_is_read(name: str) -> None:
    header = inspect(ORDINARY[name], LARGE_LIMITS)
    assert (header.width_px, header.height_px) == (600, 400)
    assert read_image(ORDINARY[name], LARGE_LIMITS).rgb.shape == (400, 600, 3)


def test_a_tiled_tiff_is_read() -> None:
    """Its fields may be followed by any others."""
    tiles = ((NEW_SUBFILE_TYPE, 4, 1, 0), (TILE_WIDTH, 4, 1, 256), (TILE_HEIGHT, 4, 1, 256))
    header = inspect(pictures.tiff(600, 400, further=tiles), LARGE_LIMITS)
    assert (header.width_px, header.height_px) == (600, 400)
