"""When the network looks again, what is taken from it, and that no seam shows.

In the made pictures a pixel's own level says how surely it belongs to the subject, so that a look at a part of the
picture can be told from a look at all of it.
"""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.mask.zoom_in import fused, zoom_in
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.geometry import Region

HEIGHT_PX, WIDTH_PX = 400, 600


def disc(radius_px: int, level: int = 255, blur_px: float = 0, x: int = 300, y: int = 200) -> ByteMask:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    cv2.circle(mask, (x, y), radius_px, level, -1)
    if blur_px:
        mask = cv2.GaussianBlur(mask, (0, 0), blur_px).astype(np.uint8)
    return mask


def picture_of(mask: ByteMask) -> RgbImage:
    return np.dstack([mask] * 3)


class Network:
    """Answers with what the picture shows, changed in some way, and counts."""

    def __init__(self, change: Callable[[ByteMask], ByteMask] = lambda mask: mask) -> None:
        self.change = change
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, view: RgbImage) -> ByteMask:
        self.seen.append(view.shape)
        return self.change(view[..., 0].copy())


def test_a_small_subject_is_looked_at_once_more_and_comes_out_sharper() -> None:
    truth, network = disc(60), Network()
    result = zoom_in(network, picture_of(truth), disc(60, blur_px=4))
    (height_px, width_px, _) = network.seen[0]
    assert len(network.seen) == 1
    # 120 px of subject, and a quarter of it around.
    assert 180 <= height_px <= 200
    assert 180 <= width_px <= 200
    assert np.abs(result.astype(int) - truth).max() <= 1


def flat(level: int) -> ByteMask:
    return np.full((HEIGHT_PX, WIDTH_PX), level, np.uint8)


@pytest.mark.parametrize(
    "mask",
    [
        disc(190, blur_px=2),
        disc(250, blur_px=2),
        flat(0),
        flat(20),
        np.pad(flat(255)[:10, :10], ((15, 15), (20, 30))),
    ],
    ids=["large", "larger", "nothing", "hardly anything", "too small to show more"],
)
def test_what_a_second_look_can_not_mend_gets_none(mask: ByteMask) -> None:
    network = Network()
    assert zoom_in(network, picture_of(mask), mask) is mask
    assert not network.seen


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(disc(60, blur_px=1), lambda m: cv2.GaussianBlur(m, (0, 0), 8), id="softer"),
        pytest.param(disc(60, blur_px=4), lambda m: cv2.erode(m, np.ones((15, 15))), id="a part is lost"),
        pytest.param(disc(60, blur_px=2), lambda m: cv2.dilate(m, np.ones((41, 41))), id="a neighbour is taken"),
        pytest.param(
            disc(60, blur_px=1),
            lambda m: cv2.GaussianBlur(cv2.dilate(m, np.ones((15, 15))), (0, 0), 1),
            id="larger and hardly surer",
        ),
        pytest.param(disc(60, blur_px=4), np.zeros_like, id="nothing"),
    ],
)
def test_a_second_map_may_be_refused(first: ByteMask, second: Callable[[ByteMask], ByteMask]) -> None:
    network = Network(second)
    assert zoom_in(network, picture_of(disc(60)), first) is first
    assert len(network.seen) == 1


def logo() -> ByteMask:
    """A mark, and close under it a line of text with a twentieth of its area."""
    mask = disc(60, y=120)
    for left in range(220, 380, 20):
        mask[188:194, left : left + 12] = 255
    return mask


def test_separate_parts_that_the_closer_map_does_not_see_stay() -> None:
    def mark_alone(view: ByteMask) -> ByteMask:
        labels = cv2.connectedComponentsWithStats(view)
        return np.where(labels[1] == 1 + labels[2][1:, cv2.CC_STAT_AREA].argmax(), view, 0).astype(np.uint8)

    first = cv2.GaussianBlur(logo(), (0, 0), 1).astype(np.uint8)
    result = zoom_in(Network(mark_alone), picture_of(logo()), first)
    assert not np.array_equal(result, first)  # the closer map of the mark is taken
    assert (result[184:198] >= first[184:198]).all()


def test_what_was_seen_of_a_part_that_shrinks_a_little_is_not_added() -> None:
    truth, first = disc(60), disc(62, blur_px=3)
    assert np.abs(zoom_in(Network(), picture_of(truth), first).astype(int) - truth).max() <= 1


def half_found() -> ByteMask:
    """A subject of which the network is sure above, and sees a shadow below."""
    mask = disc(150)
    mask[200:] //= 4
    return mask


def test_a_half_found_subject_may_grow_where_the_network_becomes_sure() -> None:
    truth, network = disc(150), Network()
    assert np.abs(zoom_in(network, picture_of(truth), half_found()).astype(int) - truth).max() <= 1
    assert len(network.seen) == 1
    # The box is that of all that was seen, of which the sure half is the upper one.
    assert network.seen[0][0] == HEIGHT_PX


def test_it_may_not_where_the_network_stays_unsure() -> None:
    first, network = half_found(), Network(lambda mask: (mask * np.float32(0.7)).astype(np.uint8))
    assert zoom_in(network, picture_of(disc(150)), first) is first


def test_where_the_first_look_left_a_shadow_a_sure_second_one_is_taken() -> None:
    shadow = disc(40, level=60)  # nowhere likely to be subject
    assert zoom_in(Network(), picture_of(disc(40)), shadow).max() == 255
    assert zoom_in(Network(np.zeros_like), picture_of(shadow), shadow).max() < 15
    assert zoom_in(Network(), picture_of(disc(40, level=100)), shadow) is shadow


@pytest.mark.parametrize(
    "region",
    [Region(100, 80, 500, 320), Region(0, 80, 500, 400), Region(0, 0, 600, 400), Region(299, 199, 301, 201)],
)
def test_no_seam_shows_at_the_border_of_the_look(region: Region) -> None:
    first = np.full((HEIGHT_PX, WIDTH_PX), 40, np.uint8)
    second = np.full((region.height_px, region.width_px), 240, np.uint8)
    whole = fused(first, second, region).astype(int)
    steepest = max(np.abs(np.diff(whole, axis=axis)).max(initial=0) for axis in (0, 1))
    fade_px = max(region.height_px, region.width_px) / 12
    assert steepest <= max(1, 200 / fade_px + 1)
    outside = np.ones(first.shape, bool)
    outside[region.index] = False
    assert (whole[outside] == 40).all()
    if fade_px > 1:
        assert whole[200, 300] == 240


def test_at_the_pictures_own_edge_nothing_fades() -> None:
    first, second = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8), np.full((200, 600), 255, np.uint8)
    whole = fused(first, second, Region(0, 200, 600, 400))
    assert (whole[-1] == 255).all()
    assert (whole[300, [0, -1]] == 255).all()
    assert whole[200].max() < 10


def test_transparency_is_no_doubt() -> None:
    glass, network = disc(170, level=170), Network()
    zoom_in(network, picture_of(glass), glass)
    assert len(network.seen) == 1  # a doubtful map of a subject this large is worth another run
    assert zoom_in(network, picture_of(glass), glass, Soft.ALPHA) is glass
    assert len(network.seen) == 1


def test_a_small_subject_may_turn_out_to_be_softer_where_softness_is_alpha() -> None:
    seen, network = disc(60), Network(lambda mask: np.minimum(mask, 200))
    assert zoom_in(network, picture_of(seen), seen) is seen
    closer = zoom_in(network, picture_of(seen), seen, Soft.ALPHA)
    assert closer[200, 300] == 200
