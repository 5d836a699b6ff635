"""Networks on batches: graphs made free, sessions on bound buffers, a whole segmenter that many threads share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from typing_extensions import override

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.onnxruntime_binding import SIZES_KEPT, BoundSession
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.free_batch import free_batch
from cutgate.worker.models.graphs.prepare import prepare
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, network, tiny_network

HALF_PX = SIDE_PX // 2


class AsOnGpu(NetworkSettings):
    """Settings with a GPU's default batch, for the CPU."""

    @override
    def batch_count(self) -> int:
        return self.pictures_per_run or 2


def session(model: Any) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def made(constants: str, *lines: str) -> Any:
    """A network for one picture with these constants, from `input` to `mask`."""
    picture = f"float[1, 3, {SIDE_PX}, {SIDE_PX}]"
    return network(f"made ({picture} input) => ({picture} mask) <{constants}> {{ {' '.join(lines)} }}")


def resizing() -> Any:
    """Down to half and up again, by sizes: one stored, one made by an operator."""
    return made(
        f"int64[4] down = {{1, 3, {HALF_PX}, {HALF_PX}}}",
        'small = Resize <mode = "linear"> (input, "", "", down)',
        f"up = Constant <value = int64[4] {{1, 3, {SIDE_PX}, {SIDE_PX}}}> ()",
        'mask = Resize <mode = "linear"> (small, "", "", up)',
    )


def reshaping() -> Any:
    """Into rows and back, plus a weight that is reshaped as well and must keep its first dimension."""
    return made(
        f"int64[3] rows = {{1, 3, -1}}, int64[4] picture = {{1, 3, {SIDE_PX}, {SIDE_PX}}}, "
        "float[3] weight = {0.5, 2.0, 3.5}, int64[4] weight_shape = {1, 3, 1, 1}",
        "flat = Reshape (input, rows)",
        "back = Reshape (flat, picture)",
        "factor = Reshape (weight, weight_shape)",
        "mask = Mul (back, factor)",
    )


def computing() -> Any:
    """A shape that the network itself reads off its input."""
    return made(
        "int64[2] rows = {1, -1}",
        "shape = Shape (input)",
        "flat = Reshape (input, rows)",
        "mask = Reshape (flat, shape)",
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


def test_bound_buffers_of_endless_sizes_do_not_pile_up() -> None:
    plain = session(free_batch(tiny_network(free=True)))
    bound = BoundSession(plain, "cpu")
    for side_px in (*range(1, 3 * SIZES_KEPT), 5, 2 * SIZES_KEPT):
        batch = np.random.default_rng(side_px).random((1, 3, side_px, 7), np.float32)
        assert np.array_equal(bound.run(batch), plain.run(None, {"input": batch})[0])
        assert len(bound._bound) <= SIZES_KEPT


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
    together = load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 3}))
    assert isinstance(together.predict, NetworkRun)
    assert together.predict.sizes == (1, 2, 3)
    images = [np.full((40 + index, 50, 3), 8 * index, np.uint8) for index in range(24)]
    expected = list(map(alone, images))
    with ThreadPoolExecutor(8) as pool:
        for segmenter in (alone, together):
            for mask, one in zip(pool.map(segmenter, images), expected, strict=True):
                assert np.array_equal(mask, one)


def test_a_network_that_mixes_its_pictures_is_refused(tiny_settings: NetworkSettings) -> None:
    mixing = made(
        "",
        "together = ReduceMean <axes = [0]> (input)",
        "mixed = Add (input, together)",
        "odds = ReduceMean <axes = [1]> (mixed)",
        "mask = Sigmoid (odds)",
    )
    onnx.save(mixing, tiny_settings.models_dir / "tiny.onnx")
    load_segmenter(tiny_settings)
    with pytest.raises(ModelUnavailable, match="mixes the pictures of a batch; set CUTGATE_PICTURES_PER_RUN=1"):
        load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 2}))
    # Nobody asked for batches where they are only the device's default.
    by_default = AsOnGpu.model_validate(tiny_settings.model_dump())
    alone = load_segmenter(by_default).predict
    assert isinstance(alone, NetworkRun)
    assert alone.sizes == (1,)


def test_a_network_that_takes_one_picture_only_is_refused(tiny_settings: NetworkSettings) -> None:
    # A picture as a column has no batch in front.
    column = made(
        f"int64[2] column = {{{SIDE_PX**2}, 1}}, int64[4] back = {{1, 1, {SIDE_PX}, {SIDE_PX}}}, "
        f"float[1, {SIDE_PX**2}] fixed = {{{', '.join(['0.0'] * SIDE_PX**2)}}}",
        "map = ReduceMean <axes = [1]> (input)",
        "line = Reshape (map, column)",
        "row = Transpose (line)",
        "sum = Add (row, fixed)",
        "mask = Reshape (sum, back)",
    )
    onnx.save(column, tiny_settings.models_dir / "tiny.onnx")
    load_segmenter(tiny_settings)
    with pytest.raises(ModelUnavailable, match="batches of pictures cannot be run"):
        load_segmenter(tiny_settings.model_copy(update={"pictures_per_run": 2}))
