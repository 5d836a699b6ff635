"""From a decoded picture to its cut-out, where the network is one that sees what stands out from the corner."""

import numpy as np
import pytest

from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.cutout.raster.filters import to_levels
from cutgate.worker.pictures.images import SourceImage
from tests.worker.cutout.runs import go_on


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
