"""Foreground colours, and how colours and alpha are put together."""

import numpy as np
import pytest

from cutgate.worker.cutout.raster.arrays import ByteMask
from tests.pictures.composites import COMPOSITES, Composite, named, with_own_colours

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
    cleaned = with_own_colours(composite.photo, alpha_of(composite))
    assert colour_error(cleaned, composite) < 0.7 * colour_error(composite.photo, composite)


@every_composite
def test_colours_change_only_where_alpha_is_soft(name: str) -> None:
    composite = named(name)
    alpha = alpha_of(composite)
    hard = (alpha == 0) | (alpha == 255)
    cleaned = with_own_colours(composite.photo, alpha)
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
    cleaned, cleaned_too = (with_own_colours(each, alpha)[soft] for each in (photo, far_away))
    assert np.array_equal(cleaned, cleaned_too)
    assert not np.array_equal(cleaned, photo[soft])


def test_no_soft_pixel_leaves_every_colour() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for level in (0, 255):
        assert np.array_equal(with_own_colours(photo, np.full((40, 60), level, np.uint8)), photo)


def test_a_subject_and_a_background_of_one_colour_each_are_told_apart() -> None:
    alpha = np.tile(np.clip(np.linspace(-510, 765, 120), 0, 255).astype(np.uint8), (40, 1))
    share = alpha[..., None] / 255
    photo = np.rint(share * [200, 40, 40] + (1 - share) * [20, 60, 220]).astype(np.uint8)
    cleaned = with_own_colours(photo, alpha)
    seen = alpha > 100
    assert np.abs(cleaned[seen].astype(int) - [200, 40, 40]).max() < 25
    assert np.abs(photo[seen].astype(int) - [200, 40, 40]).max() > 90
