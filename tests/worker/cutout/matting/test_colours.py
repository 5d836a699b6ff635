"""Foreground colours, and how colours and alpha are put together."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.matting.compose import least_alpha, with_straight_alpha
from cutgate.worker.cutout.matting.foreground import estimate_foreground
from cutgate.worker.cutout.pipeline import Frame, required
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from tests.pictures.composites import COMPOSITES, Composite, named
from tests.worker.cutout.runs import run

every_composite = pytest.mark.parametrize("name", COMPOSITES)


def alpha_of(composite: Composite) -> ByteMask:
    return np.rint(composite.alpha * 255).astype(np.uint8)


def colour_error(colours: ByteMask, composite: Composite) -> float:
    """Root mean square over the soft pixels, weighted by alpha, in levels of 255."""
    soft = (composite.alpha > 0.05) & (composite.alpha < 0.95)
    weight = composite.alpha[soft][:, None]
    off = colours[soft].astype(np.float64) - composite.foreground[soft]
    return float(np.sqrt((weight * off**2).sum() / (3 * weight.sum())))


@every_composite
def test_cleaned_colours_are_nearer_to_the_subjects_own(name: str) -> None:
    composite = named(name)
    cleaned = estimate_foreground(composite.photo, alpha_of(composite))
    assert colour_error(cleaned, composite) < 0.7 * colour_error(composite.photo, composite)


@every_composite
def test_colours_change_only_where_alpha_is_soft(name: str) -> None:
    composite = named(name)
    alpha = alpha_of(composite)
    hard = (alpha == 0) | (alpha == 255)
    cleaned = estimate_foreground(composite.photo, alpha)
    assert np.array_equal(cleaned[hard], composite.photo[hard])
    assert not np.array_equal(cleaned[~hard], composite.photo[~hard])


def test_what_lies_far_from_the_band_has_no_part_in_its_colours() -> None:
    random = np.random.default_rng(0)
    photo, alpha = random.integers(0, 256, (400, 600, 3), np.uint8), np.zeros((400, 600), np.uint8)
    alpha[40:60, 500:530] = random.integers(1, 255, (20, 30), np.uint8)
    alpha[:, :200] = 255
    far_away = photo.copy()
    far_away[:, :400] = far_away[200:] = 0
    soft = (alpha > 0) & (alpha < 255)
    cleaned, cleaned_too = (estimate_foreground(each, alpha)[soft] for each in (photo, far_away))
    assert np.array_equal(cleaned, cleaned_too)
    assert not np.array_equal(cleaned, photo[soft])


def test_no_soft_pixel_leaves_every_colour() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for level in (0, 255):
        assert np.array_equal(estimate_foreground(photo, np.full((40, 60), level, np.uint8)), photo)


def test_a_subject_and_a_background_of_one_colour_each_are_told_apart() -> None:
    alpha = np.tile(np.clip(np.linspace(-510, 765, 120), 0, 255).astype(np.uint8), (40, 1))
    share = alpha[..., None] / 255
    photo = np.rint(share * [200, 40, 40] + (1 - share) * [20, 60, 220]).astype(np.uint8)
    cleaned = estimate_foreground(photo, alpha)
    seen = alpha > 100
    assert np.abs(cleaned[seen].astype(int) - [200, 40, 40]).max() < 25
    assert np.abs(photo[seen].astype(int) - [200, 40, 40]).max() > 90


def brown_hair_on_a_green_wall() -> tuple[RgbImage, FloatMask]:
    """A head with strands of half a pixel to two pixels, and the mask that a network might give of it."""
    random, fine = np.random.default_rng(0), 2
    hair = np.zeros((400 * fine, 400 * fine), np.uint8)
    cv2.circle(hair, (400, 480), 200, 255, -1, cv2.LINE_AA)
    for angle in random.uniform(np.pi, 2 * np.pi, 300):
        reach, bend = random.uniform(220, 330), random.normal(0, 40)
        across, down = np.cos(angle), np.sin(angle)
        start = round(400 + 190 * across), round(480 + 190 * down)
        end = round(400 + reach * across + bend), round(480 + reach * down)
        cv2.line(hair, start, end, 255, 2, cv2.LINE_AA)
    share = cv2.resize(hair, (400, 400), interpolation=cv2.INTER_AREA)[..., None] / 255
    wall = np.array([40, 190, 60]) + np.linspace(-15, 15, 400)[:, None, None]
    photo = share * [96, 62, 40] + (1 - share) * wall + random.normal(0, 1.5, (400, 400, 3))
    mask = cv2.GaussianBlur(share[..., 0], (0, 0), 3).astype(np.float32)
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8), mask


def green_on_white(frame: Frame) -> float:
    """How much greener than red or blue what is seen of the soft pixels is on white: mean, in levels of 255."""
    alpha = required(frame.alpha)
    soft = (alpha > 0) & (alpha < 255)
    share = alpha[soft][:, None] / 255
    seen = share * required(frame.colours)[soft] + (1 - share) * 255
    return float(np.maximum(seen[:, 1] - np.maximum(seen[:, 0], seen[:, 2]), 0).mean())


def test_hair_cut_from_a_green_wall_is_not_green_on_white() -> None:
    photo, mask = brown_hair_on_a_green_wall()
    cut = run(photo, mask)
    assert green_on_white(cut) < 2
    assert green_on_white(replace(cut, colours=photo)) > 8


def test_colours_are_zero_where_nothing_is_seen_and_untouched_elsewhere() -> None:
    colours = np.full((1, 3, 3), 77, np.uint8)
    cutout = with_straight_alpha(colours, np.array([[0, 1, 255]], np.uint8))
    assert cutout.tolist() == [[[0, 0, 0, 0], [77, 77, 77, 1], [77, 77, 77, 255]]]


def test_source_alpha_bounds_alpha() -> None:
    alpha, source = np.array([[255, 255, 128, 0]], np.uint8), np.array([[255, 100, 128, 255]], np.uint8)
    assert least_alpha(alpha, source).tolist() == [[255, 100, 128, 0]]
    assert least_alpha(alpha, None) is alpha
