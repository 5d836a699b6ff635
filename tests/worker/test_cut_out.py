"""From a decoded picture to its cut-out, where the network is one that sees what stands out from the corner."""

import numpy as np
import pytest

from cutgate.jobs.composition import Composition, RegionOfInterest
from cutgate.jobs.spec import Box, CutoutSpec
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
