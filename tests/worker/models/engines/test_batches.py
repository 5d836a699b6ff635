"""Networks on batches: graphs made free, sessions on bound buffers, a whole segmenter that many threads share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from typing_extensions import override

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.onnxruntime_binding import BoundSession
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.free_batch import free_batch
from cutgate.worker.models.graphs.prepare import prepare
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, tiny_network

HALF_PX = SIDE_PX // 2


class AsOnGpu(NetworkSettings):
    """Settings with a GPU's default batch, for the CPU."""

    @override
    def batch_count(self) -> int:
        return self.pictures_per_run or 2


def session(model: Any) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def network(nodes: list[Any], **constants: list[int] | list[float]) -> Any:
    """A network for one picture with these constants, from `input` to `mask`."""
    stored = [
        numpy_helper.from_array(
            np.array(value, np.int64 if all(isinstance(one, int) for one in value) else np.float32), name
        )
        for name, value in constants.items()
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def resizing() -> Any:
    """Down to half and up again, by sizes: one stored, one made by an operator."""
    up = numpy_helper.from_array(np.array([1, 3, SIDE_PX, SIDE_PX], np.int64))
    return network(
        [
            helper.make_node("Resize", ["input", "", "", "down"], ["small"], mode="linear"),
            helper.make_node("Constant", [], ["up"], value=up),
            helper.make_node("Resize", ["small", "", "", "up"], ["mask"], mode="linear"),
        ],
        down=[1, 3, HALF_PX, HALF_PX],
    )


def reshaping() -> Any:
    """Into rows and back, plus a weight that is reshaped as well and must keep its first dimension."""
    return network(
        [
            helper.make_node("Reshape", ["input", "rows"], ["flat"]),
            helper.make_node("Reshape", ["flat", "picture"], ["back"]),
            helper.make_node("Reshape", ["weight", "weight_shape"], ["factor"]),
            helper.make_node("Mul", ["back", "factor"], ["mask"]),
        ],
        rows=[1, 3, -1],
        picture=[1, 3, SIDE_PX, SIDE_PX],
        weight=[0.5, 2.0, 3.5],
        weight_shape=[1, 3, 1, 1],
    )


def computing() -> Any:
    """A shape that the network itself reads off its input."""
    return network(
        [
            helper.make_node("Shape", ["input"], ["shape"]),
            helper.make_node("Reshape", ["input", "rows"], ["flat"]),
            helper.make_node("Reshape", ["flat", "shape"], ["mask"]),
        ],
        rows=[1, -1],
    )


def unsorted() -> Any:
    """As `reshaping`, with operators behind those that read them, as converters to half precision leave some."""
    model = reshaping()
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def pictures(count: int) -> Any:
    return np.random.default_rng(count).random((count, 3, SIDE_PX, SIDE_PX), np.float32)


@pytest.mark.parametrize(
    "make", [tiny_network, resizing, reshaping, computing, unsorted], ids=lambda make: make.__name__
)
def test_a_batch_gives_what_its_pictures_give_alone(make: Any) -> None:
    batch = pictures(3)
    fixed, free = session(make()), session(free_batch(make()))
    assert free.get_inputs()[0].shape[0] == free.get_outputs()[0].shape[0] == "batch"
    (together,) = free.run(None, {"input": batch})
    for index in range(3):
        (alone,) = fixed.run(None, {"input": batch[index : index + 1]})
        assert np.array_equal(together[index : index + 1], alone)


def test_bound_buffers_give_what_the_session_gives() -> None:
    plain = session(free_batch(tiny_network()))
    bound = BoundSession(plain, "cpu")
    kept: list[tuple[Floats, Any]] = []
    for count in (1, 2, 2, 1, 3, 2):
        batch = pictures(count) * len(kept)
        expected = plain.run(None, {"input": batch})[0]
        kept.append((bound.run(batch), expected))
    for found, expected in kept:  # what was given out is not written over by later runs
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)


@pytest.mark.long
def test_the_default_network_gives_the_same_maps_together_and_alone(weights_dir: Path) -> None:
    # The graph that a GPU computes, half precision and all.
    weights = find_weights(ISNET, weights_dir)
    plain = session(free_batch(prepare(onnx.load(weights.path), widen=False)))
    # Dark, with a bright bar along one side and then along another.
    batch = np.full((2, 3, *weights.row.input_px), -0.4, np.float32)
    batch[0, :, 200:800, 300:500] = 0.4
    batch[1, :, 500:700, 100:900] = 0.4
    together = BoundSession(plain, "cpu").run(batch)
    alone = [plain.run(None, {"input": batch[index : index + 1]})[0] for index in range(2)]
    assert np.abs(together - np.concatenate(alone)).max() < 1e-4
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_threads_share_a_segmenter(tiny_settings: NetworkSettings) -> None:
    alone = load_segmenter(tiny_settings)
    shared = load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 3}))
    assert isinstance(shared.predict, NetworkRun)
    assert shared.predict.sizes == (1, 2, 3)
    images = [np.full((40 + index, 50, 3), 8 * index, np.uint8) for index in range(24)]
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(shared, images))
    for image, mask in zip(images, masks, strict=True):
        assert np.array_equal(mask, alone(image))


def test_a_network_that_mixes_its_pictures_is_refused(tiny_settings: NetworkSettings) -> None:
    model = tiny_network()
    mean = helper.make_node("ReduceMean", ["input"], ["together"], axes=[0], keepdims=1)
    share = helper.make_node("Add", ["input", "together"], ["mixed"])
    conv = model.graph.node[0]
    conv.input[0] = "mixed"
    nodes = [mean, share, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, tiny_settings.models_dir / "tiny.onnx")
    load_segmenter(tiny_settings)
    with pytest.raises(ModelUnavailable, match="mixes the pictures of a batch; set CUTGATE_PICTURES_PER_RUN=1"):
        load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 2}))
    # Nobody asked for batches where they are only the device's default.
    by_default = AsOnGpu.model_validate(tiny_settings.model_dump())
    alone = load_segmenter(by_default).predict
    assert isinstance(alone, NetworkRun)
    assert alone.sizes == (1,)


def test_a_network_that_takes_one_picture_only_is_refused(tiny_settings: NetworkSettings) -> None:
    model = tiny_network()
    fixed = numpy_helper.from_array(np.zeros((1, SIDE_PX * SIDE_PX), np.float32), "fixed")
    model.graph.initializer.append(fixed)
    one = numpy_helper.from_array(np.array([SIDE_PX * SIDE_PX, 1], np.int64), "column")
    model.graph.initializer.append(one)
    # A picture as a column has no batch in front.
    model.graph.node[-1].output[0] = "map"
    back = numpy_helper.from_array(np.array([1, 1, SIDE_PX, SIDE_PX], np.int64), "back")
    model.graph.initializer.append(back)
    model.graph.node.extend(
        [
            helper.make_node("Reshape", ["map", "column"], ["line"]),
            helper.make_node("Transpose", ["line"], ["row"]),
            helper.make_node("Add", ["row", "fixed"], ["sum"]),
            helper.make_node("Reshape", ["sum", "back"], ["mask"]),
        ]
    )
    onnx.save(model, tiny_settings.models_dir / "tiny.onnx")
    load_segmenter(tiny_settings)
    with pytest.raises(ModelUnavailable, match="batches of pictures cannot be run"):
        load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 2}))
