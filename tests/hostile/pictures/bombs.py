"""Pictures that are small to send and dear to read, family by family, mostly within their formats' rules."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from PIL import Image

from tests.hostile.mutation import EXTREMES
from tests.hostile.pictures.seeds import seeds

_LARGE_PX: Final = (7_000, 7_142)
"""Just within the default limit of 50 megapixels."""
_SIZES_PX: Final = ((16, 16), (640, 480), (4_000, 3_000), _LARGE_PX)
_BLOCK_BYTES: Final = 2**20


@cache
def zeros(size_bytes: int) -> bytes:
    """So many bytes of nothing, deflated: a thousandth of their size."""
    packer = zlib.compressobj(9)
    block = bytes(_BLOCK_BYTES)
    whole, rest = divmod(size_bytes, _BLOCK_BYTES)
    pieces = [packer.compress(block) for _ in range(whole)]
    return b"".join([*pieces, packer.compress(block[:rest]), packer.flush()])


@cache
def progressive_jpeg(size_px: tuple[int, int], mode: str) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size_px, "grey").save(file, "JPEG", progressive=True, quality=50)
    return file.getvalue()


def jpeg_scans(size_px: tuple[int, int], mode: str, scans: int) -> bytes:
    """A JPEG whose last scan comes again and again: each is a run over all blocks of the picture."""
    data = progressive_jpeg(size_px, mode)
    start, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[start:end] * scans + data[end:]


def tiff(
    size_px: tuple[int, int], fields: Sequence[tuple[int, int, int, int]], data: bytes, *, next_directory: int = 0
) -> bytes:
    """A little-endian TIFF in grey of 8 bits whose data lies at 8."""
    usual = {256: (4, 1, size_px[0]), 257: (4, 1, size_px[1]), 258: (3, 1, 8), 259: (3, 1, 8), 262: (3, 1, 1)}
    entries = sorted((usual | {tag: facts for tag, *facts in fields}).items())
    packed = b"".join(
        struct.pack("<HHI", tag, kind, count) + struct.pack("<H2x" if kind == 3 else "<I", value)
        for tag, (kind, count, value) in entries
    )
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    return head + struct.pack("<H", len(entries)) + packed + struct.pack("<I", next_directory)


def tiff_tile(size_px: tuple[int, int], tile_px: tuple[int, int]) -> bytes:
    """One deflated tile, whatever the size of the picture in its corner."""
    data = zeros(tile_px[0] * tile_px[1])
    return tiff(
        size_px, [(322, 4, 1, tile_px[0]), (323, 4, 1, tile_px[1]), (324, 4, 1, 8), (325, 4, 1, len(data))], data
    )


def tiff_strips(size_px: tuple[int, int], rows: int, count: int) -> bytes:
    """So many strips, all of the same bytes, each said to hold so many rows."""
    data = zeros(size_px[0] * min(rows, size_px[1]))
    padded = data + bytes(-len(data) % 4)
    starts, sizes = struct.pack("<I", 8) * count, struct.pack("<I", len(data)) * count
    # A list of one number stands in its entry; a longer one behind the pixels.
    where = (8, len(data)) if count == 1 else (8 + len(padded), 8 + len(padded) + len(starts))
    fields = [(273, 4, count, where[0]), (278, 4, 1, rows), (279, 4, count, where[1])]
    return tiff(size_px, fields, padded + starts + sizes)


def tiff_tags(count: int, size_bytes: int, next_directory: int) -> bytes:
    """Unknown tags that all point at the same bytes, and a next directory, which may be the same one."""
    strip = [(259, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 16), (279, 4, 1, 256)]
    tags = [(1_000 + number, 7, size_bytes, 8) for number in range(count)]
    return tiff((16, 16), [*strip, *tags], bytes(max(256, size_bytes)), next_directory=next_directory)


def chunk(kind: bytes, content: bytes, stated_bytes: int | None = None) -> bytes:
    """A PNG's chunk, which may state a length that it has not."""
    size_bytes = len(content) if stated_bytes is None else stated_bytes
    return struct.pack(">I", size_bytes) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    size_px: tuple[int, int], *, colour: int = 2, bits: int = 8, interlaced: bool = False, before: bytes = b""
) -> bytes:
    """A black PNG with more chunks before its pixels."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row_bytes = (size_px[0] * samples * bits + 7) // 8 + 1
    # Interlaced, each of seven passes has rows of its own, each with its filter and a started byte.
    rows = zeros(size_px[1] * (row_bytes + 4 * interlaced) + 16)
    header = struct.pack(">IIBBBBB", *size_px, bits, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(3)) if colour == 3 else b""
    chunks = (chunk(b"IHDR", header), palette, before, chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_text(kind: bytes, count: int, size_bytes: int) -> bytes:
    """Deflated texts or profiles in a small PNG."""
    return png((8, 8), before=chunk(kind, b"x\0\0" + zeros(size_bytes)) * count)


def png_length(kind: bytes, stated_bytes: int, before: int) -> bytes:
    """A small PNG one of whose chunks states any length."""
    lying = chunk(kind, bytes(16), stated_bytes)
    return png((8, 8), colour=6, bits=16, before=chunk(b"tEXt", b"k\0v") * before + lying)


def png_frames(count: int, size_px: tuple[int, int]) -> bytes:
    """A moving PNG that states so many frames."""
    control = chunk(b"acTL", struct.pack(">II", count, 0))
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, *size_px, 0, 0, 1, 1, 0, 0))
    return png(size_px, before=control + frame * min(count, 1_000))


def gif(size_px: tuple[int, int], frame_px: tuple[int, int], frames: int) -> bytes:
    """Frames without a picture in them, on a canvas of any size."""
    screen = b"GIF89a" + struct.pack("<HHBBB", *size_px, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame_px, 0) + b"\x02\x02\x44\x01\0"
    return screen + frame * frames + b";"


def gif_table(size_px: tuple[int, int], repeats: int) -> bytes:
    """One frame in the shortest codes for the longest runs."""
    screen = b"GIF89a" + struct.pack("<HHBBB", *size_px, 0x80, 0, 0) + bytes(6)
    blocks = (b"\xff" + b"\x44" * 255) * repeats
    return screen + b"\x2c" + struct.pack("<HHHHB", 0, 0, *size_px, 0) + b"\x02" + blocks + b"\0;"


def webp_canvas(size_px: tuple[int, int], frames: int) -> bytes:
    """A moving WebP on a canvas of any size; its frames are small ones."""
    side = [(each - 1).to_bytes(3, "little") for each in size_px]
    still = seeds()["lossless webp"][12:]
    place = bytes(6) + (31).to_bytes(3, "little") + (23).to_bytes(3, "little") + bytes(4)
    moving = b"ANMF" + struct.pack("<I", len(place) + len(still)) + place + still + b"\0" * (len(still) % 2)
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + b"".join(side)
    chunks += b"ANIM" + struct.pack("<I", 6) + bytes(6) + moving * frames
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def bmp_runs(size_px: tuple[int, int], runs: int) -> bytes:
    """Run-length coded rows."""
    rows = b"\xff\0" * runs + b"\0\1"
    info = struct.pack("<IiiHHIIiiII", 40, *size_px, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 54 + 1_024
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + bytes(1_024) + rows


def iso_sizes(name: str, width_px: int, height_px: int) -> bytes:
    """An AVIF or HEIC file that says it is of another size."""
    data = bytearray(seeds()[name])
    at = data.find(b"ispe")
    while at >= 0:
        data[at + 8 : at + 16] = struct.pack(">II", width_px, height_px)
        at = data.find(b"ispe", at + 1)
    return bytes(data)


def iso_boxes(name: str, depth: int, kind: bytes) -> bytes:
    """Boxes in boxes behind the picture."""
    boxes = b""
    for _ in range(depth):
        boxes = struct.pack(">I4s", len(boxes) + 8, kind) + boxes
    return seeds()[name] + boxes


def profile(tags: int, count: int) -> bytes:
    """A JPEG whose colour profile states tags and curves of any length."""
    head = bytearray(seeds()["jpeg"])
    at = head.find(b"acsp")
    head[at + 92 : at + 96] = struct.pack(">I", tags)
    curve = head.find(b"curv")
    if curve >= 0:
        head[curve + 8 : curve + 12] = struct.pack(">I", count)
    return bytes(head)


FIXED: Final[Sequence[Callable[[], bytes]]] = (
    lambda: jpeg_scans(_LARGE_PX, "RGB", 8_000),
    lambda: jpeg_scans(_LARGE_PX, "L", 2_000),
    lambda: tiff_tile((16, 16), (16_000, 16_000)),
    lambda: tiff_tile((16, 16), (65_504, 10_000)),
    lambda: png_length(b"eXIf", 2**32 - 13, 0),
    lambda: png_length(b"iCCP", 2**31 - 1, 0),
    lambda: png(_LARGE_PX),
    lambda: png(_LARGE_PX, interlaced=True),
    lambda: png((12_000, 4_166), colour=6, bits=16),
    lambda: png_text(b"zTXt", 40, 60 * 2**20),
    lambda: png_text(b"iCCP", 1, 60 * 2**20),
    lambda: webp_canvas(_LARGE_PX, 10),
    lambda: gif(_LARGE_PX, _LARGE_PX, 1),
    lambda: tiff_tags(1_000, 30_000, 0),
    lambda: tiff_strips((16, 16), 65_535, 100_000),
)
"""Those that once were dear, and the plainest ones of each format: the first inputs of every campaign."""


def _number(chance: random.Random) -> int:
    return chance.choice((*EXTREMES, chance.randrange(2**32)))


def _size(chance: random.Random) -> tuple[int, int]:
    """A size in pixels within the limits."""
    return chance.choice(_SIZES_PX)


def _any_size(chance: random.Random) -> tuple[int, int]:
    """A size in pixels, mostly over the limits."""
    width_px, height_px = (chance.choice((1, 16, 255, 4_096, 12_000, 16_383, 65_535)) for _ in range(2))
    return width_px, height_px


FAMILIES: Final[Sequence[Callable[[random.Random], bytes]]] = (
    lambda c: jpeg_scans(_size(c), c.choice(("L", "RGB")), c.choice((0, 3, 30, 300, 3_000))),
    lambda c: tiff_tile(_size(c), (16 * c.choice((1, 16, 256, 2_048)), 16 * c.choice((1, 64, 1_024)))),
    lambda c: tiff_strips(_size(c), c.choice((1, 16, 65_535, 2**31)), c.choice((1, 2, 1_000, 50_000))),
    lambda c: tiff_tags(c.choice((0, 10, 1_000)), c.choice((1, 30_000)), c.choice((0, 4, 8, 264, 2**31))),
    lambda c: png(_size(c), colour=c.choice((0, 2, 4, 6)), bits=c.choice((8, 16)), interlaced=c.random() < 0.5),
    lambda c: png_text(c.choice((b"zTXt", b"iCCP", b"iTXt")), c.choice((1, 10, 60)), 10 ** c.choice((5, 6, 7))),
    lambda c: png_length(c.choice((b"eXIf", b"iCCP", b"IDAT", b"tEXt", b"PLTE")), _number(c), c.randrange(3)),
    lambda c: png_frames(_number(c), _size(c)),
    lambda c: gif(_any_size(c), _any_size(c), c.choice((1, 100, 10_000))),
    lambda c: gif_table(_size(c), c.choice((1, 100, 2_000))),
    lambda c: webp_canvas(_any_size(c), c.choice((1, 10, 1_000))),
    lambda c: bmp_runs(_size(c), c.choice((1, 1_000, 100_000))),
    lambda c: iso_sizes(c.choice(("avif", "heic", "clear avif", "clear heic")), *_any_size(c)),
    lambda c: iso_boxes(c.choice(("avif", "heic")), c.choice((1, 5_000)), c.choice((b"meta", b"moov", b"skip"))),
    lambda c: profile(_number(c), _number(c)),
)
"""Each makes any number of pictures of its kind."""


def bomb(chance: random.Random, number: int) -> bytes:
    """The picture of a number: first the fixed ones, then each family in turn."""
    return FIXED[number]() if number < len(FIXED) else FAMILIES[number % len(FAMILIES)](chance)
