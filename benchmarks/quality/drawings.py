"""Draw `docs/small-parts.jpg`: what rules for small parts and unusual pictures change.

    python -m benchmarks.quality.drawings --before COMMIT [--out DIR] [--write PICTURE]

Each row is a drawing, its cut-out over green, white and black by that commit, and by this one. Most come with a
mask in place of the network's, which is what the rule is about.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import Absent
from benchmarks.photos import LIMITS
from benchmarks.quality.cut import Before
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import MAPS
from benchmarks.quality.sheet import BACKGROUNDS, composite
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes, RgbaImage, RgbImage
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

SIZE: Final = (500, 800)
"""Height and width of a drawing."""
TILE_WIDTH_PX: Final = 200
GAP_PX: Final = 4
SQUARE_PX: Final = 16
BOARD_LEVELS: Final = (160, 200)
CAPTION_PX: Final = 24
NAME_PX: Final = 116
JPEG_QUALITY: Final = 82


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A picture, and what is asked of it."""

    name: str
    picture: Bytes
    """(height, width, 3 or 4) uint8."""
    mask: ByteMask | None = None
    """What the network is taken to see; None: it is asked."""
    tidy: bool = False
    """Whether the row shows an option instead of a commit: `postProcessMask` off, then on, without refinement."""


def drawings() -> tuple[Drawing, ...]:
    """One for each row."""
    return logo(), small_part(), white_card(), soft_cutout(), lawn(), page(), frayed()


def logo() -> Drawing:
    """A mark, a name and a small tagline."""
    picture = Image.new("RGB", (1200, 1000), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((380, 80, 820, 520), fill=(200, 30, 60))
    draw.polygon([(520, 180), (740, 300), (520, 420)], fill="white")
    for text, size_px, top_px, colour, stroke_px in (
        ("CUTGATE", 150, 640, (30, 30, 60), 5),
        ("background removal since 2026", 36, 800, (90, 90, 90), 1),
        ("© all rights reserved", 18, 930, (90, 90, 90), 0),
    ):
        font = ImageFont.load_default(size_px)
        draw.text((600, top_px), text, colour, font, "mm", stroke_width=stroke_px, stroke_fill=colour)
    return Drawing("logo", np.asarray(picture))


def small_part() -> Drawing:
    """A disc, and a small second one in the colours of the wall, of which the network is sure."""
    mask = _discs(((230, 250), 150, 255), ((600, 250), 48, 205), ((600, 226), 20, 235))
    colours = np.full((*SIZE, 3), 190.0)
    colours[mask > 128] -= 14
    left, stripes = np.arange(SIZE[1])[None] < 450, np.arange(SIZE[0])[:, None] % 24 < 8
    colours[(mask > 128) & left] = (150, 40, 30)
    colours[(mask > 128) & ~left & stripes] -= 25
    return Drawing("small part", _grained(colours), mask)


def white_card() -> Drawing:
    """A white card on transparency."""
    picture = Image.new("RGBA", SIZE[::-1], (255, 255, 255, 0))
    ImageDraw.Draw(picture).rounded_rectangle((150, 80, 650, 420), 60, fill="white")
    return Drawing("white card", np.asarray(picture))


def soft_cutout() -> Drawing:
    """A cut-out with a soft edge, cut out again by a network that sees it as it is."""
    alpha = np.asarray(cv2.GaussianBlur(_discs(((400, 250), 170, 255)), (0, 0), 16), np.uint8)
    return Drawing("cut-out", np.dstack([np.full((*SIZE, 3), (190, 90, 40), np.uint8), alpha]), alpha)


def lawn() -> Drawing:
    """Grass everywhere, of which a network sees a haze and a few pixels: too few for a subject."""
    rng, grass = np.random.default_rng(0), np.zeros((*SIZE, 3))
    for sigma_px in (1.0, 2.5, 8.0):
        blades = cv2.GaussianBlur(rng.normal(0, 1, SIZE), (0, 0), sigma_px)
        grass += (blades / blades.std())[..., None] * (14, 20, 8)
    haze = cv2.GaussianBlur(_discs(((300, 260), 110, 118), ((560, 220), 70, 100)), (0, 0), 30)
    seen = np.maximum(haze, _discs(((310, 240), 3, 255)))
    return Drawing("lawn", _levels(grass + np.array((70, 110, 45))), seen)


def page() -> Drawing:
    """A page, on which the network is sure of nothing."""
    mask = np.full(SIZE, 45, np.uint8)
    for row in range(6):
        place = 40, 80 + 70 * row
        cv2.putText(mask, "A page of letters", place, cv2.FONT_HERSHEY_SIMPLEX, 1.6, 225, 6, cv2.LINE_AA)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 2))
    paper = 225.0 - np.arange(SIZE[1])[None, :, None] // 16
    return Drawing("page", _levels(np.where(mask[..., None] > 140, 60, paper) + np.zeros(3)), mask)


def frayed() -> Drawing:
    """A disc of paper on a table of nearly its colour: a network sees a frayed edge and specks."""
    rng = np.random.default_rng(0)
    disc = _discs(((400, 250), 180, 255))
    soft = cv2.GaussianBlur(disc, (0, 0), 4).astype(np.float64)
    rough = cv2.GaussianBlur(rng.normal(0, 1, SIZE), (0, 0), 1)
    mask = _levels(soft + 60 * rough / rough.std() * ((soft > 8) & (soft < 247)))
    for x_px, y_px in rng.integers((40, 40), (760, 460), (16, 2)):
        cv2.circle(mask, (int(x_px), int(y_px)), 6, 190, -1)
    colours = np.where(disc[..., None] > 128, (176, 168, 150), (150, 146, 140))
    return Drawing("frayed mask", _grained(colours), np.asarray(cv2.GaussianBlur(mask, (0, 0), 1)), tidy=True)


def cut_all(out: Path, maps: Path) -> None:
    """Write each drawing's cut-out; of one with the option, without it and with it."""
    out.mkdir(parents=True, exist_ok=True)
    segmenter = keep_maps(load_segmenter(NetworkSettings()), maps)
    for drawing in drawings():
        for tidy in {False, drawing.tidy}:
            source = read_image(_png(drawing.picture), LIMITS)
            mask = drawing.mask

            def seen(image: RgbImage, mask: ByteMask | None = mask) -> ByteMask:
                # A closer look sees nothing new: the drawing is all there is.
                return segmenter(image) if mask is None or image.shape[:2] != mask.shape else mask

            refinement = Refinement.OFF if drawing.tidy else Refinement.AUTO
            spec = CutoutSpec(model=segmenter.model, tidy_mask=tidy, refinement=refinement)
            pixels = cut_out(source, spec, seen, lambda: None).pixels
            write_whole(out / _file(drawing, tidy=tidy), _png(np.asarray(pixels, np.uint8)))


def sheet(before: Path, after: Path) -> Image.Image:
    """All rows, from the folders of both commits' cut-outs."""
    rows = [np.hstack(list(_tiles(drawing, before, after))) for drawing in drawings()]
    shown = Image.fromarray(np.vstack(rows))
    picture = Image.new("RGB", (shown.width + NAME_PX, shown.height + CAPTION_PX), "white")
    picture.paste(shown, (NAME_PX, CAPTION_PX))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for column, text in ((0, "drawing"), (1, "without the rule"), (4, "with it")):
        pen.text((NAME_PX + column * (TILE_WIDTH_PX + GAP_PX) + 4, 3), text, "black", font)
    top_px = CAPTION_PX
    for drawing, row in zip(drawings(), rows, strict=True):
        pen.text((NAME_PX - 8, top_px + len(row) // 2), drawing.name, "black", font, "rm")
        top_px += len(row)
    return picture


def _tiles(drawing: Drawing, before: Path, after: Path) -> Iterator[RgbImage]:
    pixels = drawing.picture
    yield _tile(_on_board(pixels) if pixels.shape[2] == 4 else pixels)
    without = after if drawing.tidy else before
    for file in (without / _file(drawing, tidy=False), after / _file(drawing, tidy=drawing.tidy)):
        cutout = np.asarray(Image.open(file))
        for colour in (BACKGROUNDS[2], BACKGROUNDS[1], BACKGROUNDS[0]):
            yield _tile(composite(cutout, colour))


def _tile(pixels: RgbImage) -> RgbImage:
    height_px = round(TILE_WIDTH_PX * pixels.shape[0] / pixels.shape[1])
    small = cv2.resize(pixels, (TILE_WIDTH_PX, height_px), interpolation=cv2.INTER_AREA)
    half_px = GAP_PX // 2
    return np.asarray(
        cv2.copyMakeBorder(small, *(half_px,) * 4, borderType=cv2.BORDER_CONSTANT, value=(128, 128, 128)), np.uint8
    )


def _on_board(cutout: RgbaImage) -> RgbImage:
    rows, columns = (np.arange(length) // SQUARE_PX for length in cutout.shape[:2])
    board = np.array(BOARD_LEVELS, np.float32)[(rows[:, None] + columns) % 2][..., None]
    share = cutout[..., 3:] / np.float32(255)
    return _levels(share * cutout[..., :3] + (1 - share) * board)


def _discs(*discs: tuple[tuple[int, int], int, int]) -> ByteMask:
    """Discs with a place, a radius and a level, with the soft edge that a network gives."""
    mask = np.zeros(SIZE, np.uint8)
    for centre, radius_px, level in discs:
        cv2.circle(mask, centre, radius_px, level, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.5), np.uint8)


def _grained(colours: Bytes | object) -> RgbImage:
    values = np.asarray(colours, np.float64)
    return _levels(values + np.random.default_rng(0).normal(0, 3, values.shape))


def _levels(values: object) -> Bytes:
    return np.asarray(np.clip(np.rint(np.asarray(values)), 0, 255), np.uint8)


def _png(pixels: Bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _file(drawing: Drawing, *, tidy: bool) -> str:
    return f"{drawing.name.replace(' ', '-')}{'-tidy' * tidy}.png"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="without it, only cut out")
    parser.add_argument("--out", type=Path, default=Path("out/quality/drawings"))
    parser.add_argument("--maps", type=Path, default=Path("out/quality") / MAPS)
    parser.add_argument("--write", metavar="PICTURE", type=Path, help="as JPEG; else it lies under --out")
    options = parser.parse_args(arguments)
    try:
        if options.before is None:
            cut_all(options.out, options.maps)
            return 0
        before = Before(options.before, options.out)
        places = [options.out / each for each in (before.commit, "after")]
        before.run(__spec__.name, "--out", str(places[0].absolute()), "--maps", str(options.maps.absolute()))
        cut_all(places[1], options.maps)
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    written = options.write or options.out / "small-parts.jpg"
    sheet(*places).save(written, quality=JPEG_QUALITY)
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
