"""The whole pipeline on a picture whose mask is given in the network's place."""

from functools import cache
from typing import Any

from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.cutout.mask.segment import Predict, Soft
from cutgate.worker.cutout.pipeline import Frame, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, to_levels
from tests.pictures.composites import Composite, named


def go_on() -> None:
    """The check of a caller that never stops the work."""


def given(mask: FloatMask) -> Predict:
    return lambda view: to_levels(enlarged(mask, view.shape[0], view.shape[1]))


def run(
    picture: RgbImage,
    mask: FloatMask,
    source_alpha: ByteMask | None = None,
    soft: Soft = Soft.DOUBT,
    **parameters: Any,
) -> Frame:
    spec = CutoutSpec(model="given", **parameters)
    steps = steps_for(spec, given(mask), soft)
    return run_steps(steps, Frame(picture=picture, source_alpha=source_alpha), go_on)


def alpha_of(picture: RgbImage, mask: FloatMask, **parameters: Any) -> ByteMask:
    result = run(picture, mask, output=Output.MASK, **parameters).result
    assert result is not None
    return result


@cache
def bear() -> Composite:
    return named("bear")
