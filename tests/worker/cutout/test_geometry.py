"""Regions, context and sizes of what the network sees."""

import numpy as np
import pytest

from cutgate.jobs.errors import BoxOutsidePicture
from cutgate.jobs.spec import Box
from cutgate.worker.cutout.mask.segment import segment
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.geometry import Region, fitted, region_of, with_context


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
