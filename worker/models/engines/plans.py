"""From settings to a plan for this machine: the engine, its type of number, and the graph."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """One engine."""

    library: str
    """The module that has to be installed."""
    extra: str
    """What installs it."""
    devices: frozenset[Device]
    open: Callable[[Path, Plan], Engine]
    """Loads a prepared graph."""
    uses_bf16: bool
    """Whether it computes in bfloat16 where the processor does."""


def _open_onnxruntime(graph: Path, plan: Plan) -> Engine:
    from cutgate.worker.models.engines.onnxruntime_engine import FixedSizeEngine, OnnxRuntimeEngine

    if plan.engine is EngineName.ONNXRUNTIME:
        return OnnxRuntimeEngine(graph, threads=plan.threads, device=plan.device)
    return FixedSizeEngine(graph, plan.input_px, threads=plan.threads, device=plan.device, engine=plan.engine)


def _open_openvino(graph: Path, plan: Plan) -> Engine:
    from cutgate.worker.models.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(graph, floats=plan.floats, threads=plan.threads)


_ON_GPU: Final = EngineRow(
    library="onnxruntime", extra="gpu", devices=frozenset({Device.GPU}), open=_open_onnxruntime, uses_bf16=False
)
ENGINES: Final = {
    EngineName.ONNXRUNTIME: EngineRow(
        library="onnxruntime",
        extra="cpu",
        devices=frozenset({Device.CPU, Device.GPU}),
        open=_open_onnxruntime,
        uses_bf16=False,
    ),
    EngineName.OPENVINO: EngineRow(
        library="openvino",
        extra="openvino",
        devices=frozenset({Device.CPU}),
        open=_open_openvino,
        uses_bf16=True,
    ),
    EngineName.CUDA_GRAPH: _ON_GPU,
    EngineName.TENSORRT: _ON_GPU,
}


def plan_for(settings: NetworkSettings, processor: Processor | None = None) -> Plan:
    """What the settings mean.

    Args:
        settings: of the worker.
        processor: the machine's; by default this one's.

    Raises:
        ModelUnavailable: they ask for what does not go together, or for an engine that is not installed.
    """
    processor = processor or this_processor()
    name = engine_for(settings, processor)
    row = ENGINES[name]
    if settings.device not in row.devices:
        raise ModelUnavailable(f"{name} runs on {_listed(row.devices)} here, and CUTGATE_DEVICE={settings.device}")
    if not is_installed(name):
        raise ModelUnavailable(f"{name} is not installed: {install(_extra(settings, row))}, or set CUTGATE_ENGINE")
    floats = "bf16" if row.uses_bf16 and processor.has_bf16 else "fp32"
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
    engine = ENGINES[plan.engine].open(graph, plan)
    if plan.dtype is not None and engine.dtype != plan.dtype:
        raise ModelUnavailable(
            f"{engine.name} would compute {graph} in {engine.dtype} instead of {plan.dtype}; "
            "set CUTGATE_ENGINE or CUTGATE_PRECISION to another one"
        )
    return engine


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


def _extra(settings: NetworkSettings, row: EngineRow) -> str:
    return "gpu" if settings.device is Device.GPU else row.extra


def _listed(devices: frozenset[Device]) -> str:
    return " and ".join(sorted(devices))
