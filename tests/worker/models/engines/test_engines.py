"""Both engines with the same graphs, what settings mean on which processor, and what cannot be had."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.machine.cpu import Processor, this_processor
from cutgate.worker.models.engines import openvino_engine, plans
from cutgate.worker.models.engines.plans import ENGINES, Plan, open_engine, plan_for
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import Weights
from cutgate.worker.settings import Device, EngineName, NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, row_of, tiny_network

BOTH = sorted(name for name, row in ENGINES.items() if Device.CPU in row.devices)
PLAIN = Processor(name="plain", x86=True, features=frozenset({"avx2"}))
VNNI = replace(PLAIN, features=frozenset({"avx512_vnni"}))
BF16 = replace(PLAIN, features=frozenset({"avx512_vnni", "avx512_bf16"}))


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    onnx.save(tiny_network(), path)
    weights = Weights(path=path, row=row_of(path.name), sha256="f" * 64)
    return prepared_graph(weights, tmp_path / "graphs", GraphVariant.SINGLE)


def exact(engine: EngineName, floats: str = "fp32") -> Plan:
    return Plan(
        engine=engine, device=Device.CPU, variant=GraphVariant.SINGLE, dtype=floats, floats=floats, threads=1
    )


def pictures(count: int) -> Floats:
    return np.random.default_rng(5).random((count, 3, SIDE_PX, SIDE_PX), np.float32)


def expected(batch: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(20 * (batch.mean(axis=1) - 0.5))), np.float32)


@pytest.mark.parametrize("name", BOTH)
def test_an_engine_gives_one_map_of_a_picture(name: EngineName, graph: Path) -> None:
    engine = open_engine(graph, exact(name))
    batch = pictures(1).astype(engine.input_type)
    maps = engine.run(batch)
    assert maps.shape == (1, SIDE_PX, SIDE_PX)
    assert maps.dtype == np.float32
    assert np.abs(maps - expected(batch)).max() < 1e-5
    first = maps.copy()
    engine.run(1 - batch)
    np.testing.assert_array_equal(maps, first)  # what was given is not written over by the next run


@pytest.mark.needs("bf16")
def test_bf16_is_what_the_compiled_network_reports(graph: Path) -> None:
    engine = open_engine(graph, exact(EngineName.OPENVINO, "bf16"))
    assert (engine.provider, engine.dtype) == ("CPU", "bf16")
    batch = pictures(1)
    error = np.abs(engine.run(batch) - expected(batch))
    assert 0 < error.max() < 0.05
    assert error.mean() < 1 / 255


def test_other_numbers_than_planned_are_refused(graph: Path) -> None:
    for name in BOTH:
        with pytest.raises(ModelUnavailable, match="in fp32 instead of int8"):
            open_engine(graph, replace(exact(name), dtype="int8"))


@pytest.mark.parametrize("name", BOTH)
def test_a_damaged_graph_is_named(name: EngineName, tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable, match=r"damaged\.onnx"):
        open_engine(path, exact(name))


def settings(**values: object) -> NetworkSettings:
    return NetworkSettings.model_validate({"threads": 2, **values})


@pytest.mark.parametrize(
    ("asked", "processor", "engine", "variant", "dtype"),
    [
        ({}, BF16, EngineName.OPENVINO, GraphVariant.SINGLE, "bf16"),
        ({}, VNNI, EngineName.ONNXRUNTIME, GraphVariant.SINGLE, "fp32"),
        ({"precision": "fast"}, BF16, EngineName.OPENVINO, GraphVariant.INT8, "int8"),
        ({"precision": "fast"}, PLAIN, EngineName.OPENVINO, GraphVariant.INT7, "int8"),
        ({"engine": "onnxruntime"}, BF16, EngineName.ONNXRUNTIME, GraphVariant.SINGLE, "fp32"),
        ({"engine": "onnxruntime", "precision": "fast"}, VNNI, EngineName.ONNXRUNTIME, GraphVariant.INT8, "int8"),
        ({"engine": "openvino"}, PLAIN, EngineName.OPENVINO, GraphVariant.SINGLE, "fp32"),
        ({"device": "gpu"}, BF16, EngineName.ONNXRUNTIME, GraphVariant.AS_STORED, None),
        ({"device": "gpu", "engine": "tensorrt"}, BF16, EngineName.TENSORRT, GraphVariant.AS_STORED, None),
        ({"device": "gpu", "engine": "cuda-graph"}, PLAIN, EngineName.CUDA_GRAPH, GraphVariant.AS_STORED, None),
    ],
)
def test_what_settings_mean(
    asked: dict[str, str], processor: Processor, engine: EngineName, variant: GraphVariant, dtype: str | None
) -> None:
    plan = plan_for(settings(**asked), processor)
    assert (plan.engine, plan.variant, plan.dtype, plan.threads) == (engine, variant, dtype, 2)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"engine": "openvino", "device": "gpu"}, "openvino runs on cpu"),
        ({"precision": "fast", "device": "gpu"}, "fast is for the CPU"),
        ({"engine": "tensorrt"}, "tensorrt runs on gpu here, and CUTGATE_DEVICE=cpu"),
        ({"engine": "cuda-graph"}, "cuda-graph runs on gpu here, and CUTGATE_DEVICE=cpu"),
    ],
)
def test_what_does_not_go_together(asked: dict[str, str], reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        plan_for(settings(**asked), BF16)


def test_without_openvino_auto_is_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "is_installed", lambda name: name is EngineName.ONNXRUNTIME)
    assert plan_for(settings(), BF16).engine is EngineName.ONNXRUNTIME
    with pytest.raises(ModelUnavailable, match=r"openvino is not installed: pip install 'cutgate\[openvino\]'"):
        plan_for(settings(engine="openvino"), BF16)


def test_a_model_without_ranges_is_not_run_as_fast(tiny_settings: NetworkSettings) -> None:
    with pytest.raises(ModelUnavailable, match="fast runs isnet-general-use alone"):
        load_segmenter(tiny_settings.model_copy(update={"precision": Precision.FAST}))


def test_openvino_speaks_to_nobody(graph: Path) -> None:
    code = f"""
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.connect") and sys.exit("it opens a connection"))
from pathlib import Path
from cutgate.worker.models.engines.openvino_engine import OpenVinoEngine
import numpy as np
engine = OpenVinoEngine(Path({str(graph)!r}), floats="fp32", threads=1)
engine.run(np.zeros((1, 3, {SIDE_PX}, {SIDE_PX}), np.float32))
assert sys.modules["openvino_telemetry"] is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("gone_in", ["another thread", "the order of loading"])
def test_signals_are_handled_once_openvinos_networks_are_gone(graph: Path, gone_in: str) -> None:
    code = f"""
import signal, threading
from pathlib import Path
from cutgate.worker.models.engines.openvino_engine import OpenVinoEngine
engines = [OpenVinoEngine(Path({str(graph)!r}), floats="fp32", threads=1) for _ in range(2)]
if {gone_in!r} == "another thread":
    clearing = threading.Thread(target=engines.clear)
    clearing.start()
    clearing.join()
else:
    engines.pop(0)
    engines.pop()
handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
signal.raise_signal(signal.SIGUSR1)
assert handled
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_onnxruntime_prepares_no_reports(graph: Path, tmp_path: Path) -> None:
    """It keeps what it is about to report, and an id of the machine, in the user's cache folder."""
    home = tmp_path / "home"
    home.mkdir()
    told_not_to = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in told_not_to}
    code = f"import cutgate.worker.models, onnxruntime as ort; ort.InferenceSession({str(graph)!r})"
    subprocess.run([sys.executable, "-c", code], env=environment | {"HOME": str(home)}, check=True)
    assert [path for path in home.rglob("*") if "onnxruntime" in path.name] == []


CPUINFO = """processor\t: 0
model name\t: Some Processor
flags\t\t: fpu sse2 avx512_vnni amx_bf16
"""


def test_a_processor_is_read_from_the_kernels_list(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO, encoding="ascii")
    processor = this_processor(path)
    assert processor.name == "Some Processor"
    assert processor.has_bf16
    assert processor.lacks() == ()
    nothing = this_processor(tmp_path / "none")
    assert nothing.name
    assert nothing.lacks() == ("bf16", "VNNI", "AMX")


def test_weights_have_seven_bits_where_eight_would_overflow() -> None:
    assert [processor.weight_bits for processor in (PLAIN, VNNI, replace(PLAIN, x86=False))] == [7, 8, 8]


def compiled(graph: Path) -> set[Path]:
    return {*graph.parent.glob("*.openvino")}


def test_openvinos_compiled_network_is_used_again(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = pictures(1)
    first = open_engine(graph, exact(EngineName.OPENVINO)).run(batch)
    (kept,) = compiled(graph)
    written_ns = kept.stat().st_mtime_ns
    monkeypatch.setattr(openvino_engine, "_compile", lambda *_: pytest.fail("it compiled again"))
    engine = open_engine(graph, exact(EngineName.OPENVINO))
    assert np.array_equal(engine.run(batch), first)
    assert engine.dtype == "fp32"
    assert (compiled(graph), kept.stat().st_mtime_ns) == ({kept}, written_ns)


@pytest.mark.parametrize("damage", ["another digest", "the library refuses it"])
def test_a_compiled_network_that_cannot_be_used_is_made_anew(graph: Path, damage: str) -> None:
    batch = pictures(1)
    first = open_engine(graph, exact(EngineName.OPENVINO)).run(batch)
    (kept,) = compiled(graph)
    kept.write_bytes(b"damaged")
    if damage == "the library refuses it":
        stem, _, _ = kept.name.partition(".")
        kept = kept.rename(kept.with_name(f"{stem}.{hashlib.sha256(b'damaged').hexdigest()}.openvino"))
    assert np.array_equal(open_engine(graph, exact(EngineName.OPENVINO)).run(batch), first)
    assert any(path.read_bytes() != b"damaged" for path in compiled(graph))


def test_compiled_networks_by_processor_and_option(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_engine(graph, exact(EngineName.OPENVINO))
    (first,) = compiled(graph)
    monkeypatch.setattr(openvino_engine, "this_processor", lambda: PLAIN)
    open_engine(graph, exact(EngineName.OPENVINO))
    assert len(compiled(graph)) == 2
    open_engine(graph, replace(exact(EngineName.OPENVINO), threads=2))
    assert len(compiled(graph)) == 2
    assert first not in compiled(graph)


def test_in_a_folder_that_cannot_be_written_nothing_is_kept(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Path:
        raise PermissionError

    monkeypatch.setattr(openvino_engine, "keep_whole", refuse)
    assert open_engine(graph, exact(EngineName.OPENVINO)).run(pictures(1)).shape == (1, SIDE_PX, SIDE_PX)
    assert not compiled(graph)
