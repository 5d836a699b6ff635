"""The rows of networks for matting: what goes in, and whose word counts where the operator brings the file."""

import numpy as np
import onnx
import pytest

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.inventory import FileState, facts_of
from cutgate.worker.models.weights.model import OutputKind
from cutgate.worker.models.weights.registry import MODELS, find_model
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import network, write_tiny_model

LITE = "birefnet-lite-matting"


def test_the_maps_of_matting_networks_are_taken_as_they_are() -> None:
    rows = [row for name, model in MODELS.items() if "matting" in name for row in model.files]
    assert len(rows) == 2
    for row in rows:
        assert (row.soft, row.thresholds, row.output) == (Soft.ALPHA, None, OutputKind.LOGIT)
        assert row.trained_on


def test_the_operators_word_counts_for_a_file_that_the_operator_brings(tiny_settings: NetworkSettings) -> None:
    folder = tiny_settings.models_dir
    built_in = find_model(LITE, folder)
    assert built_in is MODELS[LITE]
    with pytest.raises(ModelUnavailable, match=f"Copy {LITE}.onnx from another machine"):
        load_segmenter(tiny_settings.model_copy(update={"model": LITE}))

    write_tiny_model(folder, LITE, soft="alpha", sha256="0" * 64)
    own = find_model(LITE, folder)
    assert own is not None
    assert own.files[0].digest == f"sha256:{'0' * 64}"
    facts = facts_of(own, folder)
    assert (facts.runs_through, facts.state) == ("models folder", FileState.DAMAGED)

    write_tiny_model(folder, "u2netp")
    assert find_model("u2netp", folder) is MODELS["u2netp"]  # its file has a source, and a digest


def test_a_file_that_the_operator_brings_runs_by_the_built_in_row(tiny_settings: NetworkSettings) -> None:
    export = network(
        """
        lite (float[1, 3, 1024, 1024] input_image) => (float[1, 1, 1024, 1024] output_image)
        <float[1, 3, 1, 1] weight = {1.0, 1.0, 1.0}> {
            output_image = Conv (input_image, weight)
        }
        """
    )
    onnx.save(export, tiny_settings.models_dir / f"{LITE}.onnx")
    segmenter = load_segmenter(tiny_settings.model_copy(update={"model": LITE}))
    assert segmenter.soft is Soft.ALPHA
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of the author's code
    for level in (0, 100, 255):
        odds = ((level / 255 - mean) / std).sum()
        expected = 255 / (1 + np.exp(-odds))
        assert segmenter(np.full((20, 30, 3), level, np.uint8)) == pytest.approx(expected, abs=0.51)
