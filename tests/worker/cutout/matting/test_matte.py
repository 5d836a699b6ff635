"""Alpha in the unknown band, scored against the truth."""

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.matting.matte import Layer, refine, stretch_between_thresholds, to_working_size
from cutgate.worker.cutout.matting.trimap import UNKNOWN, keep_known, make_trimap
from cutgate.worker.cutout.matting.zones import zones_of
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import to_levels
from tests.pictures import scores
from tests.pictures.composites import COMPOSITES, Composite, named

USUAL = Thresholds(foreground=240, background=15)

RECORDED_SAD = {"mug": 2.529, "bear": 0.739, "portrait": 0.912}
"""Thousands of pixels, of refined alpha from the coarse mask; the test allows one per cent more."""


def refined_all_over(photo: RgbImage, mask: ByteMask, erode_px: int = 15) -> ByteMask:
    """With alpha estimated in all of the trimap's band."""
    small = to_working_size(photo), to_working_size(mask)
    zones = zones_of(small[1], USUAL, erode_px).everywhere
    return refine(photo, mask, make_trimap(mask, USUAL, erode_px), zones, small)


def refined(composite: Composite) -> ByteMask:
    return refined_all_over(composite.photo, to_levels(composite.coarse_mask()))


@pytest.mark.parametrize("name", COMPOSITES)
def test_refined_alpha_is_as_near_to_the_truth_as_recorded(name: str) -> None:
    composite = named(name)
    alpha = refined(composite) / 255
    assert scores.sad(alpha, composite.alpha) <= 1.01 * RECORDED_SAD[name]
    of_mask = scores.gradient_error(composite.coarse_mask(), composite.alpha)
    assert scores.gradient_error(alpha, composite.alpha) < of_mask


@pytest.mark.parametrize("size", [(3, 3), (3, 900), (900, 3), (5, 2000)])
def test_refine_works_in_narrow_pictures(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mask = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size)
    alpha = refined_all_over(image, mask, erode_px=3)
    assert alpha.shape == size
    assert alpha.dtype == np.uint8


def test_spokes_that_the_mask_found_are_kept() -> None:
    spokes = np.zeros((800, 800), np.uint8)
    for angle in np.linspace(0, np.pi, 12, endpoint=False):
        off_x, off_y = round(340 * np.cos(angle)), round(340 * np.sin(angle))
        cv2.line(spokes, (400 + off_x, 400 + off_y), (400 - off_x, 400 - off_y), 255, 4, cv2.LINE_AA)
    hub_px = 120
    cv2.circle(spokes, (400, 400), hub_px, 255, -1, cv2.LINE_AA)
    # A wall that is here lighter and there darker than the spokes: colour alone takes them for a part of it.
    wall = 150 + 30 * np.sin(np.arange(800) / 60)[:, None, None] * np.array([1, 0.8, 0.6])
    share = spokes[..., None] / 255
    photo = np.clip(share * 170 + (1 - share) * wall, 0, 255).astype(np.uint8)
    mask = cv2.GaussianBlur(spokes, (0, 0), 1).astype(np.uint8)
    alpha = refined_all_over(photo, mask)
    y, x = np.mgrid[:800, :800]
    beyond_the_hub = (spokes == 255) & (np.hypot(y - 400, x - 400) > hub_px + 20)
    assert alpha[beyond_the_hub].mean() > 0.65 * 255


def test_coarse_levels_carry_alpha_across_what_the_mask_does_not_know() -> None:
    y, x = np.mgrid[:800, :800]
    away_px = np.hypot(y - 400, x - 400)
    subject = away_px < 300
    noise = np.random.default_rng(0).normal(0, 6, (800, 800, 3))
    photo = np.where(subject[..., None], (180, 60, 50), (40, 90, 160)) + noise
    mask = np.where(away_px < 60, 255, np.where(away_px < 370, 128, 0)).astype(np.uint8)
    alpha = refined_all_over(np.clip(photo, 0, 255).astype(np.uint8), mask, erode_px=3)
    # Without the levels of 50 and 100 px, or at one size alone, it is more than 100.
    assert scores.sad(alpha / 255, subject.astype(np.float64)) < 1.1


def test_a_finer_level_seeks_alpha_only_where_it_varies() -> None:
    mask = np.full((60, 60), 100, np.uint8)
    mask[:, 30] = 120  # a strand that a coarser level cannot hold
    band = np.full_like(mask, 255)
    residual = np.full((20, 20), 0.2, np.float32)
    narrowed = Layer(np.zeros((60, 60, 3), np.uint8), mask, mask, 0 * band, band).narrowed(residual)
    assert (narrowed.unknown[:, 28:33] == 255).all()
    assert not np.delete(narrowed.unknown, np.s_[28:33], axis=1).any()
    assert (narrowed.fixed[narrowed.unknown == 0] == 100 + 0.2 * 255).all()


def two_discs(level: int) -> ByteMask:
    """A large sure subject, and a small one beside it of which the network is less sure."""
    mask = np.zeros((800, 800), np.uint8)
    cv2.circle(mask, (250, 400), 180, 255, -1)
    cv2.circle(mask, (620, 400), 40, level, -1)
    cv2.circle(mask, (620, 375), 16, 235, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.uint8)


@pytest.mark.parametrize("level", [180, 220, 235])
def test_a_small_subject_coloured_like_the_wall_is_not_washed_out(level: int) -> None:
    mask = two_discs(level)
    colours = np.full((800, 800, 3), 190.0)
    colours[:, :450] = np.where(mask[:, :450, None] > 128, (150, 40, 30), colours[:, :450])
    colours[mask > 128] -= 8
    noise = np.random.default_rng(0).normal(0, 3, colours.shape)
    photo = np.clip(colours + noise, 0, 255).astype(np.uint8)
    alpha = refined_all_over(photo, mask)
    small = (slice(350, 450), slice(570, 670))
    assert alpha[small].sum() >= 0.9 * mask[small].sum()


def test_a_shadow_that_the_network_is_unsure_of_is_not_kept_for_that() -> None:
    mask = two_discs(150)
    cv2.circle(mask, (620, 375), 20, 150, -1)
    photo = np.where((mask > 200)[..., None], (150, 40, 30), (190, 190, 190)).astype(np.uint8)
    alpha = refined_all_over(photo, mask)
    assert alpha[350:450, 570:670].sum() < 0.5 * mask[350:450, 570:670].sum()


def ramp() -> ByteMask:
    return np.arange(256, dtype=np.uint8)[None]


def all_unknown(mask: ByteMask) -> ByteMask:
    return np.full_like(mask, UNKNOWN)


def test_remap_is_linear_between_the_thresholds() -> None:
    alpha = stretch_between_thresholds(
        ramp(), all_unknown(ramp()), Thresholds(foreground=200, background=100), erode_px=0
    )[0]
    assert (alpha[:101] == 0).all()
    assert (alpha[200:] == 255).all()
    assert np.abs(alpha[100:201] - np.linspace(0, 255, 101)).max() < 0.51


def test_remap_is_a_step_where_the_thresholds_are_equal() -> None:
    alpha = stretch_between_thresholds(
        ramp(), all_unknown(ramp()), Thresholds(foreground=128, background=128), erode_px=0
    )[0]
    assert alpha.tolist() == [0] * 129 + [255] * 127


@pytest.mark.parametrize("erode_px", [0, 1, 2, 15, 40])
def test_the_blur_stays_below_half_the_erosion(erode_px: int) -> None:
    mask = np.zeros((3, 200), np.uint8)
    mask[:, 100:] = 255
    row = stretch_between_thresholds(mask, all_unknown(mask), USUAL, erode_px)[1]
    soft = np.flatnonzero((row > 0) & (row < 255))
    assert (row[: 100 - erode_px // 2] == 0).all()
    assert (row[100 + erode_px // 2 :] == 255).all()
    assert len(soft) <= max(0, erode_px - 1)


@pytest.mark.parametrize("erode_px", [0, 5, 15, 40])
def test_a_part_of_a_large_picture_is_blurred_as_the_whole_is(erode_px: int) -> None:
    mask = np.zeros((700, 500), np.uint8)
    cv2.ellipse(mask, (250, 340), (230, 336), 20, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.circle(mask, (240, 256), 30, 55, -1)
    trimap = make_trimap(mask, USUAL, erode_px)
    whole = stretch_between_thresholds(mask, all_unknown(mask), USUAL, erode_px)
    np.testing.assert_array_equal(
        stretch_between_thresholds(mask, trimap.copy(), USUAL, erode_px), keep_known(whole, trimap)
    )
    if erode_px > 1:
        side_px = erode_px - 1 | 1
        stretched = np.clip(np.rint((np.arange(256) - 15) * (255 / 225)), 0, 255).astype(np.uint8)[mask]
        blur = cv2.GaussianBlur(stretched, (side_px, side_px), side_px // 2 / 3, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_array_equal(whole, blur)


def test_strands_of_a_large_picture_follow_its_pixels_and_not_a_coarse_map() -> None:
    side_px = 2400
    strands = np.zeros((side_px, side_px), np.uint8)
    cv2.circle(strands, (1200, 1200), 500, 255, -1, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 80, endpoint=False):
        end = round(1200 + 640 * np.cos(angle)), round(1200 + 640 * np.sin(angle))
        cv2.line(strands, (1200, 1200), end, 255, 8, cv2.LINE_AA)
    share = strands[..., None] / 255
    grain = np.random.default_rng(0).normal(0, 2, (side_px, side_px, 3))
    photo = np.clip(share * [60, 40, 30] + (1 - share) * [150, 180, 210] + grain, 0, 255).astype(np.uint8)
    coarse = cv2.resize(strands, (480, 480), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 2), (side_px, side_px)).astype(np.uint8)
    alpha = refined_all_over(photo, mask) / 255
    part = (slice(500, 900), slice(900, 1500))
    truth, seen = strands[part] / 255, mask[part] / 255
    # At 800 px, enlarged linearly, it is 0.26 of the mask's.
    assert scores.gradient_error(alpha[part], truth) < 0.22 * scores.gradient_error(seen, truth)
