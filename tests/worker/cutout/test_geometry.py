"""Regions and sizes of what the network sees; pictures made smaller, arrays read at their pixels."""

from typing import Literal

import cv2
import numpy as np
import pytest

from cutgate.jobs.errors import BoxOutsidePicture
from cutgate.jobs.spec import Box
from cutgate.worker.cutout.mask.segment import segment
from cutgate.worker.cutout.raster import sampling
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, shrink, shrink_fast, to_unit
from cutgate.worker.cutout.raster.geometry import Region, fitted, region_of, with_context
from cutgate.worker.cutout.raster.sampling import fill_band, reached, sampled, soft_pixels


def test_the_region_is_the_picture_or_the_box_as_far_as_it_lies_in_it() -> None:
    assert region_of(None, 30, 40) == Region(0, 0, 40, 30)
    assert region_of(Box(left_px=10, top_px=5, right_px=400, bottom_px=300), 30, 40) == Region(10, 5, 40, 30)


@pytest.mark.parametrize("corner", [(40, 0), (0, 30), (99, 99)])
def test_a_box_beside_the_picture_is_refused(corner: tuple[int, int]) -> None:
    left, top = corner
    with pytest.raises(BoxOutsidePicture) as caught:
        region_of(Box(left_px=left, top_px=top, right_px=left + 5, bottom_px=top + 5), 30, 40)
    assert caught.value.details == {"width": 40, "height": 30}


def test_context_is_a_tenth_of_each_side_and_at_least_16_px_within_the_picture() -> None:
    assert with_context(Region(300, 200, 600, 250), 1000, 1000) == Region(270, 184, 630, 266)
    assert with_context(Region(5, 5, 90, 90), 100, 95) == Region(0, 0, 95, 100)


@pytest.mark.parametrize(
    ("size", "long_side_px", "expected"),
    [
        ((300, 400), 200, (150, 200)),
        ((300, 400), 800, (300, 400)),
        ((4, 5000), 800, (1, 800)),
        ((1, 1), 800, (1, 1)),
    ],
)
def test_fitted_never_enlarges(size: tuple[int, int], long_side_px: int, expected: tuple[int, int]) -> None:
    assert fitted(*size, long_side_px) == expected


def test_the_network_sees_the_context_and_the_mask_is_the_region() -> None:
    picture = np.arange(100 * 100 * 3, dtype=np.uint32).reshape(100, 100, 3).astype(np.uint8)
    seen: list[RgbImage] = []

    def red(view: RgbImage) -> ByteMask:
        seen.append(view)
        return view[..., 0]

    mask = segment(red, picture, Region(30, 40, 60, 50))
    assert np.array_equal(seen[0], picture[24:66, 14:76])
    assert np.array_equal(mask, picture[40:50, 30:60, 0])


def test_a_mask_of_another_size_is_refused() -> None:
    def half(view: RgbImage) -> ByteMask:
        return np.zeros((view.shape[0] // 2, view.shape[1]), np.uint8)

    with pytest.raises(ValueError, match="mask is"):
        segment(half, np.zeros((10, 10, 3), np.uint8), Region(0, 0, 10, 10))


@pytest.mark.parametrize("size", [(40, 57), (41, 200), (13, 17), (1, 90)])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_sampled_is_the_enlarged_array(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    small = np.random.default_rng(0).random((min(13, size[0]), 17, *channels)).astype(np.float32)
    levels = np.random.default_rng(1).integers(0, 3, size, np.uint8)
    (pixels,) = soft_pixels(levels, 0, 2)
    assert np.allclose(sampled(small, pixels), enlarged(small, *size)[levels == 1], atol=1e-5)


@pytest.mark.parametrize("size", [(300, 400), (1024, 1024), (750, 1000), (31, 40)])
def test_a_picture_that_is_halved_first_is_the_same_picture(size: tuple[int, int]) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    large = cv2.resize(coarse, (4000, 3000), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    at_once = cv2.resize(large, size[::-1], interpolation=cv2.INTER_AREA).astype(int)
    apart = np.abs(shrink(large, *size) - at_once)
    assert apart.max() <= 12
    assert apart.mean() < 1


def test_a_large_picture_of_odd_sides_is_halved_as_well() -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    large = np.asarray(enlarged(coarse, 2999, 4001))
    halves = cv2.resize(large[:2998, :4000], (2000, 1499), interpolation=cv2.INTER_AREA)
    assert np.array_equal(shrink(large, 750, 1000), cv2.resize(halves, (1000, 750), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("size", [(803, 1200), (720, 960), (1024, 1024)])
def test_four_pixels_read_between_the_pictures_say_almost_what_all_do(size: tuple[int, int]) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    large = np.asarray(enlarged(coarse, 1417, 2117))
    apart = np.abs(shrink_fast(large, *size).astype(int) - shrink(large, *size))
    assert shrink_fast(large, *size).shape == (*size, 3)
    assert apart.mean() < 0.5
    assert apart.max() <= 8


@pytest.mark.parametrize("size", [(40, 57), (41, 200), (7, 9), (1, 90)])
def test_reached_holds_every_pixel_that_is_not_0_when_enlarged(size: tuple[int, int]) -> None:
    small = np.zeros((min(7, size[0]), 9), np.float32)
    small[0, 4] = small[-1, 8] = 1e-3
    zone = reached(small, *size)
    assert not enlarged(small, *size)[zone == 0].any()
    assert zone.mean() < 0.9
    assert not reached(np.zeros_like(small), *size).any()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_band_is_filled_in_a_copy_whatever_lies_beside_the_array(order: Literal["C", "F"]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8).copy(order)[5:25, 10:40]
    band = np.zeros((20, 30), np.uint8)
    band[3, 4] = 128
    filled = fill_band(levels, band, lambda soft: to_unit(255 - soft.of(levels)))
    assert np.array_equal(filled[3, 4], 255 - levels[3, 4])
    assert np.array_equal(filled[band == 0], levels[band == 0])


def test_strips_cover_every_soft_pixel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "STRIP_PIXELS", 50)
    levels = np.random.default_rng(0).integers(0, 256, (31, 20), np.uint8)
    seen = np.zeros_like(levels)
    for pixels in soft_pixels(levels, 10, 250):
        seen[pixels.strip].reshape(-1)[pixels.places] += 1
    assert np.array_equal(seen, (levels > 10) & (levels < 250))


def test_no_soft_pixel_gives_no_strip() -> None:
    assert not list(soft_pixels(np.full((9, 9), 255, np.uint8), 0, 255))
