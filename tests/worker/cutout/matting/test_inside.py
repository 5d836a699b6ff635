"""What becomes opaque inside the subject: doubted areas, text, and enclosed parts; and what stays as it was."""

import tracemalloc

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import Holes, Refinement, Thresholds
from cutgate.worker.cutout.matting.inside import fill_holes, fill_veils
from cutgate.worker.cutout.matting.matte import refine, to_working_size
from cutgate.worker.cutout.matting.trimap import make_trimap
from cutgate.worker.cutout.matting.zones import zones_of
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, eroded, square, to_unit
from tests.worker.cutout.runs import alpha_of, run

DARK, LEAVES, TWIG = (30, 24, 22), (90, 130, 70), (150, 120, 80)

CHEST = (slice(445, 600), slice(255, 445))
HOLE = (slice(500, 530), slice(340, 370))
HAIR = (slice(0, 300), slice(0, 800))


def speckled(size: tuple[int, int], colour: tuple[int, int, int], seed: int) -> RgbImage:
    grain = np.random.default_rng(seed).normal(0, 6, (*size, 1))
    return np.asarray(np.clip(grain + np.array(colour), 0, 255), np.uint8)


def mixed(alpha: ByteMask, above: RgbImage, below: RgbImage) -> RgbImage:
    share = alpha[..., None] / 255
    return np.rint(share * above + (1 - share) * below).astype(np.uint8)


def animal() -> tuple[RgbImage, ByteMask, ByteMask]:
    """A dark head with hairs and, below a twig, a chest that the network doubts: photo, truth and mask."""
    truth = np.zeros((600, 800), np.uint8)
    cv2.circle(truth, (350, 300), 150, 255, -1, cv2.LINE_AA)
    for angle in np.linspace(-np.pi, 0, 40):
        tip = round(350 + 200 * np.cos(angle)), round(300 + 200 * np.sin(angle))
        cv2.line(truth, (350, 300), tip, 255, 2, cv2.LINE_AA)
    cv2.rectangle(truth, (240, 420), (460, 600), 255, -1)
    truth[HOLE] = truth[408:432] = 0
    photo = mixed(truth, speckled(truth.shape, DARK, 0), speckled(truth.shape, LEAVES, 1))
    photo[408:432, 180:520] = TWIG
    mask = cv2.GaussianBlur(truth, (0, 0), 2).astype(np.uint8)
    mask[420:] = np.rint(mask[420:] * np.linspace(0.3, 0.6, 800))
    return photo, truth, mask


def test_a_broad_area_with_the_subjects_colours_is_opaque() -> None:
    photo, truth, mask = animal()
    alpha = alpha_of(photo, to_unit(mask))
    assert (alpha[CHEST][eroded(truth, square(21))[CHEST] == 255] >= 248).all()
    assert alpha[HOLE][8:-8, 8:-8].max() < 26


def test_its_edge_stays_soft_and_other_edges_stay_as_they_were() -> None:
    photo, _, mask = animal()
    thresholds, small = Thresholds(240, 15), (to_working_size(photo), to_working_size(mask))
    zones = zones_of(small[1], thresholds, erode_px=15).everywhere
    before = refine(photo, mask, make_trimap(mask, thresholds, erode_px=15), zones, small)
    after = fill_veils(small[0], before)
    assert before[CHEST].mean() < 200 < 240 < after[CHEST].mean()
    assert np.abs(after[HAIR].astype(int) - before[HAIR]).max() <= 2
    assert not after[before == 0].any()


def flanked(colours: RgbImage, between: ByteMask) -> tuple[RgbImage, ByteMask]:
    """Subject at the left, background at the right, and between them 200 columns of alpha and their colours."""
    photo = np.hstack([speckled((400, 200), DARK, 0), colours, speckled((400, 200), LEAVES, 1)])
    return photo, np.hstack([level(255), between, level(0)])


def level(value: int) -> ByteMask:
    return np.full((400, 200), value, np.uint8)


@pytest.mark.parametrize(
    "colours",
    [
        pytest.param(speckled((400, 200), LEAVES, 2), id="the background's colours"),
        pytest.param(speckled((400, 200), (40, 60, 200), 2), id="colours of neither"),
        pytest.param(
            mixed(level(128), speckled((400, 200), DARK, 2), speckled((400, 200), LEAVES, 3)), id="a veil's"
        ),
    ],
)
def test_what_may_be_background_or_transparent_stays(colours: RgbImage) -> None:
    photo, alpha = flanked(colours, level(128))
    assert np.array_equal(fill_veils(photo, alpha), alpha)


def test_an_area_between_like_colours_stays() -> None:
    photo, alpha = flanked(speckled((400, 200), DARK, 2), level(128))
    photo[:, 400:] = speckled((400, 200), DARK, 3)
    assert np.array_equal(fill_veils(photo, alpha), alpha)


def own(truth: ByteMask) -> RgbImage:
    """The subject's colours where the truth is 255, and the background's where it is 0."""
    return mixed(truth, speckled((400, 200), DARK, 2), speckled((400, 200), LEAVES, 3))


@pytest.mark.parametrize("scale", [1, 4])
def test_the_edge_of_such_an_area_is_as_soft_as_before(scale: int) -> None:
    truth = np.rint(np.clip((190 - np.arange(200)) / 15, 0, 1) * 255).astype(np.uint8)[None].repeat(400, 0)
    photo, alpha = flanked(own(truth), np.rint(truth * 0.6).astype(np.uint8))
    size = (400 * scale, 600 * scale)
    after = fill_veils(to_working_size(enlarged(photo, *size)), enlarged(alpha, *size))[::scale, ::scale]
    assert (after[:, :365] == 255).all()
    assert np.abs(after[:, 375:400].astype(int) - truth[:, 175:]).max() < 0.15 * 255


def test_no_seam_shows_where_an_area_becomes_narrow() -> None:
    truth = level(255)
    truth[:200, :93] = truth[:200, 107:] = 0
    photo, alpha = flanked(own(truth), truth // 2)
    after = fill_veils(photo, alpha)[:, 300].astype(int)
    assert (after[0], after[-1]) == (127, 255)
    assert np.abs(np.diff(after)).max() < 0.1 * 255


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3, 40), (60, 60)])
def test_pictures_of_any_size_that_are_all_doubt_stay(size: tuple[int, int]) -> None:
    alpha = np.full(size, 128, np.uint8)
    assert np.array_equal(fill_veils(speckled(size, DARK, 0), alpha), alpha)


WHITE, PAPER, INK, WOOD = (246, 246, 246), (244, 244, 242), (35, 35, 40), (150, 105, 65)
PAGE = (slice(60, 740), slice(90, 510))


def document(background: RgbImage) -> tuple[RgbImage, ByteMask, ByteMask]:
    """A page with lines of text, whose letters the network doubts: photo, truth and mask."""
    truth, ink = np.zeros((800, 600), np.uint8), np.zeros((800, 600), np.uint8)
    truth[PAGE] = 255
    for line, baseline_px in enumerate(range(120, 710, 17 + 9)):
        words = "Lorem ipsum dolor sit amet consectetur"[line % 7 :]
        cv2.putText(ink, words, (125, baseline_px), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 2, cv2.LINE_AA)
    page = mixed(ink, speckled(truth.shape, INK, 0), speckled(truth.shape, PAPER, 1))
    doubt = cv2.GaussianBlur(cv2.dilate(ink, square(5)), (0, 0), 1.5) / 255 * np.linspace(0.97, 0.4, 800)[:, None]
    mask = np.rint(cv2.GaussianBlur(truth, (0, 0), 1) * (1 - doubt)).astype(np.uint8)
    return mixed(truth, page, background), truth, mask


@pytest.mark.parametrize("background", [LEAVES, WOOD], ids=["green", "wood"])
def test_text_on_a_page_is_opaque(background: tuple[int, int, int]) -> None:
    photo, truth, mask = document(speckled((800, 600), background, 2))
    page = eroded(truth, square(15)) > 0
    assert np.count_nonzero(mask[page] < 128) > 0.1 * np.count_nonzero(page)
    frame = run(photo, to_unit(mask))
    assert frame.alpha is not None
    assert (frame.alpha[page] >= 250).all()
    assert (frame.alpha[truth == 0] < 128).all()
    assert frame.result is not None
    assert np.abs(frame.result[..., :3][page].astype(int) - photo[page]).max() <= 8


def windowed(behind: tuple[int, int, int], level: int) -> tuple[RgbImage, ByteMask]:
    """A dark plate before leaves, with narrow slits that show something at a level of alpha."""
    photo, alpha = speckled((600, 800), LEAVES, 0), np.zeros((600, 800), np.uint8)
    plate, slits = np.s_[100:500, 150:650], [np.s_[200:400, left : left + 8] for left in range(300, 500, 40)]
    photo[plate], alpha[plate] = speckled((400, 500), DARK, 1), 255
    for slit in slits:
        photo[slit], alpha[slit] = speckled((200, 8), behind, 2), level
    return photo, alpha


def test_narrow_doubt_far_inside_stays_where_it_shows_the_background() -> None:
    photo, alpha = windowed(LEAVES, 128)
    assert np.array_equal(fill_veils(photo, alpha), alpha)


@pytest.mark.parametrize("colour", [DARK, (200, 60, 60)], ids=["the subject's colours", "colours of neither"])
def test_narrow_doubt_far_inside_is_opaque_elsewhere(colour: tuple[int, int, int]) -> None:
    photo, alpha = windowed(colour, 128)
    after = fill_veils(photo, alpha)
    assert (after[alpha == 128] == 255).all()
    assert np.array_equal(after[alpha != 128], alpha[alpha != 128])


def ringed(background: RgbImage, inside: RgbImage, outline_px: int = 60) -> tuple[RgbImage, ByteMask]:
    """A dark ring before a background, with something else in it: photo, and alpha with soft edges."""
    height_px, width_px = background.shape[:2]
    middle, radius = (width_px // 2, height_px // 2), height_px // 3
    alpha, within = np.zeros((2, height_px, width_px), np.uint8)
    cv2.circle(alpha, middle, radius, 255, -1, cv2.LINE_AA)
    cv2.circle(within, middle, radius - outline_px, 255, -1, cv2.LINE_AA)
    alpha, within = (cv2.GaussianBlur(each, (0, 0), 0.8).astype(np.uint8) for each in (alpha, within))
    photo = mixed(alpha, speckled(alpha.shape, DARK, 0), background)
    return mixed(within, inside, photo), alpha - np.minimum(alpha, within)


CARD = speckled((600, 800), WHITE, 1)
WOODEN = np.asarray(
    np.clip(speckled((600, 800), WOOD, 1) + 20 * np.sin(np.arange(600) / 7)[:, None, None], 0, 255), np.uint8
)


@pytest.mark.parametrize("outline_px", [60, 4])
@pytest.mark.parametrize(
    ("background", "inside"),
    [
        pytest.param(CARD, speckled((600, 800), WHITE, 2), id="white on white"),
        pytest.param(CARD, speckled((600, 800), (150, 150, 152), 2), id="grey on white"),
        pytest.param(WOODEN, speckled((600, 800), WHITE, 2), id="white on wood"),
    ],
)
def test_a_label_is_filled(background: RgbImage, inside: RgbImage, outline_px: int) -> None:
    photo, alpha = ringed(background, inside, outline_px)
    after = fill_holes(photo, alpha)
    truth = np.zeros(alpha.shape, np.uint8)
    cv2.circle(truth, (400, 300), 200, 255, -1)
    assert (after[eroded(truth, square(11)) > 0] == 255).all()
    assert (after >= alpha).all()


def test_the_outer_edge_stays_as_soft_as_it_is() -> None:
    photo, alpha = ringed(CARD, speckled((600, 800), WHITE, 2))
    after = fill_holes(photo, alpha)
    outer = np.hypot(*np.ogrid[-300:300, -400:400]) > 180
    assert ((alpha > 0) & (alpha < 255) & outer).any()
    assert np.array_equal(after[outer], alpha[outer])


def test_a_hole_that_shows_the_background_is_kept() -> None:
    photo, alpha = ringed(WOODEN, WOODEN)
    assert np.array_equal(fill_holes(photo, alpha), alpha)


def test_what_is_open_or_narrow_is_kept() -> None:
    photo, alpha = ringed(CARD, CARD)
    alpha[290:310, 400:] = 0
    assert np.array_equal(fill_holes(photo, alpha), alpha)
    photo, alpha = windowed(WHITE, 0)
    photo[alpha == 0] = WHITE
    assert np.array_equal(fill_holes(photo, alpha), alpha)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 40), (60, 60)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_without_a_subject_nothing_is_filled(size: tuple[int, int], level: int) -> None:
    alpha = np.full(size, level, np.uint8)
    assert np.array_equal(fill_holes(speckled(size, WHITE, 0), alpha), alpha)


@pytest.mark.parametrize("mode", list(Refinement))
def test_each_mode_fills_on_request_alone(mode: Refinement) -> None:
    photo, mask = ringed(CARD, speckled((600, 800), WHITE, 2))
    kept, filled = (alpha_of(photo, to_unit(mask), holes=holes, refinement=mode) for holes in Holes)
    assert kept[300, 400] == 0
    assert (filled[170:430, 270:530] == 255).all()
    assert np.array_equal(kept[:90], filled[:90])
    assert np.array_equal(alpha_of(photo, to_unit(mask), refinement=mode), kept)


def test_a_large_picture_is_filled_in_little_memory() -> None:
    photo, alpha = ringed(CARD, speckled((600, 800), WHITE, 2))
    large = enlarged(alpha, 6_000, 8_000)
    tracemalloc.start()
    try:
        after = fill_holes(photo, large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert after[3_000, 4_000] == 255
    assert peak < 4 * large.nbytes
