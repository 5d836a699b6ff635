"""A small network of every kind of operator that IS-Net has, in floats and in 8-bit integers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.plans import ENGINES, Plan, open_engine
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.graphs.prepare import prepare
from cutgate.worker.models.graphs.quantize import quantize
from cutgate.worker.models.graphs.ranges import RangeTable, read_table
from cutgate.worker.models.weights.files import Weights
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.models.weights.registry import MODELS
from cutgate.worker.settings import Device, EngineName, NetworkSettings
from tests.pictures.tiny_network import network as written_network

SIDE_PX = 32
CHANNELS = 8


CONVOLUTIONS = {"stem": (3, CHANNELS), "down": (CHANNELS, CHANNELS), "deep": (CHANNELS, CHANNELS)}
CONVOLUTIONS["side"] = (2 * CHANNELS, 1)
"""Each with how many channels it takes and gives."""


def network() -> Any:
    """Down and up again with a skip, an addition, a convolution without a Relu, and a sigmoid at the end."""
    half = SIDE_PX // 2
    pads = "pads = [1, 1, 1, 1]"
    model = written_network(
        f"""
        small (float[1, 3, {SIDE_PX}, {SIDE_PX}] input) => (float[1, 1, {half}, {half}] map)
        <int64[1] from = {{0}}, int64[1] to = {{2}}, int64[2] half = {{{half}, {half}}}> {{
            stem = Conv <{pads}, strides = [2, 2]> (input, stem_weight, stem_bias)
            pooled = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (stem)
            down = Conv <{pads}> (pooled, down_weight, down_bias)
            relu_down = Relu (down)
            deep = Conv <{pads}, dilations = [1, 1]> (relu_down, deep_weight, deep_bias)
            relu_deep = Relu (deep)
            sum = Add (relu_down, relu_deep)
            shape = Shape (sum)
            batch_and_channels = Slice (shape, from, to)
            size = Concat <axis = 0> (batch_and_channels, half)
            grown = Resize <mode = "linear"> (sum, "", "", size)
            relu_stem = Relu (stem)
            joined = Concat <axis = 1> (grown, relu_stem)
            side = Conv <{pads}> (joined, side_weight, side_bias)
            map = Sigmoid (side)
        }}
        """,
        opset=15,
    )
    for node in model.graph.node:
        node.name = f"/{node.output[0]}"
    for name, (inputs, outputs) in CONVOLUTIONS.items():
        rng = np.random.default_rng(sum(name.encode()))
        weight = rng.normal(0, 1 / np.sqrt(9 * inputs), (outputs, inputs, 3, 3)).astype(np.float32)
        if outputs > 1:
            weight[0] *= 4  # a channel unlike the others: one scale for all would lose them
        bias = rng.normal(0, 0.1, outputs).astype(np.float32)
        for part, values in (("weight", weight), ("bias", bias)):
            model.graph.initializer.append(numpy_helper.from_array(values, f"{name}_{part}"))
    return model


def picture(seed: int) -> Floats:
    return np.random.default_rng(seed).random((1, 3, SIDE_PX, SIDE_PX), np.float32) - 0.5


def measured_table(float_prefixes: tuple[str, ...] = ()) -> RangeTable:
    """The extremes of every activation on some pictures."""
    model = network()
    names = [node.output[0] for node in model.graph.node if node.output[0] not in {"shape", "size"}]
    for name in names:
        if name not in {"map", "batch_and_channels"}:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    evaluator = ReferenceEvaluator(model)
    labels = [value.name for value in model.graph.output]
    runs = [dict(zip(labels, evaluator.run(None, {"input": picture(seed)}), strict=True)) for seed in range(6)]
    tops = {
        f"/{name}": max(float(run[tensor].max()) for run in runs)
        for name, tensor in {"down": "relu_down", "deep": "relu_deep", "sum": "sum"}.items()
    }
    spans = {
        f"/{name}": (min(float(run[name].min()) for run in runs), max(float(run[name].max()) for run in runs))
        for name in ("stem", "side")
    }
    facts = {
        "about": "made by a test",
        "weights_sha256": "f" * 64,
        "float": float_prefixes,
        "spans": {"input": (-0.5, 0.5), **spans},
        "tops": tops,
    }
    return RangeTable.model_validate_json(json.dumps(facts))


def quantized(table: RangeTable | None = None, weight_bits: int = 8) -> Any:
    return quantize(prepare(network(), widen=True), table or measured_table(), weight_bits=weight_bits)


def run(model: Any, engine: EngineName, dtype: str, fed: Floats, tmp_path: Path) -> Floats:
    path = tmp_path / f"{dtype}.onnx"
    onnx.save(model, path)
    variant = GraphVariant.INT8 if dtype == "int8" else GraphVariant.SINGLE
    plan = Plan(engine=engine, device=Device.CPU, variant=variant, dtype=dtype, floats="fp32", threads=1)
    return open_engine(path, plan).run(fed)


@pytest.mark.parametrize("float_prefixes", [(), ("/deep",), ("/side", "/grown")], ids=str)
@pytest.mark.parametrize("weight_bits", [8, 7])
@pytest.mark.parametrize("engine", sorted(name for name, row in ENGINES.items() if Device.CPU in row.devices))
def test_integers_give_nearly_the_same_map(
    engine: EngineName, weight_bits: int, float_prefixes: tuple[str, ...], tmp_path: Path
) -> None:
    ready = prepare(network(), widen=True)
    small = quantize(ready, measured_table(float_prefixes), weight_bits=weight_bits)
    onnx.checker.check_model(small, full_check=True)
    fed = picture(9)
    wanted = run(ready, engine, "fp32", fed, tmp_path)
    error = np.abs(run(small, engine, "int8", fed, tmp_path) - wanted)
    assert 0 < error.mean() < 0.07 * wanted.std()  # 0.05 is what 256 steps cost this network


def test_what_stays_float_and_what_does_not() -> None:
    small = quantized(measured_table(("/deep",)))
    made = {node.output[0]: node for node in small.graph.node}
    assert "stem_weight" not in {tensor.name for tensor in small.graph.initializer}
    weights = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    assert weights["stem_w_q"] == TensorProto.INT8
    assert weights["stem_b_q"] == TensorProto.INT32
    assert weights["deep_w"] == TensorProto.FLOAT
    assert "relu_down" in made  # written by its convolution: a Relu costs nothing
    assert made["relu_down"].op_type == "Conv"
    assert made["relu_deep"].op_type == "Relu"
    assert {"Shape", "Slice"}.isdisjoint(node.op_type for node in small.graph.node)


def test_a_relu_stays_where_its_convolutions_range_has_both_signs(tmp_path: Path) -> None:
    table = measured_table()
    both = table.model_copy(update={"spans": table.spans | {"/deep": (-2.0, table.tops["/deep"])}})
    ready, fed = prepare(network(), widen=True), picture(9)
    small = quantize(ready, both, weight_bits=8)
    assert "Relu" in {node.op_type for node in small.graph.node if node.output[0] == "relu_deep"}
    wanted = run(ready, EngineName.ONNXRUNTIME, "fp32", fed, tmp_path)
    error = np.abs(run(small, EngineName.ONNXRUNTIME, "int8", fed, tmp_path) - wanted)
    assert error.mean() < 0.07 * wanted.std()


def test_onnx_runtime_computes_it_in_integers(tmp_path: Path) -> None:
    small = quantized()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(small.SerializeToString(), options, providers=["CPUExecutionProvider"])
    made = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert made.count("QLinearConv") == 4
    assert "Conv" not in made


def test_weights_keep_to_their_bits() -> None:
    for bits, limit in ((8, 127), (7, 63)):
        small = quantized(weight_bits=bits)
        (levels,) = (numpy_helper.to_array(t) for t in small.graph.initializer if t.name == "side_w_q")
        assert np.abs(levels).max() == limit


def test_a_table_that_lacks_a_node() -> None:
    table = measured_table().model_copy(update={"tops": {}})
    with pytest.raises(KeyError, match="/down"):
        quantized(table)


def test_a_table_is_tied_to_its_rows_weights() -> None:
    for row in (row for model in MODELS.values() for row in model.files if row.ranges):
        assert row.digest == f"sha256:{read_table(row.ranges or '').weights_sha256}"


@pytest.mark.long
def test_fast_keeps_to_exact_on_the_real_network(weights_dir: Path) -> None:
    rows, columns = np.mgrid[:600, :800]
    image = np.empty((600, 800, 3), np.uint8)
    image[:] = (120 + rows // 10)[..., None] + np.random.default_rng(1).integers(-20, 20, (600, 800, 3))
    body = np.hypot((rows - 380) / 1.4, columns - 400) < 130
    head = np.hypot(rows - 170, columns - 400) < 70
    image[body], image[head] = (180, 40, 30), (220, 180, 150)
    base = NetworkSettings(models_dir=weights_dir, model=ISNET.name, engine=EngineName.ONNXRUNTIME)
    exact, fast = (
        load_segmenter(base.model_copy(update={"precision": precision}))(image).astype(int)
        for precision in (Precision.EXACT, Precision.FAST)
    )
    assert exact[380, 400] > 200
    assert np.abs(exact - fast).mean() <= 2
    assert np.sum((exact > 127) & (fast > 127)) / np.sum((exact > 127) | (fast > 127)) >= 0.98


@pytest.mark.parametrize(
    ("ranges", "reason"),
    [(ISNET.files[0].ranges, r"is not the file that .* was made for"), (None, "there is no table of ranges")],
)
def test_weights_without_their_table_are_refused(tmp_path: Path, ranges: str | None, reason: str) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(network(), path)
    row = replace(ISNET.files[0], ranges=ranges)
    with pytest.raises(ModelUnavailable, match=reason):
        prepared_graph(Weights(path=path, row=row, sha256="f" * 64), tmp_path / "graphs", GraphVariant.INT8)
    assert not (tmp_path / "graphs").exists()
