"""A contact sheet: the softest part of each photo's edge, twice as large, as every method cuts it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.quality.pairs import SOFT, Pair
from benchmarks.quality.scores import Scored
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbaImage, RgbImage

BACKGROUNDS: Final = ((0, 0, 0), (255, 255, 255), (0, 177, 64))
"""Black, white and green, one row of crops each."""

CROP_PX: Final = (96, 176)
"""Height and width of a crop in the photo."""
ENLARGEMENT: Final = 2
CAPTION_PX: Final = 16
GAP_PX: Final = 4
TRUTH: Final = "truth"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A photo to show, with each method's result."""

    pair: Pair
    results: Mapping[str, Path]
    """PNG with straight alpha, by method."""


def chosen_by_sad(ours: Scored, theirs: Scored) -> list[int]:
    """Which photos to show: of each category the one with the median ratio of SAD, and the one with the worst."""
    ratios = ours.values["SAD"] / np.maximum(theirs.values["SAD"], 1e-3)
    picked: dict[int, None] = {}
    for category in sorted(set(ours.categories)):
        members = [index for index, name in enumerate(ours.categories) if name == category]
        members.sort(key=lambda index: float(ratios[index]))
        picked |= dict.fromkeys((members[(len(members) - 1) // 2], members[-1]))
    return list(picked)


def contact_sheet(exhibits: Sequence[Exhibit]) -> Image.Image:
    """All exhibits, one below the other: rows are backgrounds, columns are methods and the truth."""
    blocks = [_block(exhibit) for exhibit in exhibits]
    sheet = Image.new("RGB", (max(b.width for b in blocks), sum(b.height for b in blocks)), "white")
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


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
    alpha = np.asarray(Image.open(exhibit.pair.alpha).convert("L"))
    window = softest_window(alpha, *CROP_PX)
    photo, foreground = (_pixels(path, "RGB") for path in (exhibit.pair.photo, exhibit.pair.foreground))
    cutouts = {method: _pixels(path, "RGBA") for method, path in exhibit.results.items()}
    cutouts[TRUTH] = true_cutout(photo, alpha, foreground)
    height_px, width_px = (ENLARGEMENT * (part.stop - part.start) for part in window)
    block = Image.new(
        "RGB",
        (len(cutouts) * (width_px + GAP_PX), CAPTION_PX + len(BACKGROUNDS) * (height_px + GAP_PX) + CAPTION_PX),
        "white",
    )
    for column, (method, cutout) in enumerate(cutouts.items()):
        left = column * (width_px + GAP_PX)
        ImageDraw.Draw(block).text((left + 2, 2), f"{exhibit.pair.name}: {method}", "black")
        for row, colour in enumerate(BACKGROUNDS):
            crop = Image.fromarray(composite(cutout[window], colour))
            large = crop.resize((width_px, height_px), Image.Resampling.LANCZOS)
            block.paste(large, (left, CAPTION_PX + row * (height_px + GAP_PX)))
    return block


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode))
