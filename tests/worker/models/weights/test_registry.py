"""Rows of models: the built-in ones, rembg's as its own sessions have them, and an operator's own."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import RgbImage
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.onnxruntime_engine import OnnxRuntimeEngine
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import Weights, find_weights
from cutgate.worker.models.weights.inventory import FileState, facts_of
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.models.weights.matting_rows import MATTING_MODELS
from cutgate.worker.models.weights.model import Model, OutputKind, WeightsFile
from cutgate.worker.models.weights.registry import MODELS, find_model, model_names
from cutgate.worker.models.weights.rembg_rows import REMBG_MODELS
from cutgate.worker.settings import Device, NetworkSettings
from tests.pictures.tiny_network import network, tiny_network, write_tiny_model

LITE = "birefnet-lite-matting"


def test_built_in_rows_are_whole(tmp_path: Path) -> None:
    for name in MODELS:
        model = find_model(name, tmp_path)
        assert model is not None, name
        assert model.name == name
        assert all(row.licence and row.origin for row in model.files), name
        # Nothing is fetched that cannot be checked.
        assert all(row.digest for row in model.files if row.source), name


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
    rows = {row.file_name: row for model in MATTING_MODELS for row in model.files}
    outputs = {name: row.output for name, row in rows.items() if row.soft is Soft.ALPHA}
    assert {name: kind for name, kind in outputs.items() if kind is not OutputKind.LOGIT} == {
        "withoutbg-4.onnx": OutputKind.PROBABILITY,
        "withoutbg-10.onnx": OutputKind.PROBABILITY,
    }
    assert rows.keys() - outputs.keys() == {"ben2-base.onnx"}
    assert all(row.trained_on and row.thresholds is None for row in rows.values())


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


ROWS = {model.name: model.files[-1] for model in (ISNET, *REMBG_MODELS)}
"""Each model with the file that rembg releases."""
GAINS = (9.0, -4.0, 5.0)
"""Of the three channels, all different, so that a wrong mean or divisor shows."""
PATCH_PX = 32


def stand_in(row: WeightsFile) -> Any:
    """A network with the row's input, whose output is as the row says."""
    size, ends_in_odds = ", ".join(map(str, row.input_px)), row.output is OutputKind.LOGIT
    return network(
        f"""
        stand_in (float[1, 3, {size}] input) => (float[1, 1, {size}] map)
        <float[1, 3, 1, 1] weight = {{{", ".join(map(str, GAINS))}}}> {{
            {"map" if ends_in_odds else "odds"} = Conv (input, weight)
            {"" if ends_in_odds else "map = Sigmoid (odds)"}
        }}
        """
    )


def picture(row: WeightsFile) -> RgbImage:
    """Many hues, and grey from black to white, in the network's own size, so that no resizing differs.

    They come in patches: a map of single pixels counts as noise.
    """
    height_px, width_px = row.input_px
    patches = np.random.default_rng(3).integers(0, 256, (height_px // PATCH_PX, width_px // PATCH_PX, 3), np.uint8)
    image = patches.repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)
    image[0, 0], image[0, 1] = 0, 255
    return image


@pytest.mark.long
@pytest.mark.parametrize("name", ROWS)
def test_a_row_does_what_rembgs_session_does(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rembg  # which takes seconds

    row = ROWS[name]
    path = tmp_path / "models" / name / row.file_name
    path.parent.mkdir(parents=True)
    onnx.save(stand_in(row), path)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    image = picture(row)
    expected = np.asarray(rembg.new_session(name).predict(Image.fromarray(image))[0])
    graph = prepared_graph(Weights(path=path, row=row, sha256="f" * 64), tmp_path, GraphVariant.SINGLE)
    mask = NetworkRun(OnnxRuntimeEngine(graph, threads=1, device=Device.CPU), row)(image)
    assert expected.std() > 30
    # rembg cuts fractions off where they are rounded here.
    assert np.abs(mask.astype(int) - expected).max() <= 1


def test_a_file_that_rembg_has_fetched_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "rembg"))
    old, new = tmp_path / "rembg/u2netp.onnx", tmp_path / "rembg/models/u2netp/u2netp.onnx"
    row = ROWS["u2netp"]
    new.parent.mkdir(parents=True)
    for path in (old, new):
        onnx.save(tiny_network(), path)
        checked = Model(name="u2netp", files=(replace_digest(row, path),))
        assert find_weights(checked, tmp_path / "models").path == path


def replace_digest(row: WeightsFile, path: Path) -> WeightsFile:
    return dataclasses.replace(row, digest=f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
