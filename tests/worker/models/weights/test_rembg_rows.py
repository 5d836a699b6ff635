"""rembg's own sessions are the reference for what its models get and give."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from cutgate.worker.cutout.raster.arrays import Floats, RgbImage
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.onnxruntime_engine import OnnxRuntimeEngine
from cutgate.worker.models.engines.processing import Processing
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import Weights, find_weights
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.models.weights.model import Model, OutputKind, WeightsFile
from cutgate.worker.models.weights.registry import MODELS
from cutgate.worker.models.weights.rembg_rows import REMBG_MODELS
from cutgate.worker.settings import Device, NetworkSettings
from tests.pictures.tiny_network import network, tiny_network

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


@pytest.mark.parametrize("name", ROWS)
def test_noise_is_not_stretched_to_a_mask(name: str) -> None:
    row = ROWS[name]
    noise: Floats = np.random.default_rng(4).random(row.input_px, np.float32) * 0.1
    if row.output is OutputKind.LOGIT:
        noise = noise - 4
    mask = Processing(row, np.dtype(np.float32)).mask(noise, 40, 30)
    assert mask.shape == (40, 30)
    assert mask.max() <= 26


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


def test_the_rows_are_in_the_registry() -> None:
    assert {*ROWS} <= {*MODELS}
    assert NetworkSettings().model in MODELS
