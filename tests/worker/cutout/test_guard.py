"""Cut-outs that become worse are noticed here, on fixed pictures with recorded scores."""

from pathlib import Path
from typing import Final

import pytest

from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.pipeline import Frame, required, run_steps, steps_for
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures import scores
from tests.pictures.composites import named
from tests.worker.cutout.runs import go_on

RECORDED: Final = {"mug": (0.328, 0.611), "bear": (1.556, 1.378), "portrait": (0.400, 0.320)}
"""SAD in thousands of pixels and gradient error in thousands, of the whole pipeline with the default network: of a
hard edge, of fur, and of hair."""

SLACK: Final = 1.02


@pytest.fixture(scope="module")
def network(weights_dir: Path) -> Predict:
    settings = NetworkSettings(models_dir=weights_dir, engine=EngineName.ONNXRUNTIME)
    return load_segmenter(settings)


@pytest.mark.long
@pytest.mark.parametrize("name", RECORDED)
def test_cut_outs_are_as_near_to_the_truth_as_recorded(name: str, network: Predict) -> None:
    picture = named(name)
    frame = run_steps(steps_for(CutoutSpec(model="default"), network), Frame(picture=picture.photo), go_on)
    alpha = required(frame.result)[..., 3] / 255
    sad, gradient = RECORDED[name]
    assert scores.sad(alpha, picture.alpha) <= SLACK * sad
    assert scores.gradient_error(alpha, picture.alpha) <= SLACK * gradient
