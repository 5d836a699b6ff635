"""Pictures made smaller, and small arrays read at a large picture's pixels."""

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.raster import sampling
from cutgate.worker.cutout.raster.filters import enlarged, shrunk
from cutgate.worker.cutout.raster.sampling import sampled, soft_pixels


@pytest.mark.parametrize("size", [(40, 57), (41, 200), (13, 17), (1, 90)])
@pytest.mark.parametrize("channels", [(), (6,)])
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
    apart = np.abs(shrunk(large, *size) - at_once)
    assert apart.max() <= 12
    assert apart.mean() < 1


def test_strips_cover_every_soft_pixel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "STRIP_PIXELS", 50)
    levels = np.random.default_rng(0).integers(0, 256, (31, 20), np.uint8)
    seen = np.zeros_like(levels)
    for pixels in soft_pixels(levels, 10, 250):
        seen[pixels.index] += 1
    assert np.array_equal(seen, (levels > 10) & (levels < 250))


def test_no_soft_pixel_gives_no_strip() -> None:
    assert not list(soft_pixels(np.full((9, 9), 255, np.uint8), 0, 255))
