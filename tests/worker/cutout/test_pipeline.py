"""What the parameters do to pixels, through the whole pipeline; the network is a mask that is given."""

import cv2
import hypothesis
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cutgate.jobs.composition import Composition, RegionOfInterest
from cutgate.jobs.spec import Box, CutoutSpec, Output, Refinement, Thresholds
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.matting.trimap import BACKGROUND, FOREGROUND, make_trimap
from cutgate.worker.cutout.pipeline import (
    Frame,
    StepOutOfOrder,
    cut_to_box,
    give_mask,
    required,
    restore_size,
    run_steps,
    steps_for,
)
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from cutgate.worker.cutout.raster.filters import to_levels, to_unit
from cutgate.worker.cutout.raster.geometry import Region
from cutgate.worker.pictures.images import SourceImage
from tests.pictures.composites import named
from tests.pictures.scores import sad
from tests.worker.cutout.runs import alpha_of, bear, given, go_on, run

MODES = [Refinement.ON, Refinement.OFF, Refinement.AUTO]

in_each_mode = pytest.mark.parametrize("mode", MODES)


def noise(height: int, width: int) -> RgbImage:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


GLASS = (40, 160, 120)


def glass() -> tuple[RgbImage, FloatMask]:
    """A pane that half of what is behind shows through, with an opaque rim, and its true alpha."""
    alpha = np.zeros((240, 240), np.float32)
    alpha[40:200, 40:200] = 1
    alpha[60:180, 60:180] = 0.5
    behind = np.tile(np.repeat(np.array([60, 220], np.float32), 40), 3)[None, :, None]
    return np.rint(alpha[..., None] * np.array(GLASS) + (1 - alpha[..., None]) * behind).astype(np.uint8), alpha


@in_each_mode
class TestEveryMode:
    def test_known_regions_stay(self, mode: Refinement) -> None:
        mask = bear().coarse_mask()
        alpha = alpha_of(bear().photo, mask, refinement=mode)
        trimap = make_trimap(to_levels(mask), Thresholds(240, 15), erode_px=15)
        assert (alpha[trimap == FOREGROUND] == 255).all()
        assert (alpha[trimap == BACKGROUND] == 0).all()

    def test_the_mask_is_the_cutouts_alpha(self, mode: Refinement) -> None:
        mask = bear().coarse_mask()
        cutout = required(run(bear().photo, mask, refinement=mode).result)
        assert np.array_equal(cutout[..., 3], alpha_of(bear().photo, mask, refinement=mode))

    def test_opaque_colours_are_the_pictures_and_clear_ones_are_zero(self, mode: Refinement) -> None:
        cutout = required(run(bear().photo, bear().coarse_mask(), refinement=mode).result)
        assert np.array_equal(cutout[cutout[..., 3] == 255, :3], bear().photo[cutout[..., 3] == 255])
        assert not cutout[cutout[..., 3] == 0].any()

    @pytest.mark.parametrize("thresholds", [(240, 15), (255, 0)])
    def test_without_known_foreground_no_haze_is_left(self, mode: Refinement, thresholds: tuple[int, int]) -> None:
        """A page of text, say: the network sees letters, and a haze between them, and is sure of nothing."""
        mask = (np.float32(0.2) + np.float32(0.7) * bear().coarse_mask()) * np.float32(0.95)
        foreground, background = thresholds
        limits = {"foreground_threshold": foreground, "background_threshold": background}
        alpha = alpha_of(bear().photo, mask, refinement=mode, **limits)
        assert (alpha[to_levels(mask) < 50] == 0).all()
        assert (alpha[to_levels(mask) > 205] == 255).all()
        assert np.count_nonzero((alpha > 5) & (alpha < 128)) < 0.03 * alpha.size

    def test_source_alpha_bounds_the_result(self, mode: Refinement) -> None:
        mask, source = bear().coarse_mask(), np.full(bear().alpha.shape, 128, np.uint8)
        plain = alpha_of(bear().photo, mask, refinement=mode)
        bounded = run(bear().photo, mask, source, refinement=mode, output=Output.MASK).result
        assert np.array_equal(required(bounded), np.minimum(plain, 128))


@pytest.mark.parametrize("mode", ["on", "auto", "raw"])
def test_a_cut_out_that_is_cut_out_again_loses_nothing(mode: str) -> None:
    source = to_levels(bear().alpha.astype(np.float32))
    seen = SourceImage(rgb=bear().foreground, alpha=source).over_backdrop()
    again = required(run(seen, to_unit(source), source, refinement=mode).result)[..., 3]
    lost = source.astype(int) - again
    assert lost.sum() <= 0.001 * source.sum()
    assert np.percentile(lost[(source > 0) & (source < 255)], 95) <= 16


@settings(max_examples=60, deadline=None)
@hypothesis.given(
    mask=arrays(np.float32, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.floats(0, 1, width=32)),
    limits=st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted),
    erode_px=st.integers(0, 40),
    mode=st.sampled_from(MODES),
)
def test_any_small_picture_is_done(mask: FloatMask, limits: list[int], erode_px: int, mode: Refinement) -> None:
    low, high = limits
    frame = run(
        noise(*mask.shape),
        mask,
        background_threshold=low,
        foreground_threshold=high,
        erode_px=erode_px,
        refinement=mode,
    )
    levels, alpha = required(frame.mask), required(frame.alpha)
    assert alpha.shape == mask.shape
    trimap = make_trimap(levels, Thresholds(high, low), erode_px)
    if levels.max() < max(low, min(128, high)):
        assert not alpha.any()
    else:
        assert (alpha[trimap == FOREGROUND] == 255).all()
        assert (alpha[trimap == BACKGROUND] == 0).all()


class TestErodeSize:
    def test_zero_leaves_sharp_parts_of_the_mask_alone(self) -> None:
        mask = (bear().alpha > 0.5).astype(np.float32)
        assert np.array_equal(alpha_of(bear().photo, mask, refinement=Refinement.ON, erode_px=0), to_levels(mask))

    def test_reaches_no_further_than_its_half(self) -> None:
        mask = (bear().alpha > 0.5).astype(np.float32)
        alpha = alpha_of(bear().photo, mask, refinement=Refinement.ON, erode_px=20)
        changed = (alpha != to_levels(mask)).astype(np.uint8)
        contour = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        reach = cv2.dilate(contour.astype(np.uint8), np.ones((21, 21), np.uint8))
        assert changed.any()
        assert not (changed & (1 - reach)).any()


class TestThresholds:
    @pytest.mark.parametrize("mode", [Refinement.ON, Refinement.OFF])
    def test_they_tighten_the_outline_and_harden_the_inner_edge(self, mode: Refinement) -> None:
        def alpha(**thresholds: int) -> ByteMask:
            mask = bear().coarse_mask()
            return alpha_of(bear().photo, mask, refinement=mode, erode_px=0, **thresholds)

        loose, tight = alpha(background_threshold=5), alpha(background_threshold=150)
        assert np.count_nonzero(tight) < np.count_nonzero(loose)
        soft, hard = alpha(foreground_threshold=250), alpha(foreground_threshold=100)
        assert np.count_nonzero(hard == 255) > np.count_nonzero(soft == 255)


class TestRefinement:
    def test_on_finds_alpha_and_colours_off_does_not(self) -> None:
        mask = bear().coarse_mask()
        on, off = (run(bear().photo, mask, refinement=mode) for mode in (Refinement.ON, Refinement.OFF))
        errors = [sad(required(frame.alpha) / 255, bear().alpha) for frame in (on, off)]
        assert errors[0] < 0.5 * errors[1]
        results = [required(frame.result) for frame in (on, off)]
        soft = (results[0][..., 3] > 0) & (results[1][..., 3] > 0)
        cleaned, plain = (result[..., :3][soft] for result in results)
        assert not np.array_equal(cleaned, bear().photo[soft])
        assert np.array_equal(plain, bear().photo[soft])


class TestBox:
    BOX = Box(left_px=200, top_px=150, right_px=500, bottom_px=420)

    @in_each_mode
    def test_outside_is_background_and_the_size_stays(self, mode: Refinement) -> None:
        cutout = required(run(bear().photo, np.ones((800, 800), np.float32), box=self.BOX, refinement=mode).result)
        assert cutout.shape == (800, 800, 4)
        inside = np.zeros((800, 800), bool)
        inside[150:420, 200:500] = True
        assert (cutout[inside, 3] == 255).all()
        assert not cutout[~inside].any()

    def test_source_alpha_keeps_its_place(self) -> None:
        source = np.tile(np.linspace(0, 255, 800).astype(np.uint8), (800, 1))
        result = run(
            bear().photo, np.ones((800, 800), np.float32), source, box=self.BOX, output=Output.MASK
        ).result
        assert np.array_equal(required(result)[150:420, 200:500], source[150:420, 200:500])


def test_check_runs_before_each_step_and_may_stop_the_work() -> None:
    calls: list[int] = []

    def third_time_stops() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise TimeoutError

    steps = steps_for(CutoutSpec(model="m"), given(np.ones((4, 4), np.float32)))
    with pytest.raises(TimeoutError):
        run_steps(steps, Frame(picture=noise(4, 4)), third_time_stops)
    assert len(calls) == 3


def test_a_step_out_of_order_says_so() -> None:
    last_first = steps_for(CutoutSpec(model="m"), given(np.ones((4, 4), np.float32)))[::-1]
    with pytest.raises(StepOutOfOrder):
        run_steps(last_first, Frame(picture=noise(4, 4)), go_on)


class TestMatte:
    """A network whose grey is transparency."""

    @pytest.mark.parametrize("mode", [Refinement.AUTO, Refinement.ON])
    @pytest.mark.parametrize("name", ["glass", "bear", "portrait"])
    def test_its_map_is_alpha(self, name: str, mode: Refinement) -> None:
        picture, truth = glass() if name == "glass" else (named(name).photo, named(name).alpha.astype(np.float32))
        alpha = alpha_of(picture, truth, refinement=mode, soft=Soft.ALPHA)
        assert np.array_equal(alpha, to_levels(truth))
        # What refines a doubtful map takes transparency for doubt.
        doubted = alpha_of(picture, truth, refinement=mode)
        assert sad(to_unit(doubted), truth) > 5 * sad(to_unit(alpha), truth)

    def test_its_colours_are_the_subjects_own(self) -> None:
        truth = bear().alpha.astype(np.float32)
        result = required(run(bear().photo, truth, soft=Soft.ALPHA).result)
        soft = (truth > 0.1) & (truth < 0.9)
        own, mixed = (
            np.abs(picture[soft][:, :3].astype(int) - bear().foreground[soft]).mean()
            for picture in (result, bear().photo)
        )
        assert own < mixed / 2

    def test_without_refinement_thresholds_cut_it(self) -> None:
        picture, truth = glass()
        low = alpha_of(picture, truth, refinement=Refinement.OFF, foreground_threshold=100, soft=Soft.ALPHA)
        assert low[120, 120] == 255
        assert np.array_equal(low, alpha_of(picture, truth, refinement=Refinement.OFF, foreground_threshold=100))


def stands_out(view: RgbImage) -> ByteMask:
    apart = np.abs(view.astype(int) - view[0, 0]).max(axis=2)
    return to_levels((apart / 32).astype(np.float32))


@pytest.mark.parametrize("level", [255, 235, 128, 20, 0])
def test_a_card_on_transparency_survives_whatever_its_brightness(level: int) -> None:
    rgb = np.full((400, 500, 3), 255, np.uint8)
    alpha = np.zeros((400, 500), np.uint8)
    rgb[100:300, 100:400] = level
    alpha[100:300, 100:400] = 255
    result = cut_out(SourceImage(rgb=rgb, alpha=alpha), CutoutSpec(model="given"), stands_out, go_on)
    assert result.subject_found
    assert result.pixels[..., 3].sum() >= 0.98 * alpha.sum()


@pytest.mark.parametrize(("left", "right"), [(0, 200), (0, 80), (40, 50), (120, 200)])
def test_a_region_of_interest_is_a_box(left: int, right: int) -> None:
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[20:80, 20:70] = rgb[30:60, 130:180] = 200
    source = SourceImage(rgb=rgb, alpha=None)
    region = RegionOfInterest.parse(f"{left}px 0px {right}px 100px")
    boxed = CutoutSpec(model="given", box=Box(left_px=left, top_px=0, right_px=right, bottom_px=100))
    composed = CutoutSpec(model="given", composition=Composition(region_of_interest=region))
    by_box, by_region = (cut_out(source, spec, stands_out, go_on).pixels for spec in (boxed, composed))
    assert np.array_equal(by_box, by_region)
    assert by_box[..., 3].any()


class TestSmallSubject:
    """A subject that takes little of the picture is worked on with its surroundings alone."""

    @staticmethod
    def beside(columns_px: int = 2000) -> tuple[RgbImage, FloatMask]:
        """The bear at the left of a wide picture."""
        photo, mask = bear().photo, bear().coarse_mask()
        width_px = mask.shape[1]
        wide = np.tile(photo[:, -1:], (1, columns_px + width_px, 1))
        wide[:, :width_px] = photo
        return wide, np.pad(mask, ((0, 0), (0, columns_px)))

    def test_its_cut_out_has_the_pictures_size_and_place(self) -> None:
        photo, mask = self.beside()
        result = required(run(photo, mask).result)
        assert result.shape == (*photo.shape[:2], 4)
        alone = required(run(bear().photo, bear().coarse_mask()).result)[..., 3]
        width_px = alone.shape[1]
        assert not result[:, width_px:].any()
        assert np.abs(result[:, :width_px, 3].astype(int) - alone).mean() < 2

    @pytest.mark.parametrize(("left_px", "expected"), [(0, [0, 255]), (2, [255]), (5, [0])])
    def test_a_box_is_cut_from_what_was_worked_on(self, left_px: int, expected: list[int]) -> None:
        frame = Frame(
            picture=np.zeros((4, 9, 3), np.uint8),
            box=Region(left_px, 0, left_px + 3, 4),
            region=Region(2, 0, 5, 4),
            alpha=np.full((4, 3), 255, np.uint8),
        )
        cut = restore_size(give_mask(cut_to_box(frame)))
        assert np.unique(required(cut.result)[:, left_px : left_px + 3]).tolist() == expected
        assert not np.delete(required(cut.result), np.s_[left_px : left_px + 3], axis=1).any()
