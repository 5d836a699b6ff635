"""Draw `docs/beside-rembg.jpg`: hair, cloth and a product beside rembg's results with the same weights.

python -m benchmarks.front --write docs/beside-rembg.jpg
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from benchmarks import Absent
from benchmarks.quality.cut import in_process
from benchmarks.rembg_peer import Rembg, isnet_weights
from cutgate.worker.settings import NetworkSettings

EXAMPLES: Final = Path(__file__).parent.parent / "examples"

CROPS: Final = {"astronaut": (140, 5), "grace_hopper": (135, 90), "coffee": (330, 55)}
"""Left and top of what is shown of each example."""

CROP_PX: Final = (180, 130)
"""Width and height of it."""

ENLARGEMENT: Final = 2
GAP_PX: Final = 6
CAPTION_PX: Final = 36
BACKDROP: Final = (0, 177, 64)
CAPTIONS: Final = ("photo", "rembg", "rembg, alpha matting", "Cutgate")


def drawn() -> Image.Image:
    """A row for each example: the photo, and what each method makes of it, over green."""
    rembg = Rembg(isnet_weights().path, NetworkSettings().thread_count())
    with tempfile.TemporaryDirectory() as maps:
        cutgate = in_process(Path(maps))
        rows = []
        for name in CROPS:
            photo = (EXAMPLES / f"{name}.jpg").read_bytes()
            results = photo, rembg(photo, matting=False), rembg(photo, matting=True), cutgate(photo)
            rows.append([_shown(result, CROPS[name]) for result in results])
    width, height = rows[0][0].size
    sheet = Image.new("RGB", (4 * (width + GAP_PX) - GAP_PX, CAPTION_PX + len(rows) * (height + GAP_PX)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
    for column, caption in enumerate(CAPTIONS):
        left = column * (width + GAP_PX)
        pen.text((left + width // 2, CAPTION_PX // 2), caption, "#222222", font, anchor="mm")
        for line, row in enumerate(rows):
            sheet.paste(row[column], (left, CAPTION_PX + line * (height + GAP_PX)))
    return sheet


def _shown(encoded: bytes, corner: tuple[int, int]) -> Image.Image:
    """A part of a picture over the backdrop, each pixel made into four."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGBA")
    backdrop = Image.new("RGBA", picture.size, BACKDROP)
    backdrop.alpha_composite(picture)
    (left, top), (width, height) = corner, CROP_PX
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
