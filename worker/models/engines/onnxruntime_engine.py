"""ONNX Runtime, the only module that loads it: any graph, on the CPU or through CUDA."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cutgate.distribution import install
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engine import DTYPE_KEY, as_maps
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import Device, EngineName

NAME: Final = f"onnxruntime {onnxruntime.__version__}"
_TENSORRT: Final = "TensorrtExecutionProvider"
_TENSORRT_HINT: Final = "for TensorRT, pip install 'tensorrt-cu13<11'; or set CUTGATE_ENGINE=onnxruntime"
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
_INPUT_TYPES: Final = {"tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

Providers = list[str | tuple[str, dict[str, str]]]


class OnnxRuntimeEngine:
    """One session. It computes in the numbers of its graph."""

    name = NAME
    is_shared = False

    def __init__(self, graph: Path, *, threads: int, device: Device, engine: EngineName | None = None) -> None:
        providers = execution_providers(device, engine, graph)
        self.session = _open_session(graph, session_options(threads), providers)
        half = engine is EngineName.TENSORRT
        self.provider = active_provider(self.session, device, _TENSORRT if half else _CUDA)
        self.dtype = "fp16" if half else self.session.get_modelmeta().custom_metadata_map[DTYPE_KEY]
        first = self.session.get_inputs()[0]
        self._input = first.name
        self.input_type: np.dtype[Any] = np.dtype(_INPUT_TYPES.get(first.type, np.float32))

    def run(self, batch: NDArray[Any]) -> Floats:
        """As `Engine.run`."""
        return as_maps(self.session.run(None, {self._input: batch})[0])


class FixedSizeEngine(OnnxRuntimeEngine):
    """A session with one thread and fixed buffers on its device: CUDA records a graph of both."""

    def __init__(self, graph: Path, input_px: tuple[int, int] | None, **options: Any) -> None:
        super().__init__(graph, **options)
        output = self.session.get_outputs()[0]
        if input_px is None or not all(isinstance(side, int) for side in output.shape[1:]):
            raise ModelUnavailable("a network's input or output has no fixed size: set CUTGATE_ENGINE=onnxruntime")
        new, place = onnxruntime.OrtValue.ortvalue_from_shape_and_type, "cpu" if self.provider == _CPU else "cuda"
        self._fed = new([1, 3, *input_px], self.input_type, place)
        made_type = np.float16 if output.type == "tensor(float16)" else np.float32
        self._made = new([1, *output.shape[1:]], made_type, place)
        self._binding = self.session.io_binding()
        self._binding.bind_ortvalue_input(self._input, self._fed)
        self._binding.bind_ortvalue_output(output.name, self._made)
        self._thread = ThreadPoolExecutor(1)

    def run(self, batch: NDArray[Any]) -> Floats:
        """As `Engine.run`."""
        return self._thread.submit(self._replay, batch).result()

    def _replay(self, batch: NDArray[Any]) -> Floats:
        self._fed.update_inplace(batch)
        self.session.run_with_iobinding(self._binding)
        return as_maps(np.array(self._made.numpy()))


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """How every session is set up."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads sleep instead of spinning: workers share their processors, and it costs a fiftieth.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what falls back to the CPU is checked, not read in a log
    return options


def execution_providers(device: Device, engine: EngineName | None = None, graph: Path = Path()) -> Providers:
    """The execution providers to ask for, the one that is to compute first."""
    if device is Device.CPU:
        return [_CPU]
    if _CUDA not in onnxruntime.get_available_providers():
        raise ModelUnavailable(
            f"this onnxruntime has no CUDA: pip uninstall onnxruntime, then {install('worker', 'gpu')}"
        )
    onnxruntime.preload_dlls()
    cuda = {
        "device_id": "0",
        "arena_extend_strategy": "kSameAsRequested",
        # An exhaustive search would tune anew for every input size.
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "do_copy_in_default_stream": "1",
    }
    if engine is EngineName.CUDA_GRAPH:
        cuda["enable_cuda_graph"] = "1"
    providers: Providers = [(_CUDA, cuda), _CPU]
    if engine is not EngineName.TENSORRT:
        return providers
    with suppress(ImportError):  # where no wheel has its libraries, the system may
        import_module("tensorrt_libs")
    return [(_TENSORRT, tensorrt_options(graph)), *providers]


def tensorrt_options(graph: Path) -> dict[str, str]:
    """TensorRT in half precision; what it builds of a graph is kept beside it."""
    folder = str(graph.with_suffix(f".onnxruntime-{onnxruntime.__version__}.tensorrt"))
    enabled = (f"trt_{name}_enable" for name in ("fp16", "engine_cache", "timing_cache", "cuda_graph"))
    places = ("trt_engine_cache_path", "trt_timing_cache_path")
    return {"device_id": "0", **dict.fromkeys(enabled, "1"), **dict.fromkeys(places, folder)}


def active_provider(session: onnxruntime.InferenceSession, device: Device, wanted: str = _CUDA) -> str:
    """The provider that a session runs on; a missing CUDA library makes it fall back without an error."""
    provider = str(session.get_providers()[0])
    if device is Device.GPU and provider != wanted:
        raise ModelUnavailable(
            f"{wanted} was asked for but the network would run on {provider}: CUDA, cuDNN or the driver cannot be "
            "loaded; check `nvidia-smi` and the GPU's access from this container, or set CUTGATE_DEVICE=cpu"
        )
    return provider


def _open_session(
    graph: Path, options: onnxruntime.SessionOptions, providers: Providers
) -> onnxruntime.InferenceSession:
    try:
        # Unless told not to, it goes on with fewer providers or without their options.
        return onnxruntime.InferenceSession(graph.as_posix(), options, providers=providers, enable_fallback=0)
    except Exception as error:  # every error class of the library is private to it
        hint = _TENSORRT_HINT if _TENSORRT in str(providers) else "remove it if it is damaged"
        raise ModelUnavailable(f"onnxruntime cannot load {graph} ({hint}): {error}") from error
