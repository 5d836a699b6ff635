"""Engines for a GPU as far as a machine without one goes: their options, their buffers and what they refuse."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.onnxruntime_engine import (
    FixedSizeEngine,
    OnnxRuntimeEngine,
    active_provider,
    execution_providers,
    tensorrt_options,
)
from cutgate.worker.models.engines.plans import ENGINES
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import Weights
from cutgate.worker.settings import Device, EngineName, NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, row_of, tiny_network

ON_GPU = sorted(name for name, row in ENGINES.items() if row.devices == {Device.GPU})
CUDA, CPU, TENSORRT = "CUDAExecutionProvider", "CPUExecutionProvider", "TensorrtExecutionProvider"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return made(tmp_path)


def made(folder: Path, *, free: bool = False) -> Path:
    path = folder / "tiny.onnx"
    onnx.save(tiny_network(free=free), path)
    weights = Weights(path=path, row=row_of(path.name), sha256="f" * 64)
    return prepared_graph(weights, folder / "graphs", GraphVariant.SINGLE)


@pytest.fixture
def with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ONNX Runtime's build for CUDA answers on any machine."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])


@pytest.mark.usefixtures("with_cuda")
def test_what_each_engine_asks_for(graph: Path) -> None:
    plain = execution_providers(Device.GPU)
    assert isinstance(plain[0], tuple)
    name, options = plain[0]
    assert (name, plain[1]) == (CUDA, CPU)
    assert "enable_cuda_graph" not in options
    recorded = (CUDA, {**options, "enable_cuda_graph": "1"})
    assert execution_providers(Device.GPU, EngineName.CUDA_GRAPH, graph) == [recorded, CPU]
    first, *others = execution_providers(Device.GPU, EngineName.TENSORRT, graph)
    assert first == (TENSORRT, tensorrt_options(graph))
    assert others == plain
    assert execution_providers(Device.CPU, EngineName.ONNXRUNTIME, graph) == [CPU]


def test_tensorrt_keeps_what_it_builds_beside_its_graph(graph: Path) -> None:
    options = tensorrt_options(graph)
    for name in ("fp16", "engine_cache", "timing_cache", "cuda_graph"):
        assert options[f"trt_{name}_enable"] == "1"
    folder = Path(options["trt_engine_cache_path"])
    assert folder == Path(options["trt_timing_cache_path"])
    assert folder.parent == graph.parent
    assert onnxruntime.__version__ in folder.name
    assert len(folder.name) <= 255
    assert tensorrt_options(graph.with_name("another.onnx"))["trt_engine_cache_path"] != str(folder)


def test_fixed_buffers_give_what_a_plain_run_gives(graph: Path) -> None:
    """One thread runs it whoever calls, and no result is written over by the next."""
    plain = OnnxRuntimeEngine(graph, threads=1, device=Device.CPU)
    fixed = FixedSizeEngine(graph, (SIDE_PX, SIDE_PX), threads=1, device=Device.CPU)
    rng = np.random.default_rng(5)
    batches = [rng.random((1, 3, SIDE_PX, SIDE_PX), np.float32) for _ in range(6)]
    turn = threading.Lock()

    def run(batch: Floats) -> Floats:
        with turn:
            return fixed.run(batch)

    with ThreadPoolExecutor(3) as callers:
        maps = list(callers.map(run, batches))
    for batch, found in zip(batches, maps, strict=True):
        np.testing.assert_array_equal(found, plain.run(batch))


def test_a_size_that_is_not_fixed_is_refused(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    for path, input_px in ((graph, None), (made(tmp_path / "free", free=True), (SIDE_PX, SIDE_PX))):
        with pytest.raises(ModelUnavailable, match="no fixed size: set CUTGATE_ENGINE=onnxruntime"):
            FixedSizeEngine(path, input_px, threads=1, device=Device.CPU)


@pytest.mark.needs("no gpu")
@pytest.mark.parametrize("engine", ON_GPU)
def test_without_cuda_each_says_what_to_install(tiny_settings: NetworkSettings, engine: EngineName) -> None:
    asked = tiny_settings.model_copy(update={"device": Device.GPU, "engine": engine})
    with pytest.raises(ModelUnavailable, match=r"has no CUDA: pip uninstall onnxruntime, then .*gpu"):
        load_segmenter(asked)


@pytest.mark.usefixtures("with_cuda")
@pytest.mark.needs("no gpu")
@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (EngineName.TENSORRT, rf"for TensorRT, pip install 'tensorrt-cu13<11'; or set .*{TENSORRT}"),
        (EngineName.CUDA_GRAPH, f"'{CUDA}' is not in available provider names"),
    ],
)
def test_nothing_is_computed_elsewhere_instead(graph: Path, engine: EngineName, reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        FixedSizeEngine(graph, (SIDE_PX, SIDE_PX), threads=1, device=Device.GPU, engine=engine)


@pytest.mark.parametrize("wanted", [TENSORRT, CUDA])
def test_a_session_on_another_provider_is_refused(graph: Path, wanted: str) -> None:
    session = OnnxRuntimeEngine(graph, threads=1, device=Device.CPU).session
    with pytest.raises(ModelUnavailable, match=f"{wanted} was asked for but the network would run on {CPU}"):
        active_provider(session, Device.GPU, wanted)


@pytest.mark.needs("gpu")
def test_a_cuda_graph_gives_what_a_plain_run_gives(tiny_settings: NetworkSettings) -> None:
    rng = np.random.default_rng(5)
    pictures = [rng.integers(0, 256, (80, 90, 3), np.uint8) for _ in range(4)]
    on_gpu = tiny_settings.model_copy(update={"device": Device.GPU})
    plain = load_segmenter(on_gpu)
    recorded = load_segmenter(on_gpu.model_copy(update={"engine": EngineName.CUDA_GRAPH}))
    assert recorded.provider == CUDA
    for picture in pictures:
        np.testing.assert_allclose(recorded(picture), plain(picture), atol=1)
