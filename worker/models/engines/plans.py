"""From settings to a plan for this machine: the engine, its type of number, and the graph."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from cutgate.distribution import install
from cutgate.jobs.spec import Precision
from cutgate.worker.machine.cpu import Processor, this_processor
from cutgate.worker.models.engine import Engine
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant
from cutgate.worker.settings import Device, EngineName, NetworkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a network is to be run. Nothing else is done in its place: what cannot be had is an error."""

    engine: EngineName
    device: Device
    variant: GraphVariant
    """Of the prepared graph."""
    dtype: str | None
    """The number type to compute in; None for that of the weights."""
    floats: str
    """The number type of layers that are not quantised."""
    threads: int
    input_px: tuple[int, int] | None = None
    """Height and width of its input, where it takes no others; known with the weights."""


class EngineRow(NamedTuple):
    """One engine: the module that has to be installed, what installs it, and where it computes."""

    library: str
    extra: str
    devices: frozenset[Device]


_ON_GPU: Final = EngineRow("onnxruntime", "gpu", frozenset({Device.GPU}))
ENGINES: Final = {
    EngineName.ONNXRUNTIME: EngineRow("onnxruntime", "cpu", frozenset(Device)),
    EngineName.OPENVINO: EngineRow("openvino", "openvino", frozenset({Device.CPU})),
    EngineName.CUDA_GRAPH: _ON_GPU,
    EngineName.TENSORRT: _ON_GPU,
}


def plan_for(settings: NetworkSettings, processor: Processor | None = None) -> Plan:
    """What the settings mean on a processor, by default this machine's.

    Raises:
        ModelUnavailable: they ask for what does not go together, or for an engine that is not installed.
    """
    processor = processor or this_processor()
    name = engine_for(settings, processor)
    row = ENGINES[name]
    if settings.device not in row.devices:
        places = " and ".join(sorted(row.devices))
        raise ModelUnavailable(f"{name} runs on {places} here, and CUTGATE_DEVICE={settings.device}")
    if not is_installed(name):
        extra = "gpu" if settings.device is Device.GPU else row.extra
        raise ModelUnavailable(f"{name} is not installed: {install(extra)}, or set CUTGATE_ENGINE")
    floats = "bf16" if name is EngineName.OPENVINO and processor.has_bf16 else "fp32"
    variant, dtype = _variant(settings, processor, floats)
    return Plan(
        engine=name,
        device=settings.device,
        variant=variant,
        dtype=dtype,
        floats=floats,
        threads=settings.thread_count(),
    )


def open_engine(graph: Path, plan: Plan) -> Engine:
    """Load a prepared graph as planned.

    Raises:
        ModelUnavailable: the engine does not take it, or would compute in other numbers.
    """
    engine = _opened(graph, plan)
    if plan.dtype is not None and engine.dtype != plan.dtype:
        raise ModelUnavailable(
            f"{engine.name} would compute {graph} in {engine.dtype} instead of {plan.dtype}; "
            "set CUTGATE_ENGINE or CUTGATE_PRECISION to another one"
        )
    return engine


def _opened(graph: Path, plan: Plan) -> Engine:
    if plan.engine is EngineName.OPENVINO:
        from cutgate.worker.models.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(graph, floats=plan.floats, threads=plan.threads)
    from cutgate.worker.models.engines.onnxruntime_engine import FixedSizeEngine, OnnxRuntimeEngine

    if plan.engine is EngineName.ONNXRUNTIME:
        return OnnxRuntimeEngine(graph, threads=plan.threads, device=plan.device)
    return FixedSizeEngine(graph, plan.input_px, threads=plan.threads, device=plan.device, engine=plan.engine)


def is_installed(name: EngineName) -> bool:
    """Whether the engine's library is there."""
    return importlib.util.find_spec(ENGINES[name].library) is not None


def engine_for(settings: NetworkSettings, processor: Processor) -> EngineName:
    """What `auto` means: OpenVINO on bf16 processors and for 8-bit integers, if it is installed."""
    if settings.engine is not EngineName.AUTO:
        return settings.engine
    pays = processor.has_bf16 or settings.precision is Precision.FAST
    if settings.device is Device.CPU and pays and is_installed(EngineName.OPENVINO):
        return EngineName.OPENVINO
    return EngineName.ONNXRUNTIME


def _variant(settings: NetworkSettings, processor: Processor, floats: str) -> tuple[GraphVariant, str | None]:
    """The graph to prepare, and the number type that it is to be computed in."""
    if settings.precision is Precision.FAST:
        if settings.device is not Device.CPU:
            raise ModelUnavailable("CUTGATE_PRECISION=fast is for the CPU; on a GPU set it to exact")
        return (GraphVariant.INT8 if processor.weight_bits == 8 else GraphVariant.INT7), "int8"
    return (GraphVariant.SINGLE, floats) if settings.device is Device.CPU else (GraphVariant.AS_STORED, None)
