"""Broad half-transparent areas: which become opaque, and what stays as it was."""

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.matting.inside import fill_veils
from cutgate.worker.cutout.matting.matte import refine, to_working_size
from cutgate.worker.cutout.matting.trimap import Thresholds, make_trimap
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, eroded, square, to_unit
from tests.worker.cutout.runs import alpha_of

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
    before = refine(photo, mask, make_trimap(mask, Thresholds(240, 15), erode_px=15))
    after = fill_veils(to_working_size(photo), before)
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
