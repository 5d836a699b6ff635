"""The pictures of the steps: what lies where."""

import numpy as np
from PIL import Image

from benchmarks.steps import CAPTION_PX, GAP_PX, GREEN, TILE_PX, Change, drawn
from cutgate.worker.cutout.pipeline import Frame

WINDOW = slice(10, 30), slice(20, 40)
PHOTO = np.full((60, 60, 3), 90, np.uint8)
CLEAR, SOLID = np.zeros((60, 60), np.uint8), np.full((60, 60), 255, np.uint8)
FRAME = Frame(picture=PHOTO, alpha=SOLID)


def middle(picture: Image.Image, column: int, line: int = 0) -> object:
    x = column * (TILE_PX + GAP_PX) + TILE_PX // 2
    return picture.getpixel((x, line * (TILE_PX + CAPTION_PX) + CAPTION_PX + TILE_PX // 2))


def has_caption(picture: Image.Image, column: int, line: int = 0) -> bool:
    left, top = column * (TILE_PX + GAP_PX), line * (TILE_PX + CAPTION_PX)
    caption = picture.crop((left, top, left + TILE_PX, top + CAPTION_PX))
    return bool(np.asarray(caption).min() < 100)


def test_alpha_has_its_maps_and_below_them_what_they_make_of_the_photo() -> None:
    picture = drawn(Change("estimate_alpha", "alpha", CLEAR, SOLID), FRAME, WINDOW)
    assert picture.size == (3 * TILE_PX + 2 * GAP_PX, 2 * (TILE_PX + CAPTION_PX))
    assert [middle(picture, column) for column in (1, 2)] == [(0, 0, 0), (255, 255, 255)]
    assert [middle(picture, column, 1) for column in range(3)] == [(90, 90, 90), GREEN, (90, 90, 90)]
    assert all(has_caption(picture, column, line) for column in range(3) for line in range(2))


def test_what_has_no_before_is_shown_once_and_the_part_has_a_frame() -> None:
    picture = drawn(Change("read_image", "picture", None, PHOTO), FRAME, WINDOW)
    assert picture.size == (2 * TILE_PX + GAP_PX, TILE_PX + CAPTION_PX)
    scale = TILE_PX // 60
    corner = picture.getpixel((20 * scale + 2, CAPTION_PX + 10 * scale + 2))
    assert isinstance(corner, tuple)
    assert corner[0] > 180 > 120 > corner[1]
