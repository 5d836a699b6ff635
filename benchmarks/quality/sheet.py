"""Contact sheets: each photo whole, and the softest part of its edge twice as large, as two methods cut it out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.quality.pairs import SOFT, Pair
from benchmarks.quality.scores import Scored, ratios_of
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbaImage, RgbImage

BACKGROUNDS: Final = ((0, 0, 0), (255, 255, 255), (0, 177, 64))
"""Black, white and green, two columns each."""

TILE_PX: Final = (320, 210)
"""Width and height."""
ENLARGEMENT: Final = 2
CAPTION_PX: Final = 16
GAP_PX: Final = 4
PHOTOS_OF_SHEET: Final = 5
TRUTH: Final = "truth"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A photo to show, with the results of one method, which is shown beside the truth, or of two."""

    pair: Pair
    results: Mapping[str, Path]
    """PNG with straight alpha, by method."""


def typical_and_worst(ours: Scored, theirs: Scored) -> list[int]:
    """Which composites to show: of each group those with the median and the greatest ratio of SAD."""
    ratios, cases = ratios_of(ours, theirs, "SAD"), np.array(ours.cases)
    picked: dict[int, None] = {}
    for case in sorted(set(ours.cases)):
        members = np.flatnonzero(cases == case)
        members = members[np.argsort(ratios[members], kind="stable")]
        picked |= dict.fromkeys((int(members[(len(members) - 1) // 2]), int(members[-1])))
    return list(picked)


def contact_sheets(exhibits: Iterable[Exhibit]) -> Iterator[Image.Image]:
    """Sheets of a few exhibits each, one below the other."""
    waiting = iter(exhibits)
    while blocks := [_block(exhibit) for exhibit in islice(waiting, PHOTOS_OF_SHEET)]:
        sheet = Image.new("RGB", (blocks[0].width, sum(block.height for block in blocks)), "white")
        for place, block in enumerate(blocks):
            sheet.paste(block, (0, place * block.height))
        yield sheet


def softest_window(alpha: ByteMask, height_px: int, width_px: int) -> tuple[slice, slice]:
    """Rows and columns of the window with the most soft pixels of a (height, width) uint8 alpha.

    A picture that is smaller than the window is taken whole.
    """
    soft = ((alpha > SOFT[0]) & (alpha < SOFT[1])).astype(np.float32)
    height_px, width_px = min(height_px, alpha.shape[0]), min(width_px, alpha.shape[1])
    counts = cv2.boxFilter(
        soft, -1, (width_px, height_px), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    inside = counts[: alpha.shape[0] - height_px + 1, : alpha.shape[1] - width_px + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return slice(int(top), int(top) + height_px), slice(int(left), int(left) + width_px)


def true_cutout(photo: RgbImage, alpha: ByteMask, foreground: RgbImage) -> RgbaImage:
    """The true cut-out: foreground colours where alpha is soft, the photo's elsewhere."""
    soft = (alpha > SOFT[0]) & (alpha < SOFT[1])
    return np.dstack([np.where(soft[..., None], foreground, photo), alpha])


def composite(cutout: RgbaImage, colour: tuple[int, int, int]) -> RgbImage:
    """A straight-alpha cut-out over one colour, as (height, width, 3) uint8."""
    share = cutout[..., 3:].astype(np.float32) / 255
    mixed = share * cutout[..., :3] + (1 - share) * np.array(colour, np.float32)
    return np.rint(mixed).astype(np.uint8)


def _block(exhibit: Exhibit) -> Image.Image:
    """The whole photo above the crop; columns are the methods, over one background after the other."""
    alpha = np.asarray(Image.open(exhibit.pair.alpha).convert("L"))
    cutouts = {method: _pixels(path, "RGBA") for method, path in exhibit.results.items()}
    if len(cutouts) < 2:
        photo, foreground = (_pixels(path, "RGB") for path in (exhibit.pair.photo, exhibit.pair.foreground))
        cutouts = {TRUTH: true_cutout(photo, alpha, foreground)} | cutouts
    width_px, height_px = TILE_PX
    window = softest_window(alpha, height_px // ENLARGEMENT, width_px // ENLARGEMENT)
    columns = len(BACKGROUNDS) * len(cutouts)
    block = Image.new("RGB", (columns * (width_px + GAP_PX), CAPTION_PX + 2 * (height_px + GAP_PX)), "white")
    ImageDraw.Draw(block).text((2, 2), f"{exhibit.pair.name}: {', '.join(cutouts)}", "black")
    for column, cutout in enumerate(cutouts.values()):
        for row, part in enumerate((cutout, cutout[window])):
            picture = Image.fromarray(np.ascontiguousarray(part))
            scale = min(width_px / picture.width, height_px / picture.height)
            size = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
            tile = np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
            for place, colour in enumerate(BACKGROUNDS):
                left_px = (place * len(cutouts) + column) * (width_px + GAP_PX)
                block.paste(
                    Image.fromarray(composite(tile, colour)), (left_px, CAPTION_PX + row * (height_px + GAP_PX))
                )
    return block


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode))
