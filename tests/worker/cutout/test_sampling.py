"""Reading a small array at a large picture's pixels gives what enlarging it would."""

import numpy as np
import pytest

from cutgate.worker.cutout.raster import sampling
from cutgate.worker.cutout.raster.filters import enlarged
from cutgate.worker.cutout.raster.sampling import sampled, soft_pixels


@pytest.mark.parametrize("size", [(40, 57), (41, 200), (13, 17), (1, 90)])
@pytest.mark.parametrize("channels", [(), (6,)])
def test_sampled_is_the_enlarged_array(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    small = np.random.default_rng(0).random((min(13, size[0]), 17, *channels)).astype(np.float32)
    levels = np.random.default_rng(1).integers(0, 3, size, np.uint8)
    (pixels,) = soft_pixels(levels, 0, 2)
    assert np.allclose(sampled(small, pixels), enlarged(small, *size)[levels == 1], atol=1e-5)


def test_strips_cover_every_soft_pixel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "STRIP_PIXELS", 50)
    levels = np.random.default_rng(0).integers(0, 256, (31, 20), np.uint8)
    seen = np.zeros_like(levels)
    for pixels in soft_pixels(levels, 10, 250):
        seen[pixels.index] += 1
    assert np.array_equal(seen, (levels > 10) & (levels < 250))


def test_no_soft_pixel_gives_no_strip() -> None:
    assert not list(soft_pixels(np.full((9, 9), 255, np.uint8), 0, 255))
