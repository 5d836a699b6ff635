"""OpenVINO, the only module that loads it: graphs in single precision or 8-bit integers, on the CPU."""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.machine.cpu import this_processor
from cutgate.worker.models.engine import as_maps
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import find_whole, keep_whole

# Its converters report their use to Google; they are not used here, and without this package they cannot.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is how an import is refused

import openvino  # noqa: E402 — only after the line above

log = structlog.get_logger(__name__)

_CORE: Final = openvino.Core()
"""The process's only one, kept to its end.

With its first network, a core gives the thread that loads it another stack for signal handlers, and frees that
when it goes itself. Where that is in another thread, or several cores do not go in reverse order, the thread's
next signal kills the process.
"""
_DTYPES: Final = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "u8": "int8", "i8": "int8"}
"""The library's names of number types, and ours."""
_HEAVY: Final = frozenset({"Convolution", "FullyConnected", "MatMul"})
"""Kinds of layer that take a network's time."""
_COMPILED: Final = ".openvino"
"""Suffix of a compiled network's file."""
_MOST_COMPILED: Final = 2
"""Compiled networks that are kept of one graph; each is as large as the graph."""


class OpenVinoEngine:
    """One compiled network, for one picture at a time."""

    name = f"openvino {openvino.__version__.partition('-')[0]}"
    is_shared = False

    def __init__(self, graph: Path, *, floats: str, threads: int) -> None:
        """Load a prepared graph; what it was compiled to lies beside it from then on."""
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if floats == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # Workers share their processors: pinned threads of two would sit on the same one.
            "ENABLE_CPU_PINNING": False,
        }
        stem = _stem(graph, options)
        content = _mapped(graph.parent, stem)
        compiled = None if content is None else _load_compiled(content, options)
        if compiled is None:
            compiled = _compile(graph, options)
            _keep_compiled(compiled, graph.parent, stem)
        self._request = compiled.create_infer_request()
        self._content = content  # which the network reads, and does not keep
        self.dtype = compiled_dtype(compiled)
        self.provider = ", ".join(compiled.get_property("EXECUTION_DEVICES"))
        self.input_type: np.dtype[Any] = np.dtype(compiled.input(0).get_element_type().to_dtype())

    def run(self, batch: NDArray[Any]) -> Floats:
        """As `Engine.run`."""
        return as_maps(self._request.infer({0: batch}, share_inputs=True)[0])


def _compile(graph: Path, options: Mapping[str, Any]) -> Any:
    try:
        network = _CORE.read_model(graph.as_posix())
        shape = network.input(0).partial_shape
        shape[0] = 1
        network.reshape(shape)
        return _CORE.compile_model(network, "CPU", options)
    except Exception as error:  # the library raises RuntimeError for whatever it does not like
        raise ModelUnavailable(
            f"openvino cannot load {graph} (remove it if damaged; CUTGATE_ENGINE=onnxruntime may take it): {error}"
        ) from error


def _stem(graph: Path, options: Mapping[str, Any]) -> str:
    """The begin of a compiled network's name: its graph's digest, and that of all that compiling depends on."""
    processor = this_processor()
    facts = (openvino.__version__, processor.name, sorted(processor.features), sorted(options.items()))
    return f"{_digest(graph.name)}-{_digest(repr(facts))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _mapped(folder: Path, stem: str) -> NDArray[np.uint8] | None:
    """The compiled network that is kept, mapped into memory: workers of one machine share its pages."""
    path = find_whole(folder, stem, _COMPILED)
    try:
        return None if path is None else np.memmap(path, np.uint8, "c")
    except (OSError, ValueError):  # another process may just have removed it, and an empty file cannot be mapped
        return None


def _load_compiled(content: NDArray[np.uint8], options: Mapping[str, Any]) -> Any:
    """A compiled network, which needs `content` as long as it lives; None where the library does not take it."""
    try:
        return _CORE.import_model(openvino.Tensor(content, shared_memory=True), "CPU", options)
    except Exception as error:  # as above; the library checks version and processor itself, too
        log.warning("compiled_network_refused", reason=str(error))
        return None


def _keep_compiled(compiled: Any, folder: Path, stem: str) -> None:
    """Keep a compiled network, and the newest of its graph's others; a folder that cannot be written has none."""
    with suppress(OSError):
        kept = keep_whole(compiled.export_model().getbuffer(), folder, stem, _COMPILED)
        others = [path for path in folder.glob(f"{stem.partition('-')[0]}-*{_COMPILED}") if path != kept]
        others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in others[_MOST_COMPILED - 1 :]:
            path.unlink(missing_ok=True)


def compiled_dtype(compiled: Any) -> str:
    """The number type of most heavy layers of a compiled network, as its own report tells."""
    layers = (operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops())
    counts = Counter(
        str(layer["runtimePrecision"].astype(str)) for layer in layers if layer["layerType"].astype(str) in _HEAVY
    )
    if not counts:
        return "fp32"
    return _DTYPES[counts.most_common(1)[0][0]]
