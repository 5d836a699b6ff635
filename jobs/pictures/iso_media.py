"""HEIC and AVIF: a file of boxes (ISO/IEC 14496-12), in which one item is the picture (ISO/IEC 23008-12).

Its size, and how it is turned and mirrored, are properties of that item; what EXIF says of it does not count.
Whatever a box claims, reading is bounded. A function may raise `struct.error` or `IndexError` where the file ends
inside a box.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cutgate.jobs.errors import SourceUnreadable
from cutgate.jobs.pictures.wholeness import Walk, counted

_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_FILE_TYPE_BYTES: Final = 256
"""Longer lists of brands are not read to their end."""

_MAX_BOXES: Final = 4_096
"""At one level; an item of a camera's picture has a few dozen tiles."""

_NEEDED: Final = frozenset({b"ftyp", b"meta", b"mdat"})
"""Boxes that a whole file has to its end; others may be an editor's trailing rest."""

_TURNED: Final = (1, 8, 3, 6)
_TURNED_AND_MIRRORED: Final = ((4, 5, 2, 7), (2, 7, 4, 5))
"""EXIF orientation by quarter turns to the left; then a mirror, top to bottom or left to right."""


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """Where what it holds begins."""
    end: int


def media_type_of(data: bytes) -> str | None:
    """The format that the file type box at the start names; None where there is none, or another."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), _FILE_TYPE_BYTES)
    brands = {data[place : place + 4] for place in range(8, end, 4)}
    if brands & _AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if brands & _HEIC_BRANDS else None


def read(data: bytes) -> tuple[int, int, int, Walk]:
    """Stored width and height in pixels, the EXIF orientation that its properties amount to, and its price.

    Raises:
        SourceUnreadable: the boxes do not lead to a size, or the file ends before they do.
    """
    boxes = list(_boxes(data, 0, len(data)))
    whole = {box.kind: box for box in boxes}
    if b"meta" not in whole or b"mdat" not in whole:
        raise SourceUnreadable("the picture's description or its data is missing")
    meta = whole[b"meta"]
    parts = {box.kind: box for box in _boxes(data, meta.start + 4, meta.end)}
    if b"pitm" not in parts or b"iprp" not in parts:
        raise SourceUnreadable("the picture's size cannot be read", wrong="size")
    main = _number(data, parts[b"pitm"].start + 4, 2 if data[parts[b"pitm"].start] == 0 else 4)
    properties: list[_Box] = []
    indexes: dict[int, list[int]] = {}
    count = counted()
    for box in _boxes(data, parts[b"iprp"].start, parts[b"iprp"].end):
        if box.kind == b"ipco" and not properties:
            properties += _boxes(data, box.start, box.end)
        elif box.kind == b"ipma":
            _read_associations(data, box, indexes, count)

    def described(item: int) -> tuple[int, int, int]:
        found = (properties[index - 1] for index in indexes.get(item, ()) if 0 < index <= len(properties))
        return _described(data, found)

    tiles = Counter(_tiles(data, parts[b"iref"], count)) if b"iref" in parts else Counter[int]()
    sizes = ((number, described(item)) for item, number in tiles.items())
    pixels = sum(number * width_px * height_px for number, (width_px, height_px, _) in sizes)
    return *described(main), Walk(end=boxes[-1].end, pixels=pixels)


def _described(data: bytes, properties: Iterable[_Box]) -> tuple[int, int, int]:
    width_px = height_px = turns = 0
    mirror: int | None = None
    for box in properties:
        if box.kind == b"ispe":
            width_px, height_px = struct.unpack_from(">II", data, box.start + 4)
        elif box.kind == b"irot":
            turns = data[box.start] & 3
        elif box.kind == b"imir":
            mirror = data[box.start] & 1
    return width_px, height_px, (_TURNED if mirror is None else _TURNED_AND_MIRRORED[mirror])[turns]


def _read_associations(data: bytes, box: _Box, indexes: dict[int, list[int]], parts: Iterator[int]) -> None:
    """Add the numbers of the items' properties, from 1, that a box of associations names."""
    id_bytes = 2 if data[box.start] == 0 else 4
    index_bytes = 2 if data[box.start + 3] & 1 else 1
    most = (1 << (8 * index_bytes - 1)) - 1
    place = box.start + 8
    for _, _ in zip(range(_number(data, box.start + 4, 4)), parts, strict=False):
        first = place + id_bytes + 1
        found = indexes.setdefault(_number(data, place, id_bytes), [])
        place = first + index_bytes * data[first - 1]
        places = zip(range(first, place, index_bytes), parts, strict=False)
        found += (_number(data, at, index_bytes) & most for at, _ in places)


def _tiles(data: bytes, box: _Box, parts: Iterator[int]) -> Iterator[int]:
    """The items that others are put together from, each as often as it is named: tiles, and layers."""
    id_bytes = 2 if data[box.start] == 0 else 4
    for reference in _boxes(data, box.start + 4, box.end):
        if reference.kind == b"dimg":
            first = reference.start + id_bytes + 2
            for at, _ in zip(range(_number(data, first - 2, 2)), parts, strict=False):
                yield _number(data, first + id_bytes * at, id_bytes)


def _boxes(data: bytes, place: int, end: int) -> Iterator[_Box]:
    """The boxes between two places, one after the other."""
    for _ in range(_MAX_BOXES):
        if place + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if size == 1:
            size = struct.unpack_from(">Q", data, start)[0]
            start += 8
        stop = place + size if size else end
        if stop > end and kind in _NEEDED:
            raise SourceUnreadable(f"the picture has {len(data)} bytes, its own lengths need {stop}")
        if not start <= stop <= end:
            return
        yield _Box(kind, start, stop)
        place = stop
    raise SourceUnreadable("the picture has too many parts")


def _number(data: bytes, place: int, size: int) -> int:
    if place + size > len(data):
        raise IndexError
    return int.from_bytes(data[place : place + size], "big")
