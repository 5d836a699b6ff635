"""What happens to the network's map before the trimap, through the whole pipeline."""

from typing import Any

import cv2
import numpy as np
import pytest

from cutgate.jobs.spec import CutoutSpec, Output, Refinement
from cutgate.worker.cutout.mask.tidy import tidied
from cutgate.worker.cutout.pipeline import Frame, required, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
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

    @pytest.mark.parametrize("mode", ["auto", "raw"])
    def test_a_lawn_that_the_network_sees_faintly_is_no_subject(self, mode: str) -> None:
        frame = run(np.full((HEIGHT_PX, WIDTH_PX), 18, np.uint8), refinement=mode)
        assert frame.subject_found is False
        assert not required(frame.result).any()

    @in_each_mode
    def test_something_is_said(self, mode: Refinement) -> None:
        frame = run(subject(), refinement=mode, output=Output.MASK)
        assert frame.subject_found is True
        assert required(frame.result).max() == 255

    @pytest.mark.parametrize(("mode", "found"), [("auto", False), ("raw", True)])
    def test_below_the_background_threshold_is_none_but_in_the_map_as_it_is(self, mode: str, found: bool) -> None:
        frame = run(subject(level=140), background_threshold=150, refinement=mode)
        assert frame.subject_found is found
        assert required(frame.result)[..., 3].max() == (140 if found else 0)
