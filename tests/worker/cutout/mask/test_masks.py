"""What happens to the network's map before the trimap: its contrast, its specks and edges, the whole pipeline."""

from typing import Any

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.cutout.mask.tidy import tidied
from cutgate.worker.cutout.pipeline import Frame, required, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.models.engines.processing import stretched
from tests.worker.cutout.runs import go_on

HEIGHT_PX, WIDTH_PX = 240, 320

in_each_mode = pytest.mark.parametrize("mode", list(Refinement))


class Network:
    """Sees how blue each pixel is, and counts."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, view: RgbImage) -> ByteMask:
        self.runs += 1
        return view[..., 2].copy()


def picture(mask: ByteMask) -> RgbImage:
    noise = np.random.default_rng(0).integers(0, 256, (*mask.shape, 2), np.uint8)
    return np.dstack([noise, mask])


def subject(radius_px: int = 100, level: int = 255) -> ByteMask:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    cv2.circle(mask, (160, 120), radius_px, level, -1)
    return cv2.GaussianBlur(mask, (0, 0), 2).astype(np.uint8)


def run(mask: ByteMask, network: Network | None = None, **parameters: Any) -> Frame:
    spec = CutoutSpec(model="blue", **parameters)
    return run_steps(steps_for(spec, network or Network()), Frame(picture=picture(mask)), go_on)


class TestSecondLook:
    @in_each_mode
    @pytest.mark.parametrize(("radius_px", "runs"), [(30, 2), (100, 1)])
    def test_only_a_small_subject_gets_one(self, mode: Refinement, radius_px: int, runs: int) -> None:
        network = Network()
        run(subject(radius_px), network, refinement=mode)
        assert network.runs == runs


def test_of_a_raw_cut_out_alpha_is_the_map_and_colours_are_the_pictures_where_anything_is_seen() -> None:
    mask = subject()
    cutout = required(run(mask, refinement="raw", foreground_threshold=140, background_threshold=120).result)
    assert np.array_equal(cutout[..., 3], mask)
    assert np.array_equal(cutout[mask > 0, :3], picture(mask)[mask > 0])
    assert not cutout[mask == 0].any()


class TestTidyMask:
    def test_raw_and_tidy_is_the_tidied_map(self) -> None:
        assert np.array_equal(required(run(subject(), refinement="raw", tidy_mask=True).alpha), tidied(subject()))

    @in_each_mode
    def test_faint_islands_go(self, mode: Refinement) -> None:
        mask = subject()
        mask[118:123, 28:33] = 229
        known: dict[str, Any] = {"foreground_threshold": 225, "erode_px": 0}
        tidy, untidy = (
            required(run(mask, refinement=mode, tidy_mask=tidy, **known).alpha)[120, 30] for tidy in (True, False)
        )
        assert tidy == 0
        assert untidy >= 229


class TestSubjectFound:
    @in_each_mode
    def test_nothing_is_transparent_and_said(self, mode: Refinement) -> None:
        frame = run(subject(level=14), refinement=mode)
        assert frame.subject_found is False
        assert not required(frame.result).any()

    @pytest.mark.parametrize(("mode", "found"), [("auto", False), ("raw", True)])
    def test_below_the_background_threshold_is_none_but_in_the_map_as_it_is(self, mode: str, found: bool) -> None:
        frame = run(subject(level=140), background_threshold=150, refinement=mode)
        assert frame.subject_found is found
        assert required(frame.result)[..., 3].max() == (140 if found else 0)


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


def ball(height_px: int = 400, width_px: int = 500) -> ByteMask:
    mask = np.zeros((height_px, width_px), np.uint8)
    cv2.circle(mask, (width_px // 2, height_px // 2), height_px // 4, 255, -1)
    return mask


def soft_pixels(mask: ByteMask) -> int:
    return int(np.count_nonzero((mask > 0) & (mask < 255)))


def outline_px(mask: ByteMask) -> float:
    contours, _ = cv2.findContours((mask >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return sum(cv2.arcLength(contour, closed=True) for contour in contours)


def test_a_frayed_edge_becomes_smooth() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 500), np.uint8)
    rim = cv2.morphologyEx(ball(), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    frayed = np.where(rim > 0, noise, ball())
    assert outline_px(tidied(frayed)) < 0.7 * outline_px(frayed)


def test_the_edge_is_narrow_but_not_jagged() -> None:
    tidy = tidied(cv2.GaussianBlur(ball(), (0, 0), 4).astype(np.uint8))
    around_px = 2 * np.pi * 100
    assert 0.5 * around_px < soft_pixels(tidy) < 3 * around_px
    assert np.count_nonzero(tidy >= 128) == pytest.approx(np.count_nonzero(ball()), rel=0.02)


@pytest.mark.parametrize("x", [380, 20])
def test_specks_go_near_and_far(x: int) -> None:
    mask = ball()
    cv2.circle(mask, (x, 200), 6, 160, -1)
    assert np.array_equal(tidied(mask), tidied(ball()))


def test_letters_are_no_specks() -> None:
    mask = ball()
    for left in range(40, 100, 20):
        mask[350:365, left : left + 8] = 255
    letters = (slice(345, 370), slice(30, 110))
    assert tidied(mask)[letters].sum() > 0.8 * mask[letters].sum()


def test_large_parts_and_holes_stay() -> None:
    mask = ball()
    cv2.circle(mask, (250, 200), 20, 0, -1)
    cv2.circle(mask, (60, 60), 40, 255, -1)
    tidy = tidied(mask)
    assert tidy[200, 250] == 0
    assert tidy[60, 60] == 255


def test_a_large_mask_is_smoothed_in_proportion() -> None:
    small, large = ball(1024, 1024), ball(4096, 4096)
    again = cv2.resize(tidied(large), (1024, 1024), interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(again, tidied(small)).mean() < 0.5
    assert soft_pixels(tidied(large)) < 8 * soft_pixels(tidied(small))
