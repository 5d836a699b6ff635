"""The networks at work: the only module that loads ONNX Runtime.

A session does not survive a fork: load a segmenter in the process that runs it.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime

from worker.cutout.arrays import ByteMask, Floats, RgbImage
from worker.cutout.segment import Predict
from worker.models.errors import ModelUnavailable
from worker.models.files import ensure_weights
from worker.models.prepare import prepared_graph
from worker.models.registry import OutputKind, WeightsFile, find_model
from worker.models.zoo import zoo_predict
from worker.settings import Device, NetworkSettings

_WARM_UP_PX: Final = 64
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"

Providers = list[str | tuple[str, dict[str, str]]]


class Segmenter:
    """A network that is loaded and warm: from a picture to the coarse mask of its subject.

    Attributes:
        model: name of the model.
        engine: the library that runs it, with its version.
        provider: the execution provider that is active, not the one that was asked for.
        threads: threads of the network on the CPU.
        predict: the network itself, without the lock.
    """

    def __init__(self, predict: Predict, *, model: str, provider: str, threads: int) -> None:
        self.model = model
        self.engine = f"onnxruntime {onnxruntime.__version__}"
        self.provider = provider
        self.threads = threads
        self.predict = predict
        self._one_at_a_time = threading.Lock()

    def __call__(self, image: RgbImage) -> ByteMask:
        """The coarse foreground probability of a picture.

        Runs follow one another: one run already keeps every thread busy.

        Args:
            image: (height, width, 3) uint8, sRGB.

        Returns:
            (height, width) uint8; 255 is certain foreground.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")
        with self._one_at_a_time:
            return self.predict(image)


def load_segmenter(settings: NetworkSettings) -> Segmenter:
    """Find or fetch the model's weights, prepare them, load them, and run them once.

    Raises:
        ModelUnavailable: the model cannot be run here as the settings ask; the text says why and what to do.
    """
    threads = settings.thread_count()
    providers = _providers(settings.device)
    options = _session_options(threads)
    model = find_model(settings.model, settings.models_dir)
    if model is None:
        session, predict = zoo_predict(settings.model, options, providers)
    else:
        weights = ensure_weights(model, settings.models_dir)
        graph = prepared_graph(weights, settings.cache_dir, widen=settings.device is Device.CPU)
        session = _open_session(graph.as_posix(), options, providers)
        predict = NetworkRun(session, weights.row)
    provider = _active_provider(session, settings.device)
    segmenter = Segmenter(predict, model=settings.model, provider=provider, threads=threads)
    _warm_up(segmenter)
    return segmenter


class NetworkRun:
    """One session with the row that says how to feed it."""

    def __init__(self, session: onnxruntime.InferenceSession, row: WeightsFile) -> None:
        self._session = session
        self._row = row
        self._input = session.get_inputs()[0].name
        half = session.get_inputs()[0].type == "tensor(float16)"
        height_px, width_px = row.input_px
        self._buffer = np.empty((1, 3, height_px, width_px), np.float16 if half else np.float32)
        # (x / 255 - mean) / std as one multiplication and one addition.
        self._scale = np.float32(1) / (np.float32(255) * np.asarray(row.std, np.float32))
        self._shift = -np.asarray(row.mean, np.float32) / np.asarray(row.std, np.float32)

    def __call__(self, image: RgbImage) -> ByteMask:
        """As `Segmenter.__call__`, for one caller at a time."""
        height_px, width_px = self._row.input_px
        small = resize(image, height_px, width_px)
        for channel in range(3):
            np.multiply(small[..., channel], self._scale[channel], out=self._buffer[0, channel], casting="unsafe")
            self._buffer[0, channel] += self._shift[channel]
        mask = _probability(self.run_session(), self._row.output)
        levels = np.clip(np.rint(mask * 255), 0, 255).astype(np.uint8)
        return np.asarray(resize(levels, *image.shape[:2]))

    def run_session(self) -> Floats:
        """The network alone, on the input that was prepared last: its first output as (height, width)."""
        output = np.asarray(self._session.run(None, {self._input: self._buffer})[0], np.float32)
        return output.reshape(output.shape[-2:])


def resize(array: Any, height_px: int, width_px: int) -> Any:
    """Resize a picture or map: averaging where it shrinks, linearly where it grows. Dtype and range are kept."""
    shrinks = height_px * width_px < array.shape[0] * array.shape[1]
    return cv2.resize(array, (width_px, height_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _probability(output: Floats, kind: OutputKind) -> Floats:
    """What the network put out as a probability. A map without contrast, or without numbers, has no subject."""
    output = np.nan_to_num(output, copy=False)
    if kind is OutputKind.LOGIT:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * output)), np.float32)
    if kind is OutputKind.RANGE:
        low, high = float(output.min()), float(output.max())
        return (output - low) / (high - low) if high > low else np.zeros_like(output)
    return output


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads sleep instead of spinning: workers share their processors, and it costs a fiftieth.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what falls back to the CPU is checked, not read in a log
    return options


def _providers(device: Device) -> Providers:
    if device is Device.CPU:
        return [_CPU]
    if _CUDA not in onnxruntime.get_available_providers():
        raise ModelUnavailable(
            "this onnxruntime has no CUDA: `pip uninstall onnxruntime`, then `pip install keycut[worker,gpu]`"
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


def _open_session(
    path: str, options: onnxruntime.SessionOptions, providers: Providers
) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # every error class of the library is private to it
        raise ModelUnavailable(f"onnxruntime cannot load {path} (remove it if it is damaged): {error}") from error


def _active_provider(session: onnxruntime.InferenceSession, device: Device) -> str:
    """The provider that the session runs on; a missing CUDA library makes it fall back without an error."""
    provider = str(session.get_providers()[0])
    if device is Device.GPU and provider != _CUDA:
        raise ModelUnavailable(
            f"a GPU was asked for but the network would run on {provider}: CUDA, cuDNN or the driver cannot be "
            "loaded; check `nvidia-smi` and the GPU's access from this container, or set KEYCUT_DEVICE=cpu"
        )
    return provider


def _warm_up(segmenter: Segmenter) -> None:
    """Run once, so that memory is laid out and a network of another kind shows now."""
    try:
        mask = segmenter(np.full((_WARM_UP_PX, _WARM_UP_PX, 3), 128, np.uint8))
    except Exception as error:  # as above, and a model that wants other inputs fails in its own ways
        raise ModelUnavailable(f"{segmenter.model} cannot be run on a picture: {error}") from error
    if mask.shape != (_WARM_UP_PX, _WARM_UP_PX):
        raise ModelUnavailable(f"{segmenter.model} does not give one mask for one picture")
