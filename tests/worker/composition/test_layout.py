"""Where things come to lie, in numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.jobs.composition import Composition, Margins, Position, RegionOfInterest, composition_of
from cutgate.jobs.errors import RegionEmpty, RegionOutsidePicture
from cutgate.jobs.spec import Box
from cutgate.worker.composition.layout import Layout, box_of, layout_of
from cutgate.worker.cutout.raster.geometry import Region

SIDES = st.integers(1, 5000)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[int, int, Region]:
    """Height, width and the subject's box."""
    height, width = draw(SIDES), draw(SIDES)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    return height, width, Region(left, top, right, bottom)


LENGTHS = st.sampled_from(["0", "3px", "40px", "900px", "2.5%", "50%", "300%"])
MARGINS = st.tuples(*[LENGTHS] * 4).map(lambda sides: Margins.parse(" ".join(sides)))
SHARES = st.floats(0, 1)
COMPOSITIONS = st.builds(
    Composition,
    max_pixels=st.none() | st.integers(1, 10**7),
    crop=st.none() | MARGINS,
    scale=st.none() | st.floats(0.01, 1),
    position=st.none() | st.just("original") | st.builds(Position, x=SHARES, y=SHARES),
)


def subject_on(layout: Layout, subject: Region) -> tuple[tuple[float, float], tuple[float, float]]:
    """The subject's limits on the canvas, in rows and in columns."""
    down, across = layout.down, layout.across
    return (down.at(subject.top_px), down.at(subject.bottom_px)), (
        across.at(subject.left_px),
        across.at(subject.right_px),
    )


@given(pictures(), COMPOSITIONS)
def test_the_subject_lies_on_a_canvas_of_limited_size(picture: tuple[int, int, Region], how: Composition) -> None:
    height, width, subject = picture
    layout = layout_of(height, width, subject, how, most_pixels=height * width)
    assert layout.across.canvas_px * layout.down.canvas_px <= min(how.max_pixels or math.inf, height * width)
    for axis, (low, high) in zip((layout.down, layout.across), subject_on(layout, subject), strict=True):
        assert axis.canvas_px >= 1
        assert low >= -0.01
        assert high <= axis.canvas_px + 0.01
        assert 0 <= axis.shown.start <= axis.shown.stop <= axis.canvas_px


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [((2000, 2000), 10**6, (1000, 1000)), ((3000, 4000), 250_000, (577, 433)), ((10**4, 1), 100, (1, 100))],
)
def test_the_proportions_stay(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert layout_of(*size, None, Composition(max_pixels=most)).size_px == expected


@given(pictures(), st.floats(0.01, 1))
def test_a_scaled_subject_fits_its_share_of_both_sides(picture: tuple[int, int, Region], scale: float) -> None:
    height, width, subject = picture
    layout = layout_of(height, width, subject, Composition(scale=scale))
    shares = []
    for axis, (low, high) in zip((layout.down, layout.across), subject_on(layout, subject), strict=True):
        assert high - low <= max(1, scale * axis.canvas_px + 0.51)
        assert abs(low - (axis.canvas_px - high)) <= 1.01  # in the middle
        shares.append(high - low - scale * axis.canvas_px)
    assert max(shares) >= -0.51  # and fills one of them


@given(pictures(), SHARES, SHARES, st.none() | st.floats(0.01, 1))
def test_a_position_is_a_share(picture: tuple[int, int, Region], x: float, y: float, scale: float | None) -> None:
    height, width, subject = picture
    layout = layout_of(height, width, subject, Composition(position=Position(x=x, y=y), scale=scale))
    shares = (layout.down, y), (layout.across, x)
    for (axis, share), (low, high) in zip(shares, subject_on(layout, subject), strict=True):
        assert low == pytest.approx(share * (axis.canvas_px - (high - low)), abs=0.51)
        if share in {0, 1}:
            assert (low if share == 0 else high) == pytest.approx(share * axis.canvas_px, abs=1e-6)


@given(pictures(), st.none() | st.integers(1, 10**7), st.none() | MARGINS, st.floats(0.01, 1))
def test_a_scaled_subject_keeps_its_place_as_far_as_there_is_room(
    picture: tuple[int, int, Region], most: int | None, crop: Margins | None, scale: float
) -> None:
    height, width, subject = picture
    # Unbounded at the end, so that both have one canvas.
    asked = {"max_pixels": most} if crop is None else {"crop": crop}
    before = layout_of(height, width, subject, Composition.model_validate(asked))
    after = layout_of(height, width, subject, Composition(position="original", scale=scale, **asked))
    assert after.size_px == before.size_px
    places = zip((after.down, after.across), subject_on(before, subject), subject_on(after, subject), strict=True)
    for axis, (old_low, old_high), (low, high) in places:
        off = (low + high) / 2 - (old_low + old_high) / 2
        if abs(off) > 0.51:  # there was no room on the side that it came from
            assert (low if off > 0 else high) == pytest.approx(0 if off > 0 else axis.canvas_px, abs=1e-6)


def test_the_original_place_without_a_scale_changes_nothing() -> None:
    assert layout_of(30, 40, Region(3, 5, 30, 20), Composition(position="original")).changes_nothing


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        ("0", (20, 10)),
        ("5px", (30, 20)),
        ("10% 0", (20, 12)),
        ("0 10px 50% 5%", (31, 15)),
        ("90%", (40, 20)),
        ("600px", (1020, 1010)),
    ],
)
def test_margins_count_up_to_half_of_the_subject_or_500_pixels(margin: str, expected: tuple[int, int]) -> None:
    how = composition_of(crop_margin=margin)
    assert how is not None
    assert layout_of(100, 200, Region(40, 30, 60, 40), how).size_px == expected


def test_margins_make_no_picture_larger_than_is_accepted() -> None:
    how = composition_of(crop_margin="50%")
    assert how is not None
    everything = Region(0, 0, 1000, 1000)
    assert layout_of(1000, 1000, everything, how).size_px == (2000, 2000)
    assert layout_of(1000, 1000, everything, how, most_pixels=10**6).size_px == (1000, 1000)


def test_without_a_subject_only_the_size_counts() -> None:
    how = composition_of(crop_margin=0, scale=0.5, position="0", megapixels=1)
    assert how is not None
    assert layout_of(30, 40, None, how).changes_nothing


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("0 0 100% 100%", None),
        ("0 0 200px 100px", None),
        ("10% 10px 50% 90px", (20, 10, 100, 90)),
        ("1px 1px 2px 2px", (1, 1, 2, 2)),
    ],
)
def test_a_region_becomes_a_box(text: str, box: tuple[int, int, int, int] | None) -> None:
    expected = None if box is None else Box(**dict(zip(Box.model_fields, box, strict=True)))
    assert box_of(RegionOfInterest.parse(text), 100, 200) == expected


@pytest.mark.parametrize("text", ["0 0 201px 100px", "0 0 100% 101%", "300px 0 400px 50px"])
def test_a_region_beyond_the_picture_is_refused(text: str) -> None:
    with pytest.raises(RegionOutsidePicture, match="200 x 100 pixels"):
        box_of(RegionOfInterest.parse(text), 100, 200)


@pytest.mark.parametrize("text", ["150px 0 50% 100%", "0 0 0.1% 100%", "100% 0 200px 50px"])
def test_a_region_without_a_pixel_is_refused(text: str) -> None:
    with pytest.raises(RegionEmpty):
        box_of(RegionOfInterest.parse(text), 100, 200)
