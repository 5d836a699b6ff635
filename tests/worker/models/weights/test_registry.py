"""Rows of models: the built-in ones, those of networks for matting, and an operator's own."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.inventory import FileState, facts_of
from cutgate.worker.models.weights.model import NpmPackage, OutputKind
from cutgate.worker.models.weights.registry import MODELS, find_model, model_names
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import network, write_tiny_model

LITE = "birefnet-lite-matting"


def test_built_in_rows_are_whole(tmp_path: Path) -> None:
    for name in MODELS:
        model = find_model(name, tmp_path)
        assert model is not None, name
        assert model.name == name
        assert all(row.licence and row.origin for row in model.files), name
        # Nothing is fetched that cannot be checked.
        assert all(row.digest for row in model.files if row.source), name


def test_the_default_models_weights_are_told_from_all_others_by_a_digest_that_nobody_can_imitate() -> None:
    assert all((row.digest or "").startswith("sha256:") for row in MODELS["isnet-general-use"].files)


def test_the_sources_of_the_default_model_differ_in_normalisation() -> None:
    packed, released = MODELS["isnet-general-use"].files
    assert isinstance(packed.source, NpmPackage)
    for level in (0, 128, 255):
        assert (level / 255 - packed.mean[0]) / packed.std[0] == pytest.approx((level - 128) / 256)
        assert (level / 255 - released.mean[0]) / released.std[0] == pytest.approx(level / 255 - 0.5)


def test_an_operators_own_model(tmp_path: Path) -> None:
    write_tiny_model(tmp_path, "mine", mean=[0.1, 0.2, 0.3], output="logit", sha256="0" * 64)
    model = find_model("mine", tmp_path)
    assert model is not None
    (row,) = model.files
    assert (row.file_name, row.mean, row.output) == ("mine.onnx", (0.1, 0.2, 0.3), OutputKind.LOGIT)
    assert row.digest == "sha256:" + "0" * 64
    assert model_names(tmp_path) == (*MODELS, "mine")


def test_fast_leaves_files_without_ranges_out(tmp_path: Path) -> None:
    fast = find_model("isnet-general-use", tmp_path, Precision.FAST)
    assert fast is not None
    assert [row.file_name for row in fast.files] == ["isnet-general-use-fp16.onnx"]
    (tmp_path / "isnet-general-use.onnx").write_bytes(b"weights of another release")
    with pytest.raises(ModelUnavailable, match=r"isnet-general-use-fp16\.onnx: not there$"):
        find_weights(fast, tmp_path)


@pytest.mark.parametrize("name", ["u2net", "mine", "no-such-model"])
def test_models_without_ranges_have_no_fast(name: str, tmp_path: Path) -> None:
    write_tiny_model(tmp_path, "mine")
    with pytest.raises(ModelUnavailable, match=f"{name} has no table of activation ranges"):
        find_model(name, tmp_path, Precision.FAST)


MALFORMED: dict[str, dict[str, object]] = {
    "no size": {},
    "a size of zero": {"input_px": [0, 64]},
    "no whole multiples": {"input_px": [64, 72], "fit": "follow", "multiple_px": 32},
    "thresholds the wrong way round": {"input_px": [64, 64], "thresholds": [15, 240]},
    "a threshold at the end": {"input_px": [64, 64], "thresholds": [255, 15]},
    "alpha with thresholds": {"input_px": [64, 64], "soft": "alpha", "thresholds": [200, 60]},
    "alpha that is stretched": {"input_px": [64, 64], "soft": "alpha", "output": "range"},
    "a divisor of zero": {"input_px": [64, 64], "std": [1, 1, 0]},
    "an unknown output": {"input_px": [64, 64], "output": "depth"},
    "an unknown member": {"input_px": [64, 64], "means": [0, 0, 0]},
}


@pytest.mark.parametrize("facts", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_row_is_named(tmp_path: Path, facts: dict[str, object]) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=r"mine\.json does not describe a model"):
        find_model("mine", tmp_path)


@pytest.mark.parametrize("name", ["", "../mine", "a/b", ".hidden", "a" * 101, "a b"])
def test_a_name_cannot_leave_the_models_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelUnavailable, match="not a model's name"):
        find_model(name, tmp_path)


def test_other_names_are_left_to_rembg(tmp_path: Path) -> None:
    assert find_model("u2net_cloth_seg", tmp_path) is None


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
