"""What each part of a composition makes of a drawn cut-out, against pictures that somebody has looked at.

`python -m tests.worker.composition.test_golden` writes them anew; look at each over white, black, green and
magenta.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.composition import Composition, composition_of
from cutgate.jobs.spec import CutoutSpec, FileFormat
from cutgate.worker.cutout.matting.inside import opaque_inside
from cutgate.worker.cutout.raster.arrays import RgbaImage
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, lay_out, over_background
from cutgate.worker.pictures.png import write_png
from tests.worker.composition.drawn import drawn, premultiplied

GOLDEN: Final = Path(__file__).parent / "golden"
CASES: Final[dict[str, dict[str, Any]]] = {
    "megapixels": {"megapixels": 0.01},
    "crop": {"crop_margin": "10% 20px 0 5px"},
    "scale": {"scale": "95%"},
    "scale_to_less": {"scale": "40%"},
    "position": {"position": "100% 0"},
    "scale_where_it_was": {"scale": "40%", "position": "original"},
    "scale_and_position": {"scale": "50%", "position": "0 100%"},
    "shadow": {"shadow": "60%"},
    "crop_and_shadow": {"crop_margin": "25%", "shadow": "60%"},
    "opaque_inside": {"opaque_inside": True},
    "all": {"megapixels": 0.02, "crop_margin": "30%", "scale": "80%", "position": "50% 100%", "shadow": True},
}
OVER_A_PICTURE: Final = "all_over_a_picture"
MOST_LEVELS: Final = 3
"""What pictures may differ by, weighed by alpha: other versions of libraries round in another way."""


def made(name: str) -> RgbaImage:
    composition = composition_of(**CASES[name]) or Composition()
    pixels = drawn()
    if composition.hard_inside:
        pixels[..., 3] = opaque_inside(np.ascontiguousarray(pixels[..., 3]))
    spec = CutoutSpec(model="m", composition=composition, file_format=FileFormat.PNG)
    return np.asarray(lay_out(Picture(pixels=pixels), Finish.of(spec))[0].pixels, np.uint8)


def over_a_picture() -> RgbaImage:
    rows, columns = np.mgrid[:40, :40]
    behind = np.dstack([rows * 6, columns * 6, np.full_like(rows, 128)]).astype(np.uint8)
    return np.asarray(over_background(Picture(pixels=made("all")), Finish(background=behind)).pixels, np.uint8)


@pytest.mark.parametrize("name", [*CASES, OVER_A_PICTURE])
def test_it_looks_as_it_did_when_it_was_looked_at(name: str) -> None:
    seen = over_a_picture() if name == OVER_A_PICTURE else made(name)
    expected = np.asarray(Image.open(GOLDEN / f"{name}.png"))
    assert seen.shape == expected.shape
    assert np.abs(premultiplied(seen).astype(int) - premultiplied(expected)).max() <= MOST_LEVELS


def test_every_picture_that_is_kept_is_compared() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {*CASES, OVER_A_PICTURE}


if __name__ == "__main__":
    for case in CASES:
        (GOLDEN / f"{case}.png").write_bytes(write_png(made(case)))
    (GOLDEN / f"{OVER_A_PICTURE}.png").write_bytes(write_png(over_a_picture()))
