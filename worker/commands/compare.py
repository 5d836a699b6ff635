"""`models compare`: photos cut out with two models, side by side on contact sheets, and in figures."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cutgate.batches.planning import Source, find_pictures
from cutgate.files import write_whole
from cutgate.jobs.errors import CutoutError
from cutgate.jobs.spec import CutoutSpec, ModelChoice
from cutgate.scratch import scratch_folder
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, RgbaImage, RgbImage
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.weights.files import Say
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import WorkerSettings

MOST_PHOTOS: Final = 100
"""More than anybody looks at; the first model's cut-outs lie on the disk until the second has made its own."""
_PHOTOS_ON_SHEET: Final = 10
_TILE_PX: Final = 240
_CAPTION_PX: Final = 20
_FONT_PX: Final = 14
_GAP_PX: Final = 4
_BACKGROUNDS: Final = ((0, 0, 0), (255, 255, 255), (0, 177, 64))
_SOFT: Final = (13, 242)
"""Levels between which alpha counts as soft: 5 and 95 %."""
_ONLY_FIRST, _ONLY_SECOND = (255, 60, 40), (60, 140, 255)
"""Colours of what one model alone takes for the subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Both models on one photo; of pairs, the first model's comes first."""

    photo: str
    iou: float
    """Of what is likely subject; 1 if there is none in both."""
    soft: tuple[float, float]
    """Share of the subject's pixels that are neither clear nor opaque."""
    seconds: tuple[float, float]
    """From the decoded photo to the cut-out."""
    confidence: tuple[float | None, float | None]
    """None of a model whose map is an alpha matte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found."""

    rows: list[Row]
    sheets: list[Path]
    unread: list[str]
    """Photos that cannot be read."""


def compare_models(
    first: ModelChoice, second: ModelChoice, photos: Path, out: Path, settings: WorkerSettings, say: Say
) -> Comparison:
    """Cut out a folder's photos with one model after the other, so that one network is in memory at a time.

    They are those of its folders, too, at most `MOST_PHOTOS`. Contact sheets go into `out`, which is made if it is
    missing; `say` is told, a line at a time, what is done, and which photos cannot be read.

    Raises:
        ModelUnavailable: a model cannot be run here.
        ClickException: the folder holds no photo, too many or none that can be read, or is the one for the sheets.
        OSError: a sheet cannot be written.
    """
    sources = find_pictures(photos, out)
    if not 0 < len(sources) <= MOST_PHOTOS:
        raise click.ClickException(f"{photos} holds {len(sources)} photos: compare 1 to {MOST_PHOTOS}")
    if out.resolve() == photos.resolve():
        raise click.ClickException(f"{out} holds the photos: name another folder for the sheets with --out")
    load_segmenter(settings.for_choice(second), say)  # a fault shows before the first has done its work
    out.mkdir(parents=True, exist_ok=True)
    found = Comparison(rows=[], sheets=[], unread=[])
    with scratch_folder() as work:
        compared = _compared((first, second), sources, work, partial(_cut_outs, settings, say, found.unread))
        while page := list(islice(compared, _PHOTOS_ON_SHEET)):
            found.rows.extend(row for row, _ in page)
            found.sheets.append(out / f"sheet-{len(found.sheets) + 1:02}.jpg")
            title = f"above {first}, alone in red; below {second}, alone in blue; right: where they differ most"
            write_whole(found.sheets[-1], _sheet(title, [block for _, block in page]))
    if not found.rows:
        raise click.ClickException(f"{photos}: no photo can be read")
    return found


Facts: TypeAlias = tuple[float, float | None]
"""The seconds that a cut-out took, and its confidence."""

CutOuts: TypeAlias = Callable[[ModelChoice, Sequence[Source]], Iterator[tuple[Source, RgbImage, RgbaImage, Facts]]]
"""Cuts photos out: each with its pixels, its cut-out and the facts of that."""


def _compared(
    choices: tuple[ModelChoice, ModelChoice], sources: Sequence[Source], work: Path, cut_outs: CutOuts
) -> Iterator[tuple[Row, Image.Image]]:
    """Each photo's figures and block, once the first model has made its cut-outs of all of them."""
    first: dict[Source, tuple[Path, Facts]] = {}
    for source, _, cutout, facts in cut_outs(choices[0], sources):
        first[source] = work / f"{len(first)}.png", facts
        Image.fromarray(cutout).save(first[source][0], compress_level=1)
    for source, photo, cutout, facts in cut_outs(choices[1], list(first)):
        kept, facts_of_first = first[source]
        with Image.open(kept) as image:
            pair = np.asarray(image), cutout
        row = _row(source.name, (pair[0][..., 3], pair[1][..., 3]), (facts_of_first, facts))
        yield row, _block(photo, pair, row)


def _cut_outs(
    settings: WorkerSettings, say: Say, unread: list[str], choice: ModelChoice, sources: Sequence[Source]
) -> Iterator[tuple[Source, RgbImage, RgbaImage, Facts]]:
    """As `CutOuts`; the network is in memory until the last photo is done."""
    segmenter = load_segmenter(settings.for_choice(choice), say)
    spec = CutoutSpec(model=choice.model, precision=choice.precision)
    for source in sources:
        say(f"{choice}: {source.name}")
        try:
            photo = read_image(source.path.read_bytes(), settings.source_limits())
        except (CutoutError, OSError) as error:
            say(f"{source.name} cannot be read: {getattr(error, 'message', error)}")
            unread.append(source.name)
            continue
        begin = time.perf_counter()
        cutout = cut_out(photo, spec, segmenter, lambda: None, soft=segmenter.soft)
        facts = time.perf_counter() - begin, cutout.confidence
        yield source, photo.over_backdrop(), np.asarray(cutout.pixels, np.uint8), facts


def _row(photo: str, alphas: tuple[ByteMask, ByteMask], facts: tuple[Facts, Facts]) -> Row:
    one, other = (alpha >= LIKELY for alpha in alphas)
    soft, softer = (_share((alpha >= _SOFT[0]) & (alpha <= _SOFT[1]), alpha >= _SOFT[0]) for alpha in alphas)
    (seconds, sure), (its_seconds, surer) = facts
    return Row(
        photo=photo,
        iou=_share(one & other, one | other, 1.0),
        soft=(soft, softer),
        seconds=(seconds, its_seconds),
        confidence=(sure, surer),
    )


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_], of_nothing: float = 0.0) -> float:
    return float(np.count_nonzero(part) / np.count_nonzero(whole)) if whole.any() else of_nothing


def _block(photo: RgbImage, pair: tuple[RgbaImage, RgbaImage], row: Row) -> Image.Image:
    """Two rows of tiles under a caption: photo and difference, then each model's cut-out on every background.

    The left half shows the whole photo, the right half at its own size the part where the models differ most.
    """
    difference = pair[0][..., 3].astype(np.int16) - pair[1][..., 3]
    part = _window(np.abs(difference).astype(np.uint8))
    shown = _difference(photo, difference)
    block = Image.new("RGB", (8 * (_TILE_PX + _GAP_PX), _CAPTION_PX + 2 * (_TILE_PX + _GAP_PX)), "white")
    caption = f"{row.photo}   IoU {row.iou:.3f}   soft {row.soft[0]:.1%} / {row.soft[1]:.1%}"
    ImageDraw.Draw(block).text((_GAP_PX, 2), caption, "black", ImageFont.load_default(_FONT_PX))
    for column, view in ((0, slice(None)), (4, part)):
        for line, (plain, cutout) in enumerate(zip((photo, shown), pair, strict=True)):
            tiles = [Image.fromarray(np.ascontiguousarray(array[view])) for array in (plain, cutout)]
            for tile in tiles:
                tile.thumbnail((_TILE_PX, _TILE_PX))
            backgrounds = [Image.new("RGB", tiles[1].size, colour) for colour in _BACKGROUNDS]
            for background in backgrounds:
                background.paste(tiles[1], mask=tiles[1])
            top = _CAPTION_PX + line * (_TILE_PX + _GAP_PX)
            for place, tile in enumerate([tiles[0], *backgrounds], column):
                block.paste(tile, (place * (_TILE_PX + _GAP_PX), top))
    return block


def _window(difference: ByteMask) -> tuple[slice, slice]:
    """The part of a tile's size where the most differs; all of a photo that is smaller."""
    height_px, width_px = (min(_TILE_PX, side) for side in difference.shape)
    means = cv2.boxFilter(difference, cv2.CV_32F, (width_px, height_px), anchor=(0, 0))
    inside = means[: difference.shape[0] - height_px + 1, : difference.shape[1] - width_px + 1]
    top, left = (int(place) for place in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + height_px), slice(left, left + width_px)


def _difference(photo: RgbImage, difference: NDArray[np.int16]) -> RgbImage:
    """The photo in dim grey, with what one model alone shows in that one's colour."""
    shown = Image.fromarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) // 3).convert("RGB")
    for colour, alone in ((_ONLY_FIRST, difference), (_ONLY_SECOND, -difference)):
        shown.paste(colour, mask=Image.fromarray(np.clip(alone, 0, 255).astype(np.uint8)))
    return np.asarray(shown)


def _sheet(title: str, blocks: Sequence[Image.Image]) -> bytes:
    """A JPEG of blocks, one below the other."""
    sheet = Image.new("RGB", (blocks[0].width, _CAPTION_PX + blocks[0].height * len(blocks)), "white")
    ImageDraw.Draw(sheet).text((_GAP_PX, 2), title, "black", ImageFont.load_default(_FONT_PX))
    for number, block in enumerate(blocks):
        sheet.paste(block, (0, _CAPTION_PX + number * block.height))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=92, subsampling=0)
    return file.getvalue()
