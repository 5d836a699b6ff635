from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.steps import GAP_PX, LARGEST_BYTES, TILE_PX, Change, draw, drawn, jpeg, names, shown
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.cutout.pipeline import Frame, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage

SPEC = CutoutSpec(model="any", refinement=Refinement.ON)


def predict(image: RgbImage) -> ByteMask:
    """Dark is the subject, and its edge is soft."""
    return cv2.GaussianBlur(255 - image[..., 0], (15, 15), 0).astype(np.uint8)


@pytest.fixture
def picture() -> RgbImage:
    pixels = np.full((120, 160, 3), 255, np.uint8)
    cv2.circle(pixels, (80, 60), 35, (0, 30, 60), -1)
    return pixels


def test_every_step_that_makes_something_has_its_picture(picture: RgbImage, tmp_path: Path) -> None:
    (tmp_path / "of_an_older_pipeline-mask.jpg").touch()
    files = draw(steps_for(SPEC, predict), Frame(picture=picture), SPEC, tmp_path)
    assert sorted(files) == sorted(tmp_path.iterdir())
    fields = [file.stem.partition("-")[2] for file in files]
    assert fields[0] == "picture"
    assert fields[-1] == "result"
    assert {"mask", "trimap", "alpha", "colours"} <= set(fields)
    widths = {file.stem.partition("-")[2]: np.asarray(Image.open(file)).shape[1] for file in files}
    assert widths["picture"] == 2 * TILE_PX + GAP_PX, "all of it and a detail"
    assert widths["alpha"] == widths["colours"] == 3 * TILE_PX + 2 * GAP_PX, "and the detail before"
    assert max(file.stat().st_size for file in files) <= LARGEST_BYTES


def test_a_step_that_occurs_again_has_a_picture_of_its_own() -> None:
    mask = np.zeros((2, 2), np.uint8)
    steps = [Change(step, "mask", None, mask) for step in ("look", "change", "change", "change")]
    assert names(steps) == ["look-mask.jpg", "change-mask.jpg", "change-mask.2.jpg", "change-mask.3.jpg"]


def test_colours_are_shown_over_green() -> None:
    white, alpha = np.full((50, 50, 3), 255, np.uint8), np.zeros((50, 50), np.uint8)
    row = np.asarray(drawn(Change("step", "colours", white, white), alpha, (slice(0, 10), slice(0, 10))))
    assert (row[:, :TILE_PX] == (0, 177, 64)).all()


def test_what_is_transparent_shows_a_checkerboard() -> None:
    board = np.asarray(shown(np.zeros((40, 40, 4), np.uint8)))
    assert set(np.unique(board)) == {205, 245}


def test_a_picture_that_compresses_badly_is_compressed_more() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (TILE_PX, TILE_PX, 3)).astype(np.uint8)
    assert len(jpeg(Image.fromarray(noise))) < len(jpeg(Image.fromarray(noise).resize((480, 480))))
    assert len(jpeg(Image.fromarray(noise))) <= LARGEST_BYTES


def test_the_page_shows_every_picture_that_was_drawn() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "how-it-works.md").read_text(encoding="utf-8")
    shown_there = re.findall(r"!\[[^\]]+\]\((steps/[^)]+)\)", page)
    assert sorted(shown_there) == sorted(f"steps/{file.name}" for file in (docs / "steps").iterdir())
