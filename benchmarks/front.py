"""Draw `docs/beside-rembg.jpg`: parts of a cut-out beside rembg's with the same weights.

python -m benchmarks.front --write docs/beside-rembg.jpg
"""

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from benchmarks import Absent
from benchmarks.quality.cut import in_process
from benchmarks.rembg_peer import Rembg, isnet_weights
from cutgate.worker.settings import NetworkSettings

EXAMPLES: Final = Path(__file__).parent.parent / "examples"


@dataclass(frozen=True, slots=True)
class Row:
    """A part of an example, over one colour."""

    example: str
    left_top_px: tuple[int, int]
    backdrop: str


ROWS: Final = (Row("moose", (262, 168), "black"), Row("moose", (540, 145), "white"))
CROP_PX: Final = (180, 130)
"""Width and height of the part that is shown."""

ENLARGEMENT: Final = 2
GAP_PX: Final = 6
CAPTION_PX: Final = 36
CAPTIONS: Final = ("photo", "rembg", "rembg, alpha matting", "Cutgate")


def drawn() -> Image.Image:
    """A line for each row: the photo, and what each method makes of it."""
    rembg = Rembg(isnet_weights().path, NetworkSettings().thread_count())
    with tempfile.TemporaryDirectory() as maps:
        cutgate = in_process(Path(maps))
        results = {}
        for name in {row.example for row in ROWS}:
            photo = (EXAMPLES / f"{name}.jpg").read_bytes()
            results[name] = photo, rembg(photo, matting=False), rembg(photo, matting=True), cutgate(photo)
    width, height = (ENLARGEMENT * side_px for side_px in CROP_PX)
    sheet = Image.new("RGB", (4 * (width + GAP_PX) - GAP_PX, CAPTION_PX + len(ROWS) * (height + GAP_PX)), "grey")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
    pen.rectangle((0, 0, sheet.width, CAPTION_PX - 1), "white")
    for column, caption in enumerate(CAPTIONS):
        left = column * (width + GAP_PX)
        pen.text((left + width // 2, CAPTION_PX // 2), caption, "#222222", font, anchor="mm")
        for line, row in enumerate(ROWS):
            shown = _shown(results[row.example][column], row)
            sheet.paste(shown, (left, CAPTION_PX + line * (height + GAP_PX)))
    return sheet


def _shown(encoded: bytes, row: Row) -> Image.Image:
    """A part of a picture over the row's backdrop, each pixel made into four."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGBA")
    backdrop = Image.new("RGBA", picture.size, row.backdrop)
    backdrop.alpha_composite(picture)
    (left, top), (width, height) = row.left_top_px, CROP_PX
    part = backdrop.convert("RGB").crop((left, top, left + width, top + height))
    return part.resize((width * ENLARGEMENT, height * ENLARGEMENT), Image.Resampling.NEAREST)


def main() -> int:
    """Draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.front", description=__doc__)
    parser.add_argument("--write", type=Path, required=True, metavar="FILE", help="the JPEG to write")
    options = parser.parse_args()
    try:
        drawn().save(options.write, quality=85, optimize=True)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
