"""When a Box confirms the picture's map, and when it chooses among subjects.

A network that is shown the whole picture answers with one map, and with another one when it is shown a part.
"""

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import Box, CutoutSpec, Refinement
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.pipeline import Frame, required, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from tests.worker.cutout.runs import go_on

HEIGHT_PX, WIDTH_PX = 240, 480
LEFT, RIGHT = (120, 120), (360, 120)
"""Centres of two subjects, across and down."""

in_each_mode = pytest.mark.parametrize("mode", list(Refinement))


def discs(*centres: tuple[int, int], radius_px: int = 80, level: int = 255) -> ByteMask:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for centre in centres:
        cv2.circle(mask, centre, radius_px, level, -1)
    return cv2.GaussianBlur(mask, (0, 0), 2).astype(np.uint8)


def around(centre: tuple[int, int], reach_px: int = 90) -> Box:
    across, down = centre
    return Box(
        left_px=across - reach_px, top_px=down - reach_px, right_px=across + reach_px, bottom_px=down + reach_px
    )


WHOLE = Box(left_px=0, top_px=0, right_px=WIDTH_PX, bottom_px=HEIGHT_PX)

BOTH = discs(LEFT, RIGHT)
NOTHING = np.zeros_like(BOTH)


def picture() -> RgbImage:
    """Each pixel's colour says where it is, and which of the subjects."""
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    return np.dstack([rows, columns // 4, columns % 4]).astype(np.uint8)


class Network:
    """Sees one map in the whole picture, and another one in any part of it; counts."""

    def __init__(self, whole: ByteMask, part: ByteMask) -> None:
        self.whole, self.part, self.runs = whole, part, 0

    def __call__(self, view: RgbImage) -> ByteMask:
        self.runs += 1
        height_px, width_px = view.shape[:2]
        if (height_px, width_px) == self.whole.shape:
            return self.whole.copy()
        row, column, rest = (int(level) for level in view[0, 0])
        left = 4 * column + rest
        return self.part[row : row + height_px, left : left + width_px].copy()


def run(network: Predict, box: Box | None, image: RgbImage | None = None, mode: str = "raw") -> Frame:
    """Cut out; `raw` gives the map itself as alpha."""
    spec = CutoutSpec(model="given", box=box, refinement=mode)
    return run_steps(steps_for(spec, network), Frame(picture=picture() if image is None else image), go_on)


def alpha(network: Predict, box: Box | None, image: RgbImage | None = None, mode: str = "raw") -> ByteMask:
    return required(run(network, box, image, mode).result)[..., 3]


def kept_in(box: Box, whole: ByteMask) -> ByteMask:
    """What is in the box, and nothing beside it."""
    kept = np.zeros_like(whole)
    inside = np.s_[box.top_px : box.bottom_px, box.left_px : box.right_px]
    kept[inside] = whole[inside]
    return kept


@in_each_mode
@pytest.mark.parametrize("radius_px", [20, 80, 0], ids=["small", "large", "nothing"])
def test_a_box_over_the_whole_picture_is_none(mode: Refinement, radius_px: int) -> None:
    truth = discs(LEFT, radius_px=radius_px) if radius_px else NOTHING
    boxed, free = Network(truth, truth), Network(truth, truth)
    assert np.array_equal(
        required(run(boxed, WHOLE, mode=mode).result), required(run(free, None, mode=mode).result)
    )
    assert boxed.runs == free.runs


@in_each_mode
def test_a_box_that_holds_the_subject_confirms_what_is_seen_without_one(mode: Refinement) -> None:
    truth = discs(LEFT)
    boxed, free = Network(truth, part=NOTHING), Network(truth, part=NOTHING)
    cut = alpha(boxed, around(LEFT), mode=mode)
    assert np.array_equal(cut, kept_in(around(LEFT), alpha(free, None, mode=mode)))
    assert cut.max() == 255
    assert boxed.runs == free.runs


def test_a_box_around_one_of_two_shows_the_network_that_one_alone() -> None:
    crop = discs(LEFT, level=250)
    network = Network(BOTH, part=crop)
    assert np.array_equal(alpha(network, around(LEFT)), kept_in(around(LEFT), crop))
    assert network.runs == 2


def test_a_subject_that_only_a_crop_shows_is_taken_from_it() -> None:
    for whole in (discs(RIGHT), NOTHING):
        crop = discs(LEFT, level=250)
        assert np.array_equal(alpha(Network(whole, part=crop), around(LEFT)), kept_in(around(LEFT), crop))


@pytest.mark.parametrize("reach_px", [1, 8, 40])
def test_a_box_inside_the_subject_is_filled_with_it(reach_px: int) -> None:
    network, box = Network(BOTH, part=NOTHING), around(LEFT, reach_px)
    assert np.array_equal(alpha(network, box), kept_in(box, BOTH))
    assert network.runs == 1


def test_where_a_crop_shows_nothing_the_picture_s_map_stays() -> None:
    box = Box(left_px=20, top_px=20, right_px=120, bottom_px=220)
    network = Network(discs(LEFT), part=NOTHING)
    assert np.array_equal(alpha(network, box), kept_in(box, discs(LEFT)))


class TestLostParts:
    """A crop without the upper half of a subject that the picture's map tells from the other one."""

    HALF = np.where(np.arange(HEIGHT_PX)[:, None] < 120, 0, discs(LEFT)).astype(np.uint8)
    BOX = around(LEFT)

    def test_it_is_not_taken_where_it_is_softer(self) -> None:
        softer = np.minimum(self.HALF, 200)
        assert np.array_equal(alpha(Network(BOTH, part=softer), self.BOX), kept_in(self.BOX, BOTH))

    def test_it_is_taken_where_it_is_surer(self) -> None:
        unsure = np.minimum(BOTH, 200)
        assert np.array_equal(alpha(Network(unsure, part=self.HALF), self.BOX), kept_in(self.BOX, self.HALF))

    def test_it_is_taken_where_the_subjects_are_one_to_the_picture_s_map(self) -> None:
        joined = BOTH.copy()
        joined[110:130, 120:360] = 255
        softer = np.minimum(self.HALF, 200)
        assert np.array_equal(alpha(Network(joined, part=softer), self.BOX), kept_in(self.BOX, softer))
