"""How likely a cut-out is right: what lowers it, and what has no part in it."""

import cv2
import numpy as np
import pytest
from hypothesis import given as each
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cutgate.jobs.spec import Refinement
from cutgate.worker.cutout.confidence import confidence_of
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from tests.worker.cutout.runs import bear, run


def disc(level: int = 255, blur_px: float = 1) -> ByteMask:
    mask = np.zeros((600, 800), np.uint8)
    cv2.circle(mask, (400, 300), 150, level, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur_px), np.uint8)


def with_ghost(mask: ByteMask) -> ByteMask:
    """What the network half saw beside the subject, and dropped."""
    return np.asarray(cv2.rectangle(mask, (600, 100), (780, 500), 60, -1))


def scene(colour: int = 240) -> RgbImage:
    picture = np.full((600, 800, 3), 40, np.uint8)
    return np.asarray(cv2.circle(picture, (400, 300), 150, (colour, colour, colour), -1))


@pytest.mark.parametrize("unsure", [disc(blur_px=40), with_ghost(disc()), disc(135, 20)])
def test_a_mask_that_is_unsure_has_less(unsure: ByteMask) -> None:
    assert confidence_of(unsure, scene()) < confidence_of(disc(), scene()) - 0.1


def test_a_subject_that_hardly_differs_from_its_background_has_less() -> None:
    assert confidence_of(disc(), scene(45)) < confidence_of(disc(), scene()) - 0.1


def test_the_pictures_size_does_not_matter() -> None:
    large = cv2.resize(scene(), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)
    assert confidence_of(disc(), np.asarray(large, np.uint8)) == pytest.approx(
        confidence_of(disc(), scene()), abs=0.02
    )


def test_a_half_transparent_mask_has_less_through_the_whole_pipeline() -> None:
    picture, crisp = bear().photo, bear().coarse_mask()
    half = np.clip(cv2.blur(crisp, (41, 41)), 0, 0.6).astype(np.float32)
    found, doubted = (run(picture, mask).confidence for mask in (crisp, half))
    assert found is not None
    assert doubted is not None
    assert doubted < found - 0.1


def test_it_is_of_the_mask_and_not_of_what_is_made_of_it() -> None:
    mask = bear().coarse_mask()
    modes = [run(bear().photo, mask, refinement=mode) for mode in Refinement]
    assert len({frame.confidence for frame in (*modes, run(bear().photo, mask, tidy_mask=True))}) == 1


def test_where_nothing_is_found_it_says_how_surely() -> None:
    nothing = np.zeros((90, 120), np.float32)
    hint: FloatMask = nothing.copy()
    hint[40:60, 50:70] = 0.4
    sure, unsure = (run(np.zeros((90, 120, 3), np.uint8), mask) for mask in (nothing, hint))
    assert (sure.subject_found, sure.confidence) == (False, 1.0)
    assert (unsure.subject_found, unsure.confidence) == (False, 0.6)


def test_a_matte_has_none_for_its_grey_is_no_doubt() -> None:
    assert run(bear().photo, bear().coarse_mask(), soft=Soft.ALPHA).confidence is None


@each(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_any_mask_has_one_in_hundredths(mask: ByteMask) -> None:
    confidence = confidence_of(mask, np.repeat(mask[..., None], 3, axis=2))
    assert 0 <= confidence <= 1
    assert confidence == round(confidence, 2)
