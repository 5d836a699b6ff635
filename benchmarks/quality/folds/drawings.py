"""Drawn subjects, whose truth is known by construction: labels and documents, and drawings with and without holes.

Whatever is drawn belongs to the subject, be it as white as the paper behind it; only a hole shows the background.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.folds.subjects import Subject

LABEL: Final = "label"
DRAWN: Final = "drawn"
"""Categories, and the groups that the report shows."""

SIDE_PX: Final = 1000
"""The longer side of a drawing, and what its coordinates count to."""
SCALE: Final = 2
"""Drawings are made so many times larger."""

TILT_DEGREES: Final = 12
SHADE: Final = 0.2
"""Greatest loss of light across a label."""

Colour: TypeAlias = tuple[int, int, int]

WHITE, PAPER, INK, BLACK = (255, 255, 255), (244, 243, 240), (40, 42, 48), (12, 12, 14)
GREY, CARD, KRAFT, STEEL, GOLD = (128, 128, 128), (214, 212, 206), (176, 138, 96), (150, 156, 164), (212, 170, 70)
WORDS: Final = "cut out along the line and keep the white of this label as it is printed here "


class _Drawing:
    """Colours and alpha that are drawn together."""

    def __init__(self, tint: Colour, width: int = SIDE_PX, height: int = SIDE_PX) -> None:
        self.tint = tint
        self.size = width, height
        self._colours, self._alpha = (Image.new(mode, (SCALE * width, SCALE * height)) for mode in ("RGB", "L"))

    def add(self, shape: str, where: Sequence[float], colour: Colour | None, **options: float) -> None:
        """A shape of PIL's; without a colour it is a hole."""
        scaled = [round(SCALE * place) for place in where]
        sizes = {name: round(SCALE * size) for name, size in options.items()}
        if colour is not None:
            getattr(ImageDraw.Draw(self._colours), shape)(scaled, fill=colour, **sizes)
        getattr(ImageDraw.Draw(self._alpha), shape)(scaled, fill=255 * (colour is not None), **sizes)

    def write(self, left: float, top: float, words: str, size: float, colour: Colour) -> None:
        """Letters, which belong to the subject."""
        font, place = ImageFont.load_default(SCALE * size), (SCALE * left, SCALE * top)
        ImageDraw.Draw(self._colours).text(place, words, colour, font)
        ImageDraw.Draw(self._alpha).text(place, words, 255, font)

    def lines(self, left: float, top: float, width: float, count: int, size: float = 26) -> None:
        """Lines of text."""
        for line in range(count):
            start = 7 * line % len(WORDS)
            letters = int(width / (0.52 * size) * (0.6 if line % 4 == 3 else 1))
            self.write(left, top + 1.5 * size * line, (3 * WORDS)[start : start + letters], size, INK)

    def bars(self, left: float, top: float, width: float, height: float) -> None:
        """A barcode."""
        places = np.cumsum(np.random.default_rng(0).integers(3, 12, 200))
        for start, end in zip(places[::2], places[1::2], strict=True):
            if end < width:
                self.add("rectangle", (left + start, top, left + end, top + height), BLACK)

    def subject(self, name: str, category: str, rng: np.random.Generator) -> Subject:
        """Tilted and lit from one side if it is a label; cropped to its alpha."""
        tilt, shade = (
            (rng.uniform(-TILT_DEGREES, TILT_DEGREES), rng.uniform(0, SHADE)) if category == LABEL else (0, 0)
        )
        colours, alpha = (
            np.asarray(each.rotate(tilt, Image.Resampling.BICUBIC, expand=True), np.float32)
            for each in (self._colours, self._alpha)
        )
        light = 1 - shade * np.linspace(0, 1, alpha.shape[1], dtype=np.float32)[:, None]
        share = colours * light * (alpha / 255)[..., None]
        size = alpha.shape[1] // SCALE, alpha.shape[0] // SCALE
        premultiplied, mask = (
            np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.float32) for each in (share, alpha)
        )
        rows, columns = (np.flatnonzero((mask > 1).any(axis)) for axis in (1, 0))
        inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Subject(name, name, category, premultiplied[inside], np.rint(mask[inside]).astype(np.uint8))


def _white_label(d: _Drawing) -> None:
    d.add("rounded_rectangle", (0, 0, 999, 640), PAPER, radius=30)
    d.add("rounded_rectangle", (180, 120, 820, 520), WHITE, radius=20)
    d.write(240, 200, "PURE", 110, d.tint)
    d.lines(240, 350, 500, 3)


def _letter(d: _Drawing) -> None:
    d.add("rectangle", (0, 0, 710, 999), WHITE)
    d.write(70, 70, "Letter", 60, d.tint)
    d.lines(70, 180, 570, 18)


def _striped_sheet(d: _Drawing) -> None:
    d.add("rectangle", (0, 0, 760, 999), PAPER)
    for top in range(120, 900, 110):
        d.add("rectangle", (0, top, 760, top + 55), d.tint)
        d.lines(60, top + 62, 600, 1)


def _invoice(d: _Drawing) -> None:
    d.add("rectangle", (0, 0, 720, 999), WHITE)
    d.add("rectangle", (60, 60, 260, 130), d.tint)
    for top in range(240, 800, 60):
        d.add("line", (60, top, 660, top), CARD, width=3)
        d.lines(70, top + 15, 380, 1)
        d.write(560, top + 15, f"{top / 7:.2f}", 26, INK)
    d.bars(60, 870, 300, 80)


def _parcel(d: _Drawing) -> None:
    d.add("polygon", (0, 160, 640, 240, 640, 980, 0, 860), KRAFT)
    d.add("polygon", (640, 240, 999, 140, 999, 840, 640, 980), (150, 114, 76))
    d.add("polygon", (0, 160, 360, 80, 999, 140, 640, 240), (196, 160, 116))
    d.add("polygon", (120, 330, 520, 375, 520, 760, 120, 705), WHITE)
    d.lines(150, 410, 320, 4, 22)
    d.bars(150, 580, 330, 90)


def _bottle(d: _Drawing) -> None:
    d.add("rectangle", (150, 0, 250, 90), INK)
    d.add("rectangle", (160, 90, 240, 300), d.tint)
    d.add("rounded_rectangle", (20, 260, 380, 999), d.tint, radius=70)
    d.add("rectangle", (20, 480, 380, 820), WHITE)
    d.write(70, 540, "No. 5", 90, INK)
    d.lines(60, 680, 270, 3, 20)


def _price_tag(d: _Drawing) -> None:
    d.add("polygon", (0, 250, 220, 0, 999, 0, 999, 500, 220, 500), WHITE)
    d.add("ellipse", (120, 205, 210, 295), d.tint)
    d.add("ellipse", (140, 225, 190, 275), None)
    d.write(320, 130, "19.90", 180, INK)
    d.add("line", (320, 380, 900, 380), d.tint, width=14)


def _book(d: _Drawing) -> None:
    d.add("rectangle", (0, 0, 700, 999), d.tint)
    d.add("rectangle", (0, 0, 40, 999), INK)
    d.add("rectangle", (140, 160, 600, 520), WHITE)
    d.write(180, 260, "Poems", 120, INK)
    d.lines(160, 800, 420, 2)


def _envelope(d: _Drawing) -> None:
    d.add("rectangle", (0, 0, 999, 560), WHITE)
    d.add("line", (0, 0, 500, 300, 999, 0), CARD, width=4)
    d.add("rectangle", (820, 60, 940, 210), d.tint)
    d.add("rectangle", (120, 340, 520, 480), CARD)
    d.lines(150, 360, 330, 3)


def _jar(d: _Drawing) -> None:
    d.add("rounded_rectangle", (80, 0, 720, 150), d.tint, radius=30)
    d.add("rounded_rectangle", (0, 140, 800, 980), (120, 70, 40), radius=90)
    d.add("ellipse", (140, 320, 660, 840), WHITE)
    d.write(235, 490, "HONEY", 100, d.tint)
    d.lines(260, 640, 260, 2, 22)


def _panda(d: _Drawing) -> None:
    for left in (60, 700):
        d.add("ellipse", (left, 20, left + 240, 260), BLACK)
    d.add("ellipse", (80, 80, 920, 880), WHITE)
    for left in (230, 590):
        d.add("ellipse", (left, 330, left + 190, 570), BLACK)
        d.add("ellipse", (left + 65, 400, left + 125, 460), WHITE)
    d.add("ellipse", (430, 600, 570, 690), BLACK)
    d.add("polygon", (380, 740, 500, 800, 620, 740, 500, 770), BLACK)


def _disc_in_ring(d: _Drawing) -> None:
    d.add("ellipse", (0, 0, 999, 999), BLACK)
    d.add("ellipse", (140, 140, 860, 860), GREY)


def _badge(d: _Drawing) -> None:
    d.add("rounded_rectangle", (0, 0, 999, 560), d.tint, radius=120)
    d.add("rounded_rectangle", (50, 50, 950, 510), WHITE, radius=80)
    d.write(130, 130, "Badge", 270, d.tint)


def _letters(d: _Drawing) -> None:
    d.write(0, 0, "ABO", 460, d.tint)
    d.add("rectangle", (20, 620, 960, 680), INK)


def _ring(d: _Drawing) -> None:
    d.add("ellipse", (0, 0, 999, 999), GOLD)
    d.add("ellipse", (120, 120, 880, 880), None)


def _mug(d: _Drawing) -> None:
    d.add("ellipse", (520, 220, 999, 720), d.tint)
    d.add("ellipse", (590, 290, 929, 650), None)
    d.add("rounded_rectangle", (60, 60, 680, 940), d.tint, radius=70)
    d.add("ellipse", (60, 0, 680, 150), WHITE)
    d.add("ellipse", (230, 350, 510, 630), WHITE)


def _barred_chair(d: _Drawing) -> None:
    for left in range(200, 801, 100):
        d.add("rectangle", (left - 18, 40, left + 18, 560), KRAFT)
    for top, bottom in ((0, 70), (540, 620)):
        d.add("rectangle", (140, top, 860, bottom), KRAFT)
    for left in (160, 780):
        d.add("rectangle", (left, 600, left + 60, 999), KRAFT)
    d.add("rectangle", (160, 800, 840, 830), KRAFT)


def _clock(d: _Drawing) -> None:
    d.add("ellipse", (0, 0, 999, 999), d.tint)
    d.add("ellipse", (70, 70, 930, 930), WHITE)
    for hour in range(12):
        way = np.array((np.sin(np.pi * hour / 6), -np.cos(np.pi * hour / 6)))
        d.add("line", (*(500 + 340 * way), *(500 + 400 * way)), INK, width=22)
    d.add("line", (500, 500, 500, 220), INK, width=26)
    d.add("line", (500, 500, 690, 610), INK, width=34)


def _gear(d: _Drawing) -> None:
    for tooth in range(12):
        way = np.array((np.sin(np.pi * tooth / 6), -np.cos(np.pi * tooth / 6)))
        d.add("line", (*(500 + 300 * way), *(500 + 490 * way)), STEEL, width=120)
    d.add("ellipse", (110, 110, 890, 890), STEEL)
    d.add("ellipse", (330, 330, 670, 670), None)


def _key(d: _Drawing) -> None:
    d.add("ellipse", (0, 150, 380, 530), GOLD)
    d.add("ellipse", (70, 220, 310, 460), None)
    d.add("rectangle", (360, 300, 980, 380), GOLD)
    for left in (760, 880):
        d.add("rectangle", (left, 370, left + 60, 500), GOLD)


DRAWINGS: Final[dict[str, Sequence[Callable[[_Drawing], None]]]] = {
    LABEL: (
        *(_white_label, _letter, _striped_sheet, _invoice, _parcel),
        *(_bottle, _price_tag, _book, _envelope, _jar),
    ),
    DRAWN: (_panda, _disc_in_ring, _badge, _letters, _ring, _mug, _barred_chair, _clock, _gear, _key),
}
"""By category."""


def drawn_subject(category: str, draw: Callable[[_Drawing], None]) -> Subject:
    """A drawing, in a colour of its own."""
    name = draw.__name__.strip("_")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    hue = np.array([[[rng.integers(180), rng.integers(90, 230), rng.integers(90, 220)]]], np.uint8)
    red, green, blue = (int(level) for level in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
    drawing = _Drawing((red, green, blue))
    draw(drawing)
    return drawing.subject(name, category, rng)


def drawn_subjects() -> Iterator[Subject]:
    """Every drawing."""
    for category, drawings in DRAWINGS.items():
        yield from (drawn_subject(category, draw) for draw in drawings)
