"""A mask's contrast: a subject takes the full range, noise and haze without one become no subject."""

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.mask.contrast import stretched
from cutgate.worker.cutout.raster.arrays import Floats


def log_odds(radius_px: int, blur_px: float = 3) -> Floats:
    """What a network without a last sigmoid gives for a round subject: about -8 to 8."""
    mask = np.zeros((320, 320), np.float32)
    cv2.circle(mask, (160, 160), radius_px, 1, -1)
    blurred = cv2.GaussianBlur(mask, (0, 0), blur_px)
    return np.asarray(blurred * 16 - 8, np.float32)


def haze(seed: int, grain_px: int) -> Floats:
    """What is left where there is no subject: clouds with a few peaks."""
    cells = np.random.default_rng(seed).gamma(0.5, 1, (320 // grain_px, 320 // grain_px)).astype(np.float32)
    return np.asarray(cv2.resize(cells, (320, 320), interpolation=cv2.INTER_CUBIC) / 100, np.float32)


@pytest.mark.parametrize("radius_px", [12, 30, 100])
def test_a_subject_takes_the_full_range(radius_px: int) -> None:
    full = stretched(log_odds(radius_px))
    assert (float(full.min()), float(full.max())) == (0, 1)
    assert full[160, 160] > 0.9
    assert full.dtype == np.float32


def single_pixel() -> Floats:
    output = np.zeros((1024, 1024), np.float32)
    output[500, 500] = 1
    return output


@pytest.mark.parametrize(
    "output",
    [
        *(haze(seed, grain_px) for seed in range(5) for grain_px in (4, 10, 40)),
        *(np.full((32, 32), level, np.float32) for level in (-3.0, 0.0, 0.4)),
        single_pixel(),
    ],
    ids=lambda output: f"{output.shape[0]} px, {output.mean():.4f}",
)
def test_noise_a_single_pixel_and_no_contrast_are_no_subject(output: Floats) -> None:
    assert not stretched(output).any()


def test_neither_is_contrast_below_the_least_range() -> None:
    faint = np.asarray((log_odds(50) + 8) * 0.025, np.float32)
    assert stretched(faint).max() == 1
    assert not stretched(faint, least_range=0.5).any()


def test_a_subject_in_a_haze_is_one() -> None:
    both = stretched(np.asarray((log_odds(60) + 8) / 16 + haze(0, 10) * 2, np.float32))
    assert both[160, 160] > 0.6
