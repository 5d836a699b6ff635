"""Strokes on masks: what they paint, and what goes with them."""

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import CutoutSpec, Output, Refinement, Stroke, StrokeKind
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.mask.strokes import brushed, corrected
from cutgate.worker.cutout.matting.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from cutgate.worker.cutout.pipeline import Frame, finding_steps, required, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.geometry import Region
from tests.worker.cutout.runs import given, go_on

HEIGHT_PX, WIDTH_PX = 240, 320
WHOLE = Region(0, 0, WIDTH_PX, HEIGHT_PX)
LEFT, RIGHT = (90, 120), (230, 120)
GROUND, RED, BLUE = (200, 205, 190), (180, 40, 30), (30, 60, 160)


def disc(middle: tuple[int, int], radius_px: int = 50) -> ByteMask:
    canvas = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    cv2.circle(canvas, middle, radius_px, 255, cv2.FILLED, cv2.LINE_AA)
    return canvas


def picture() -> RgbImage:
    """A red and a blue disc on a light ground, with grain."""
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), GROUND, np.float32)
    for middle, colour in ((LEFT, RED), (RIGHT, BLUE)):
        weight = disc(middle)[..., None] / np.float32(255)
        image += weight * (np.array(colour, np.float32) - image)
    grain = np.random.default_rng(7).normal(0, 4, image.shape)
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)


def click(kind: StrokeKind, *points: tuple[int, int], radius_px: int = 8) -> Stroke:
    return Stroke(kind=kind, radius_px=radius_px, points=points)


def keep(*points: tuple[int, int], radius_px: int = 8) -> Stroke:
    return click(StrokeKind.KEEP, *points, radius_px=radius_px)


def remove(*points: tuple[int, int], radius_px: int = 8) -> Stroke:
    return click(StrokeKind.REMOVE, *points, radius_px=radius_px)


def iou(mask: ByteMask, truth: ByteMask) -> float:
    one, other = mask > 127, truth > 127
    return float((one & other).sum() / (one | other).sum())


def test_a_click_keeps_the_part_that_it_touches_and_no_other() -> None:
    mask, _ = corrected(disc(LEFT), picture(), [keep(RIGHT)], WHOLE)
    assert iou(mask, np.maximum(disc(LEFT), disc(RIGHT))) > 0.97


def test_a_click_removes_a_part_although_it_hangs_together_with_the_subject() -> None:
    both = np.maximum(disc(LEFT), disc(RIGHT))
    both[115:125, 90:230] = 255
    mask, _ = corrected(both, picture(), [remove(RIGHT)], WHOLE)
    assert np.count_nonzero(mask[:, 180:] > 127) < 0.01 * np.count_nonzero(disc(RIGHT) > 127)
    assert iou(mask[:, :150], disc(LEFT)[:, :150]) > 0.95


def test_what_a_stroke_of_the_other_kind_named_stays() -> None:
    strokes = [remove((230, 90)), keep((230, 150))]
    mask, known = corrected(disc(LEFT), picture(), strokes, WHOLE)
    assert mask[90, 230] == BACKGROUND == known[90, 230]
    assert mask[150, 230] == FOREGROUND == known[150, 230]


def test_where_strokes_cross_the_last_one_counts() -> None:
    mask, known = corrected(disc(LEFT), picture(), [keep(RIGHT), remove(RIGHT)], WHOLE)
    assert mask[RIGHT[1], RIGHT[0]] == BACKGROUND == known[RIGHT[1], RIGHT[0]]
    assert iou(mask, disc(LEFT)) > 0.97


def test_a_stroke_over_what_is_so_already_changes_nothing_else() -> None:
    mask, known = corrected(disc(LEFT), picture(), [keep(LEFT), remove((10, 10))], WHOLE)
    assert np.array_equal(mask, disc(LEFT))
    assert (np.count_nonzero(known == FOREGROUND), np.count_nonzero(known == BACKGROUND)) == pytest.approx(
        (201, 160), abs=60
    )


def test_a_brush_is_round_and_a_line_as_broad_as_it_says() -> None:
    zone = brushed(keep((40, 60), (200, 60), radius_px=10), WHOLE, (HEIGHT_PX, WIDTH_PX), 1)
    assert np.count_nonzero(zone[:, 120]) == pytest.approx(21, abs=1)
    assert zone[60, 31] > 0
    assert not zone[52, 32]


def test_a_brush_lies_right_in_a_part_of_the_picture_that_is_shown_smaller() -> None:
    part = Region(100, 40, 300, 240)
    zone = brushed(keep((200, 140)), part, (100, 100), 0.5)
    rows, columns = np.nonzero(zone)
    assert (rows.mean(), columns.mean()) == pytest.approx((49.75, 49.75), abs=0.5)


def test_a_line_that_leaves_the_picture_is_cut_off() -> None:
    zone = brushed(remove((-60_000, 120), (60_000, 120)), WHOLE, (HEIGHT_PX, WIDTH_PX), 1)
    assert zone[120].all()


@pytest.mark.parametrize("refinement", list(Refinement))
@pytest.mark.parametrize("shade", [0, 200])
def test_pixels_under_a_brush_are_known_whatever_estimates_alpha(refinement: Refinement, shade: int) -> None:
    mask = np.maximum(disc(LEFT), np.uint8(shade) * (disc(RIGHT) > 0))
    strokes = (keep((90, 71), radius_px=4), remove((90, 169), radius_px=4))
    spec = CutoutSpec(model="m", refinement=refinement, output=Output.MASK, strokes=strokes)
    alpha = required(run_steps(steps_for(spec, mask), Frame(picture=picture()), lambda: None).result)
    kept, removed = (brushed(each, WHOLE, mask.shape, 1) > 0 for each in strokes)
    assert (alpha[kept].min(), alpha[removed].max()) == (255, 0)


def test_without_strokes_a_known_mask_makes_the_same_cut_out_as_the_network() -> None:
    soft = np.asarray(cv2.GaussianBlur(disc(LEFT), (0, 0), 3), np.float32) / np.float32(255)
    spec = CutoutSpec(model="m")
    frame = Frame(picture=picture())
    found = run_steps(finding_steps(spec, given(soft), Soft.DOUBT), frame, go_on)
    first = run_steps(steps_for(spec, given(soft)), frame, go_on)
    again = run_steps(steps_for(spec, required(found.mask)), frame, go_on)
    assert np.array_equal(required(first.result), required(again.result))
    assert first.confidence == again.confidence


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask is"):
        run_steps(steps_for(CutoutSpec(model="m"), disc(LEFT)[:-1]), Frame(picture=picture()), go_on)


def test_an_unknown_pixel_stays_unknown() -> None:
    _, known = corrected(disc(LEFT), picture(), [keep(LEFT)], WHOLE)
    assert known[0, 0] == UNKNOWN
