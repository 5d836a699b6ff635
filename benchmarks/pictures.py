"""Draw the pictures of the docs: `docs/steps/`, made by the worker's own steps, and `docs/beside-rembg.jpg`.

python -m benchmarks.pictures
"""

import io
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks import Absent
from benchmarks.photos import EXAMPLES, LIMITS
from benchmarks.quality.methods import in_process
from benchmarks.quality.sheet import composite
from benchmarks.rembg_peer import Rembg, isnet_weights
from benchmarks.trees import ROOT
from cutgate.jobs.spec import CutoutSpec, Thresholds
from cutgate.worker.cutout.matting.trimap import make_trimap
from cutgate.worker.cutout.pipeline import Frame, required, step_name, steps_for
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

HAIR: Final = slice(8, 83), slice(138, 213)
"""Rows and columns of the astronaut that are shown enlarged."""
PARTS: Final = {(262, 168): (0, 0, 0), (540, 145): (255, 255, 255)}
"""Left and top of the parts of the moose that are shown, 180 by 130 px, and what is behind each."""
GREEN: Final = (0, 177, 64)
TILE_PX: Final = 300
GAP_PX: Final = 6
CAPTION_PX: Final = 30
SHOWN: Final = ("mask", "alpha", "result")
"""Fields of a frame, of which a step fills or changes one."""


def strip(tiles: Mapping[str, Image.Image]) -> Image.Image:
    """Tiles of one size beside one another, below their captions."""
    width_px, height_px = next(iter(tiles.values())).size
    sheet = Image.new("RGB", (len(tiles) * (width_px + GAP_PX) - GAP_PX, CAPTION_PX + height_px), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for column, (caption, tile) in enumerate(tiles.items()):
        left_px = column * (width_px + GAP_PX)
        pen.text((left_px + width_px // 2, CAPTION_PX // 2), caption, "#222222", font, "mm")
        sheet.paste(tile, (left_px, CAPTION_PX))
    return sheet


def tile(pixels: NDArray[np.uint8]) -> Image.Image:
    """A picture, a grey map, or a cut-out over green, as large as a tile; the hair of a whole one is framed."""
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = composite(pixels, GREEN)
    picture = Image.fromarray(pixels).convert("RGB")
    rows, columns = HAIR
    if picture.height > rows.stop:
        corners = (columns.start, rows.start, columns.stop, rows.stop)
        ImageDraw.Draw(picture).rectangle(corners, outline="#e5195f", width=3)
    scale = TILE_PX / max(picture.size)
    fitted = picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
    )
    whole = Image.new("RGB", (TILE_PX, TILE_PX), "white")
    whole.paste(fitted, ((TILE_PX - fitted.width) // 2, (TILE_PX - fitted.height) // 2))
    return whole


def steps() -> Iterator[tuple[str, Image.Image]]:
    """A name and a picture for each step that changes what is shown: all of it, and the hair enlarged."""
    settings = NetworkSettings()
    spec, segmenter = CutoutSpec(model=settings.model), load_segmenter(settings)
    photo = np.asarray(read_image((EXAMPLES / "astronaut.jpg").read_bytes(), LIMITS).rgb)
    frame = Frame(picture=photo)
    yield "read_image-picture", strip({"photo": tile(photo), "enlarged": tile(photo[HAIR])})
    for step in steps_for(spec, segmenter, segmenter.soft):
        before, frame = frame, step(frame)
        for field in SHOWN:
            made = getattr(frame, field)
            if made is None or made is getattr(before, field):
                continue
            details = {"enlarged": made[HAIR]}
            if field == "alpha":
                thresholds = Thresholds(spec.foreground_threshold, spec.background_threshold)
                mask = required(before.mask)
                trimap = make_trimap(mask, thresholds, spec.erode_px)
                yield "make_trimap-trimap", strip({"trimap": tile(trimap), "enlarged": tile(trimap[HAIR])})
                details = {
                    "mask, enlarged": mask[HAIR],
                    "alpha, enlarged": made[HAIR],
                    "over green": _cut(photo, made)[HAIR],
                }
            elif field == "result":
                details = {"before": _cut(photo, made[..., 3])[HAIR], "after": made[HAIR]}
            pixels = {name: tile(each) for name, each in ({field: made} | details).items()}
            yield f"{step_name(step)}-{field}", strip(pixels)


def _cut(colours: NDArray[np.uint8], alpha: Any) -> NDArray[np.uint8]:
    return np.dstack([colours, np.asarray(alpha, np.uint8)])


def beside_rembg() -> Image.Image:
    """Parts of an example as rembg and Cutgate cut them out on the same weights."""
    rembg = Rembg(isnet_weights().path, NetworkSettings().thread_count())
    photo = (EXAMPLES / "moose.jpg").read_bytes()
    with tempfile.TemporaryDirectory() as maps:
        results = {
            "photo": photo,
            "rembg": rembg(photo, matting=False),
            "rembg, alpha matting": rembg(photo, matting=True),
            "Cutgate": in_process(Path(maps))(photo),
        }
    columns = {}
    for caption, encoded in results.items():
        pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGBA"))
        shown = [composite(pixels[y : y + 130, x : x + 180], colour) for (x, y), colour in PARTS.items()]
        whole = Image.fromarray(np.vstack(shown))
        columns[caption] = whole.resize((2 * whole.width, 2 * whole.height), Image.Resampling.NEAREST)
    return strip(columns)


def main() -> int:
    try:
        beside_rembg().save(ROOT / "docs" / "beside-rembg.jpg", quality=85, optimize=True)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 2
    for name, picture in steps():
        picture.save(ROOT / "docs" / "steps" / f"{name}.jpg", quality=88, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
