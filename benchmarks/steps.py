"""Draw what each step of the pipeline makes of one photo, for `docs/how-it-works.md`.

    python -m benchmarks.steps [--photo FILE] [--out DIR]

The pipeline runs as a worker runs it. Each array that a step fills or changes becomes one picture,
`<step>-<field>.jpg`: all of it, then a part enlarged, before the step where there is a before, and after it. Alpha
is shown over green as well. Of the usual photo that part is hair, of another one where it is softest.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.photos import EXAMPLES, LIMITS
from benchmarks.quality.sheet import composite, softest_window
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.matting.trimap import Thresholds, make_trimap
from cutgate.worker.cutout.pipeline import Frame, Step, required, step_name, steps_for
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

PHOTO: Final = "astronaut.jpg"
HAIR: Final = slice(8, 83), slice(138, 213)
"""Rows and columns of that photo that are shown enlarged."""
TILE_PX: Final = 300
"""Height and width of each tile."""
GAP_PX: Final = 6
CAPTION_PX: Final = 30
FRAME: Final = "#e5195f"
"""Colour of the frame around the part that is enlarged."""
DETAIL_SHARE: Final = 6
"""The enlarged part's side is this fraction of the photo's shorter one."""

LARGEST_BYTES: Final = 60_000
QUALITIES: Final = range(92, 40, -4)
"""Of JPEG: the first that stays within `LARGEST_BYTES` is taken."""

GREEN: Final = (0, 177, 64)
SQUARE_PX: Final = 12
BOARD_LEVELS: Final = (205, 245)

SOURCES: Final = {"alpha": "mask", "colours": "picture"}
"""What a field is made from: that is what it is compared with when a step fills it."""

CAPTIONS: Final = {"picture": "photo", "colours": "over green", "result": "cut-out"}
"""What fields are called where it is not their own name."""

REPEATED: Final = "small"
"""A field that shows what another one shows."""

Window = tuple[slice, slice]
Tile = tuple[str, Image.Image]
"""A caption, and what is below it."""


@dataclass(frozen=True, slots=True)
class Change:
    """An array of the frame that a step has filled or changed."""

    step: str
    field: str
    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8]


def changes(steps: Sequence[Step], frame: Frame) -> tuple[list[Change], Frame]:
    """Run the steps; what each made, in order, and the last frame."""
    made = []
    for step in steps:
        reached = step(frame)
        for field in fields(Frame):
            old, new = getattr(frame, field.name), getattr(reached, field.name)
            if new is not old and is_picture(new) and field.name != REPEATED:
                before = old if old is not None else getattr(frame, SOURCES.get(field.name, ""), None)
                alike = is_picture(before) and before.shape[:2] == new.shape[:2]
                made.append(Change(step_name(step), field.name, before if alike else None, new))
        frame = reached
    return made, frame


def is_picture(value: Any) -> TypeGuard[NDArray[np.uint8]]:
    """Whether a field holds something that can be drawn."""
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in {2, 3}


def with_trimap(made: Sequence[Change], spec: CutoutSpec) -> Iterator[Change]:
    """The same, and the trimap before the alpha that it leads to, where no step leaves it in the frame."""
    mask: NDArray[np.uint8] | None = None
    for change in made:
        if change.field == "mask":
            mask = change.after
        if change.field == "alpha" and mask is not None and all(other.field != "trimap" for other in made):
            thresholds = Thresholds(spec.foreground_threshold, spec.background_threshold)
            yield Change("make_trimap", "trimap", None, make_trimap(mask, thresholds, spec.erode_px))
            mask = None
        yield change


def drawn(change: Change, frame: Frame, window: Window) -> Image.Image:
    """The whole picture, the detail before where there is one, the detail after.

    Colours are shown through alpha over green, which tells the subject's own from the old background's. So is what
    alpha is made from, in a second row.
    """
    maps = {"before": change.before, "after": change.after}
    stages = {caption: pixels for caption, pixels in maps.items() if pixels is not None}
    if change.field == "colours":
        alpha = required(frame.alpha)
        stages = {caption: over_green(pixels, alpha) for caption, pixels in stages.items()}
    details = stages if len(stages) > 1 else {"enlarged": change.after}
    whole = CAPTIONS.get(change.field, change.field), framed(stages["after"], window)
    rows = [[whole, *tiles(details, window)]]
    if change.field == "alpha" and change.before is not None:
        both = {caption: over_green(frame.picture, pixels) for caption, pixels in stages.items()}
        rows.append(tiles({"photo": frame.picture, **both}, window))
    height_px = TILE_PX + CAPTION_PX
    sheet = Image.new("RGB", (len(rows[0]) * (TILE_PX + GAP_PX) - GAP_PX, len(rows) * height_px), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for line, row in enumerate(rows):
        for column, (caption, tile) in enumerate(row):
            left_px, top_px = column * (TILE_PX + GAP_PX), line * height_px
            pen.text((left_px + TILE_PX // 2, top_px + CAPTION_PX // 2), caption, "#222222", font, "mm")
            sheet.paste(fitted(tile), (left_px, top_px + CAPTION_PX))
    return sheet


def tiles(pictures: Mapping[str, NDArray[np.uint8]], window: Window) -> list[Tile]:
    """The same part of each."""
    return [(caption, shown(pixels[window])) for caption, pixels in pictures.items()]


def over_green(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours through alpha."""
    return composite(np.dstack([colours, alpha]), GREEN)


def framed(pixels: NDArray[np.uint8], window: Window) -> Image.Image:
    """A whole picture with a frame around the part that is enlarged."""
    picture = shown(pixels)
    rows, columns = window
    corners = (columns.start, rows.start, columns.stop, rows.stop)
    width_px = max(2, round(2 * max(picture.size) / TILE_PX))
    ImageDraw.Draw(picture).rectangle(corners, outline=FRAME, width=width_px)
    return picture


def shown(pixels: NDArray[np.uint8]) -> Image.Image:
    """A picture, a grey map, or a cut-out on a checkerboard."""
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        rows, columns = np.indices(pixels.shape[:2]) // SQUARE_PX
        levels = np.where((rows + columns) % 2, *BOARD_LEVELS).astype(np.uint8)
        share = pixels[..., 3:].astype(np.float32) / 255
        return Image.fromarray(np.rint(share * pixels[..., :3] + (1 - share) * levels[..., None]).astype(np.uint8))
    return Image.fromarray(pixels).convert("RGB")


def fitted(picture: Image.Image) -> Image.Image:
    """As large as fits into a tile, in its middle."""
    scale = TILE_PX / max(picture.size)
    sides = tuple(max(1, round(side * scale)) for side in picture.size)
    tile = Image.new("RGB", (TILE_PX, TILE_PX), "white")
    tile.paste(
        picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS),
        ((TILE_PX - sides[0]) // 2, (TILE_PX - sides[1]) // 2),
    )
    return tile


def jpeg(picture: Image.Image) -> bytes:
    """The best JPEG within `LARGEST_BYTES`, or the smallest there is."""
    for quality in QUALITIES:
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=quality, optimize=True)
        if content.tell() <= LARGEST_BYTES:
            break
    return content.getvalue()


def draw(
    steps: Sequence[Step], frame: Frame, spec: CutoutSpec, out: Path, window: Window | None = None
) -> list[Path]:
    """Write every step's picture and remove those of a pipeline that had other steps."""
    made, last = changes(steps, frame)
    alpha = required(last.alpha)
    side_px = min(alpha.shape) // DETAIL_SHARE
    window = window or softest_window(alpha, side_px, side_px)
    rows = [Change("read_image", "picture", None, frame.picture), *with_trimap(made, spec)]
    out.mkdir(parents=True, exist_ok=True)
    files = {out / name: jpeg(drawn(change, last, window)) for name, change in zip(names(rows), rows, strict=True)}
    for stale in set(out.glob("*.jpg")) - set(files):
        stale.unlink()
    for file, content in files.items():
        write_whole(file, content)
    return list(files)


def names(rows: Sequence[Change]) -> list[str]:
    """A file name for each change; a step that occurs again has its number at the end."""
    given: list[str] = []
    for change in rows:
        name = f"{change.step}-{change.field}"
        again = sum(other.partition(".")[0] == name for other in given)
        given.append(f"{name}.{again + 1}.jpg" if again else f"{name}.jpg")
    return given


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=EXAMPLES / PHOTO)
    parser.add_argument("--out", type=Path, default=Path("docs/steps"))
    options = parser.parse_args(arguments)
    settings = NetworkSettings()
    spec = CutoutSpec(model=settings.model)
    picture = np.asarray(read_image(options.photo.read_bytes(), LIMITS).rgb)
    window = HAIR if options.photo == EXAMPLES / PHOTO else None
    segmenter = load_segmenter(settings)
    steps = steps_for(spec, segmenter, segmenter.soft)
    for file in draw(steps, Frame(picture=picture), spec, options.out, window):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
