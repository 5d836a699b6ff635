"""Foreground colours, and how colours and alpha are put together."""

from __future__ import annotations

import numpy as np
import pytest

from tests.composites import COMPOSITES, Composite
from worker.cutout.arrays import ByteMask
from worker.cutout.compose import combined, compose
from worker.cutout.foreground import estimate_foreground

named = pytest.mark.parametrize("composite", COMPOSITES, ids=lambda composite: composite.name)


def alpha_of(composite: Composite) -> ByteMask:
    return np.rint(composite.alpha * 255).astype(np.uint8)


def colour_error(colours: ByteMask, composite: Composite) -> float:
    """Root mean square over the soft pixels, weighted by alpha, in levels of 255."""
    soft = (composite.alpha > 0.05) & (composite.alpha < 0.95)
    weight = composite.alpha[soft][:, None]
    off = colours[soft].astype(np.float64) - composite.foreground[soft]
    return float(np.sqrt((weight * off**2).sum() / (3 * weight.sum())))


@named
def test_cleaned_colours_are_nearer_to_the_subjects_own(composite: Composite) -> None:
    cleaned = estimate_foreground(composite.photo, alpha_of(composite))
    assert colour_error(cleaned, composite) < 0.7 * colour_error(composite.photo, composite)


@named
def test_colours_change_only_where_alpha_is_soft(composite: Composite) -> None:
    alpha = alpha_of(composite)
    hard = (alpha == 0) | (alpha == 255)
    cleaned = estimate_foreground(composite.photo, alpha)
    assert np.array_equal(cleaned[hard], composite.photo[hard])
    assert not np.array_equal(cleaned[~hard], composite.photo[~hard])


def test_a_subject_and_a_background_of_one_colour_each_are_told_apart() -> None:
    alpha = np.tile(np.clip(np.linspace(-510, 765, 120), 0, 255).astype(np.uint8), (40, 1))
    share = alpha[..., None] / 255
    photo = np.rint(share * [200, 40, 40] + (1 - share) * [20, 60, 220]).astype(np.uint8)
    cleaned = estimate_foreground(photo, alpha)
    seen = alpha > 100
    assert np.abs(cleaned[seen].astype(int) - [200, 40, 40]).max() < 25
    assert np.abs(photo[seen].astype(int) - [200, 40, 40]).max() > 90


def test_colours_are_zero_where_nothing_is_seen_and_untouched_elsewhere() -> None:
    colours = np.full((1, 3, 3), 77, np.uint8)
    cutout = compose(colours, np.array([[0, 1, 255]], np.uint8))
    assert cutout.tolist() == [[[0, 0, 0, 0], [77, 77, 77, 1], [77, 77, 77, 255]]]


def test_source_alpha_multiplies() -> None:
    alpha, source = np.array([[255, 255, 128, 0]], np.uint8), np.array([[255, 100, 128, 255]], np.uint8)
    assert combined(alpha, source).tolist() == [[255, 100, 64, 0]]
    assert combined(alpha, None) is alpha
