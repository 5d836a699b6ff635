"""What becomes of pixels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutgate.jobs.composition import Composition, composition_of
from cutgate.worker.composition.backdrop import subject_box
from cutgate.worker.composition.compose import Facts, arrange_on_canvas
from cutgate.worker.cutout.matting.inside import opaque_inside
from cutgate.worker.cutout.raster.arrays import Levels, RgbaImage
from tests.worker.composition.drawn import HEIGHT_PX, WIDTH_PX, drawn, premultiplied

BOX = subject_box(drawn()[..., 3])
DEPTHS = pytest.mark.parametrize("step", [1, 257], ids=["8 bits", "16 bits"])
EVERY: list[dict[str, Any]] = [
    {"megapixels": 0.005},
    {"crop_margin": "20%"},
    {"scale": "90%"},
    {"scale": "30%", "position": "0 100%"},
    {"position": "100%"},
    {"crop_margin": 7, "megapixels": 0.004, "scale": 1},
]
RESIZED: list[dict[str, Any]] = [
    {"megapixels": 0.003},
    {"scale": 1},
    {"scale": 0.37},
    {"crop_margin": 9, "scale": 0.7},
]


def made(pixels: Levels, **options: Any) -> Levels:
    return arrange_on_canvas(pixels, composition_of(**options) or Composition())[0]


def known(pixels: Levels, **options: Any) -> Facts:
    return arrange_on_canvas(pixels, composition_of(**options) or Composition())[1]


def apart(first: Levels, second: Levels) -> int:
    """The most levels by which two cut-outs of 8 bits differ where they are seen."""
    one, other = (premultiplied(pixels.astype(np.uint8)).astype(int) for pixels in (first, second))
    return int(np.abs(one - other).max())


def deep(pixels: RgbaImage, step: int) -> Levels:
    return pixels if step == 1 else pixels.astype(np.uint16) * np.uint16(step)


def test_nothing_asked_is_the_picture_itself() -> None:
    pixels = drawn()
    result, facts = arrange_on_canvas(pixels, Composition())
    assert result is pixels
    assert facts == Facts(full_size_px=(WIDTH_PX, HEIGHT_PX), foreground=BOX)


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_16_bits_are_8_bits_and_finer(options: dict[str, Any]) -> None:
    narrow, wide = (made(deep(drawn(), step), **options) for step in (1, 257))
    assert (str(narrow.dtype), str(wide.dtype)) == ("uint8", "uint16")
    assert apart(np.rint(wide / 257).astype(np.uint8), narrow) <= 1


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_a_mask_is_the_alpha_of_the_cut_out(options: dict[str, Any]) -> None:
    pixels = drawn()
    np.testing.assert_array_equal(made(pixels[..., 3], **options), made(pixels, **options)[..., 3])
    assert known(pixels[..., 3], **options) == known(pixels, **options)


def test_a_mask_has_no_shadow() -> None:
    mask = np.ascontiguousarray(drawn()[..., 3])
    assert made(mask, shadow=True) is mask


@DEPTHS
def test_what_only_moves_keeps_its_levels(step: int) -> None:
    pixels = deep(drawn(), step)
    moved = made(pixels, position="0 0")
    assert BOX is not None
    np.testing.assert_array_equal(moved[: BOX.height_px, : BOX.width_px], pixels[BOX.index])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_asked_gives_a_picture_that_is_no_larger_than_may_be(data: st.DataObject) -> None:
    sides = st.integers(1, 40)
    height, width, step = data.draw(sides), data.draw(sides), data.draw(st.sampled_from([1, 257]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pixels = rng.integers(0, 256, (height, width, 4), np.uint8) * (rng.random((height, width, 1)) < 0.1)
    shares, lengths = st.floats(0, 1), st.sampled_from(["0", "3px", "9999px", "2.5%", "400%"])
    asked: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "megapixels": st.floats(1e-6, 1e-2),
                "crop_margin": st.lists(lengths, min_size=4, max_size=4).map(" ".join),
                "scale": st.floats(0.01, 1),
                "position": st.tuples(shares, shares),
                "shadow": shares,
            },
        )
    )
    most = data.draw(st.integers(1, 3000))
    how = composition_of(**asked) or Composition()
    result, facts = arrange_on_canvas(deep(pixels.astype(np.uint8), step), how, max(most, height * width))
    assert result.shape[0] * result.shape[1] <= min(how.max_pixels or np.inf, max(most, height * width))
    assert (facts.foreground is None) == (subject_box(pixels[..., 3].astype(np.uint8)) is None)
    # Whole pixels of each side make the one or the other a little larger.
    full_width, full_height = facts.full_size_px
    assert (full_width + 1) * (full_height + 1) >= result.shape[0] * result.shape[1]


def test_no_rim_appears_beside_an_edge() -> None:
    """The subject's one colour stays its colour, at whatever alpha, and alpha never rings."""
    pixels = np.zeros((90, 120, 4), np.uint8)
    pixels[20:70, 30:91] = (240, 130, 20, 255)
    for options in RESIZED:
        result = made(pixels, **options)
        seen = result[..., 3] > 8
        assert np.abs(result[seen][:, :3].astype(int) - (240, 130, 20)).max() <= 1, options
        middle = result[result.shape[0] // 2, :, 3].astype(int)
        peak = int(middle.argmax())
        assert (np.diff(middle[: peak + 1]) >= 0).all()
        assert not result[result[..., 3] == 0].any()


def test_tiles_are_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [made(drawn(), **options) for options in EVERY]
    monkeypatch.setattr("cutgate.worker.composition.resampling.TILE_PX", 7)
    for expected, options in zip(whole, EVERY, strict=True):
        assert apart(made(drawn(), **options), expected) <= 1


class TestShadow:
    @DEPTHS
    def test_it_is_never_over_the_subject(self, step: int) -> None:
        pixels = deep(drawn(), step)
        shaded = made(pixels, shadow=1)
        opaque = pixels[..., 3] == np.iinfo(pixels.dtype).max
        np.testing.assert_array_equal(shaded[opaque], pixels[opaque])
        assert (shaded[..., 3] >= pixels[..., 3]).all()

    def test_without_a_subject_there_is_none(self) -> None:
        nothing = np.zeros((9, 9, 4), np.uint8)
        options: dict[str, Any] = {"shadow": True, "crop_margin": 0, "scale": 1}
        assert not made(nothing, **options).any()
        assert known(nothing, **options).foreground is None


class TestOpaqueInside:
    def test_a_hole_stays_a_hole(self) -> None:
        alpha = np.full((400, 400), 255, np.uint8)
        alpha[190:210, 190:210] = 0
        alpha[188:190, 190:210] = 120
        np.testing.assert_array_equal(opaque_inside(alpha), alpha)
