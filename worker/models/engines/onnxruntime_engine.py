"""ONNX Runtime, the only module that loads it: any graph, on the CPU or through CUDA."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cutgate.distribution import install
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engine import DTYPE_KEY, as_maps
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import Device

NAME: Final = f"onnxruntime {onnxruntime.__version__}"
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
_INPUT_TYPES: Final = {"tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

Providers = list[str | tuple[str, dict[str, str]]]


class OnnxRuntimeEngine:
    """One session. It computes in the numbers of its graph."""

    name = NAME
    is_shared = False

    def __init__(self, graph: Path, *, threads: int, device: Device) -> None:
        self.session = _open_session(graph, session_options(threads), execution_providers(device))
        self.provider = active_provider(self.session, device)
        self.dtype = self.session.get_modelmeta().custom_metadata_map[DTYPE_KEY]
        first = self.session.get_inputs()[0]
        self._input = first.name
        self.input_type: np.dtype[Any] = np.dtype(_INPUT_TYPES.get(first.type, np.float32))

    def run(self, batch: NDArray[Any]) -> Floats:
        """As `Engine.run`."""
        return as_maps(self.session.run(None, {self._input: batch})[0])


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


def execution_providers(device: Device) -> Providers:
    """The execution providers to ask for."""
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
    return [(_CUDA, cuda), _CPU]


def active_provider(session: onnxruntime.InferenceSession, device: Device) -> str:
    """The provider that a session runs on; a missing CUDA library makes it fall back without an error."""
    provider = str(session.get_providers()[0])
    if device is Device.GPU and provider != _CUDA:
        raise ModelUnavailable(
            f"a GPU was asked for but the network would run on {provider}: CUDA, cuDNN or the driver cannot be "
            "loaded; check `nvidia-smi` and the GPU's access from this container, or set CUTGATE_DEVICE=cpu"
        )
    return provider


def _open_session(
    graph: Path, options: onnxruntime.SessionOptions, providers: Providers
) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(graph.as_posix(), options, providers=providers)
    except Exception as error:  # every error class of the library is private to it
        raise ModelUnavailable(f"onnxruntime cannot load {graph} (remove it if it is damaged): {error}") from error
