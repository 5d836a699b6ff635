"""Graphs prepared and cached before they run: precision, outputs, workers that start together."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from cutgate.worker.models.engine import DTYPE_KEY
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.graphs.prepare import prepare
from cutgate.worker.models.weights.files import Weights
from tests.pictures.tiny_network import SIDE_PX, network, row_of, tiny_network


def half_network() -> Any:
    """The tiny network in half precision with casts at its ends and around its sigmoid, out of order, and a side
    output: what converters to half precision leave behind."""
    size = f"{SIDE_PX}, {SIDE_PX}"
    model = network(
        f"""
        half (float[1, 3, {size}] input) => (float[1, 1, {size}] mask, float16[4] side)
        <float16[1, 3, {size}] half_input, float16[1, 1, {size}] odds,
         float16[1, 1, {size}] half_mask, float[1, 1, {size}] wide_odds, float[1, 1, {size}] wide_mask> {{
            odds = Conv (half_input, weight, bias)
            wide_mask = Sigmoid (wide_odds)
            half_input = Cast <to = {TensorProto.FLOAT16}> (input)
            wide_odds = Cast <to = {TensorProto.FLOAT}> (odds)
            half_mask = Cast <to = {TensorProto.FLOAT16}> (wide_mask)
            mask = Cast <to = {TensorProto.FLOAT}> (half_mask)
            shape = Shape (odds)
            side = Cast <to = {TensorProto.FLOAT16}> (shape)
        }}
        """
    )
    for tensor in tiny_network().graph.initializer:
        halves = numpy_helper.to_array(tensor).astype(np.float16)
        model.graph.initializer.append(numpy_helper.from_array(halves, tensor.name))
    return model


def output(model: Any, picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["mask"], {"input": picture})[0])


@pytest.fixture
def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).random((1, 3, SIDE_PX, SIDE_PX), np.float32)


def test_half_precision_is_widened_and_the_casts_go(picture: np.ndarray[Any, Any]) -> None:
    expected = output(half_network(), picture)
    ready = prepare(half_network(), widen=True)
    assert [value.name for value in ready.graph.output] == ["mask"]
    assert [node.op_type for node in ready.graph.node if node.op_type != "Cast"] == ["Conv", "Sigmoid"]
    assert len(ready.graph.node) == 3  # the cast that makes the output stays
    assert {tensor.data_type for tensor in ready.graph.initializer} == {TensorProto.FLOAT}
    assert np.abs(output(ready, picture) - expected).max() < 0.5 / 255


def test_on_a_gpu_the_precision_stays(picture: np.ndarray[Any, Any]) -> None:
    ready = prepare(half_network(), widen=False)
    assert [value.name for value in ready.graph.output] == ["mask"]
    assert {tensor.data_type for tensor in ready.graph.initializer} == {TensorProto.FLOAT16}
    assert {entry.key: entry.value for entry in ready.metadata_props} == {DTYPE_KEY: "fp16"}
    np.testing.assert_array_equal(output(ready, picture), output(half_network(), picture))


def test_a_network_in_single_precision_stays_as_it_is(picture: np.ndarray[Any, Any]) -> None:
    ready = prepare(tiny_network(), widen=True)
    np.testing.assert_array_equal(output(ready, picture), output(tiny_network(), picture))


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    path = tmp_path / "half.onnx"
    onnx.save(half_network(), path)
    return Weights(path=path, row=row_of(path.name), sha256="f" * 64)


def test_workers_that_start_together_find_one_whole_graph(weights: Weights, tmp_path: Path) -> None:
    cache = tmp_path / "graphs"
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: prepared_graph(weights, cache, GraphVariant.SINGLE), range(8)))
    assert [*cache.glob("*.onnx")] == [*set(paths)]
    onnx.load(paths[0])


def test_a_graph_is_prepared_once(weights: Weights, tmp_path: Path) -> None:
    first = prepared_graph(weights, tmp_path / "graphs", GraphVariant.SINGLE)
    weights.path.unlink()
    assert prepared_graph(weights, tmp_path / "graphs", GraphVariant.SINGLE) == first
    with pytest.raises(ModelUnavailable):  # the other variant is another file
        prepared_graph(weights, tmp_path / "graphs", GraphVariant.AS_STORED)


def test_a_graph_that_is_not_what_was_prepared_is_not_used(weights: Weights, tmp_path: Path) -> None:
    cache = tmp_path / "graphs"
    prepared = prepared_graph(weights, cache, GraphVariant.SINGLE)
    whole = prepared.read_bytes()
    prepared.write_bytes(whole[:-1] + b"x")
    assert prepared_graph(weights, cache, GraphVariant.SINGLE) == prepared
    assert prepared.read_bytes() == whole
    prepared.write_bytes(b"damaged")
    weights.path.write_bytes(b"not a network")
    with pytest.raises(ModelUnavailable, match="not a network"):
        prepared_graph(weights, cache, GraphVariant.SINGLE)


def test_a_cache_that_cannot_be_written(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailable, match="CUTGATE_CACHE_DIR"):
        prepared_graph(weights, tmp_path / "file/graphs", GraphVariant.SINGLE)


def coarse_to_fine() -> Any:
    """A network with three maps, the fine one last, as several exports leave them; the others are worthless."""
    model, size = tiny_network(), (1, 1, SIDE_PX, SIDE_PX)
    for name in ("map/16", "map/8"):
        model.graph.node.append(onnx.helper.make_node("ReduceMax", ["input"], [name], axes=[1]))
        model.graph.output.insert(0, onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, size))
    return model


def test_an_output_is_kept_by_its_name(picture: np.ndarray[Any, Any], tmp_path: Path) -> None:
    expected = output(tiny_network(), picture)
    ready = prepare(coarse_to_fine(), widen=True, output="mask")
    assert [value.name for value in ready.graph.output] == ["mask"]
    assert [node.op_type for node in ready.graph.node] == ["Conv", "Sigmoid"]
    np.testing.assert_array_equal(output(ready, picture), expected)
    # Without a name it is the first, whatever that holds.
    assert [value.name for value in prepare(coarse_to_fine(), widen=True).graph.output] == ["map/8"]

    # Each has a prepared graph of its own.
    path = tmp_path / "fine.onnx"
    onnx.save(coarse_to_fine(), path)
    kept = {}
    for name in (None, "map/16", "mask"):
        weights = Weights(path=path, row=row_of(path.name, output_name=name), sha256="e" * 64)
        graph = onnx.load(prepared_graph(weights, tmp_path / "graphs", GraphVariant.SINGLE)).graph
        kept[name] = [value.name for value in graph.output]
    assert kept == {None: ["map/8"], "map/16": ["map/16"], "mask": ["mask"]}


def test_an_output_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "fine.onnx"
    onnx.save(coarse_to_fine(), path)
    weights = Weights(path=path, row=row_of(path.name, output_name="alpha"), sha256="e" * 64)
    with pytest.raises(ModelUnavailable, match="set `output_name` to one of map/8, map/16, mask"):
        prepared_graph(weights, tmp_path / "graphs", GraphVariant.SINGLE)
    assert not (tmp_path / "graphs").exists()
