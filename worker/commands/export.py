"""`models export --v2`: a model repository for Triton, OpenVINO Model Server and KServe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from cutgate.files import write_whole
from cutgate.worker.commands.bench import sample_picture, why_not_exact
from cutgate.worker.models.engines.onnxruntime_engine import OnnxRuntimeEngine
from cutgate.worker.models.engines.plans import plan_for
from cutgate.worker.models.engines.processing import Processing
from cutgate.worker.models.engines.remote_engine import served_name
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import prepared_graph
from cutgate.worker.models.graphs.served import make_served
from cutgate.worker.models.graphs.signature import Signature, Value
from cutgate.worker.models.weights.files import Say, Weights, ensure_weights
from cutgate.worker.models.weights.registry import find_model
from cutgate.worker.settings import Device, EngineName, NetworkSettings

MOST_AT_ONCE: Final = 8
"""Pictures in a batch of the server, unless asked for otherwise."""
QUEUE_DELAY_MICROSECONDS: Final = 2000
_KINDS: Final = {Device.CPU: "KIND_CPU", Device.GPU: "KIND_GPU"}
_TENSORRT: Final = """\
# TensorRT computes in half precision here, so masks may differ by some levels from a local worker's. Building its
# engine takes minutes; it is kept in this folder, which has to outlive the server.
optimization { execution_accelerators {
  gpu_execution_accelerator: [ {
    name: "tensorrt"
    parameters { key: "precision_mode" value: "FP16" }
    parameters { key: "trt_engine_cache_enable" value: "true" }
    parameters { key: "trt_engine_cache_path" value: "/var/cache/tensorrt" }
    parameters { key: "trt_timing_cache_enable" value: "true" }
    parameters { key: "trt_timing_cache_path" value: "/var/cache/tensorrt" }
%s  } ]
} }
"""


def export_model(
    settings: NetworkSettings, folder: Path, say: Say, *, batch: int = MOST_AT_ONCE, tensorrt: bool = False
) -> Path:
    """Write `NAME/1/model.onnx` and `NAME/config.pbtxt` into a model repository.

    Args:
        settings: which model and precision; of `gpu` the graph keeps the numbers of its weights.
        folder: the repository; made if it is missing.
        say: told, a line at a time, what is done.
        batch: pictures that the server may run at once. The runtime optimises a graph for any number of them in
            other ways: only with 1 is a mask that of a local worker, byte for byte; else few levels differ by 1.
        tensorrt: have Triton run the graph by TensorRT.

    Returns:
        The model's folder.

    Raises:
        ModelUnavailable: the model cannot be had or be served.
        OSError: the folder cannot be written.
    """
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        raise ModelUnavailable(f"{settings.model} runs through rembg and cannot be exported")
    weights = ensure_weights(model, settings.models_dir, say, cache_dir=settings.cache_dir)
    variant = plan_for(settings.model_copy(update={"engine": EngineName.ONNXRUNTIME})).variant
    graph = prepared_graph(weights, settings.cache_dir, variant)
    target = folder / served_name(model.name, settings.precision)
    path = target / "1" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    at_once = _write_graph(graph, weights, path, settings.thread_count(), batch, say)
    text = "".join(_config(target.name, Signature.read(path), at_once, settings.device, tensorrt=tensorrt))
    write_whole(target / "config.pbtxt", text.encode())
    return target


def _write_graph(graph: Path, weights: Weights, path: Path, threads: int, batch: int, say: Say) -> int:
    """Write the graph for so many pictures at once as it stands; how many these are."""
    for at_once in sorted({batch, 1}, reverse=True):
        served = make_served(onnx.load(graph), weights.row, free_batch=at_once > 1)
        write_whole(path, served.SerializeToString())
        fault = _why_not_batched(path, weights, threads) if at_once > 1 else ""
        if not fault:
            break
        say(f"{path.parent.parent.name} is served one picture at a time: {fault}")
    return at_once


def _why_not_batched(path: Path, weights: Weights, threads: int) -> str:
    """Why two pictures at once do not give what each gives alone; empty where they do."""
    processing, picture = Processing(weights.row, np.dtype(np.uint8)), sample_picture()
    pair = np.concatenate([processing.new_batch(*weights.row.input_for(*picture.shape[:2])) for _ in range(2)])
    for slot, image in zip(pair, (picture, np.ascontiguousarray(picture[::-1, ::-1])), strict=True):
        processing.prepare(image, slot)
    try:
        engine = OnnxRuntimeEngine(path, threads=threads, device=Device.CPU)
        together, alone = engine.run(pair), [engine.run(slot[None])[0] for slot in pair]
        masks = [[processing.mask(each, *picture.shape[:2]) for each in maps] for maps in (together, alone)]
    except Exception as error:  # every error class of the library is private to it
        return f"more cannot be run ({str(error).splitlines()[0]})"
    return next(filter(None, map(why_not_exact, *masks)), "")


def _config(name: str, tensors: Signature, at_once: int, device: Device, *, tensorrt: bool) -> Iterator[str]:
    """A model's configuration for Triton; other servers read the graph alone."""
    is_batched = at_once > 1
    yield f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {at_once if is_batched else 0}\n'
    for role, (value,) in (("input", tensors.inputs), ("output", tensors.outputs)):
        sides = value.sides[1:] if is_batched else value.sides
        kind = {"uint8": "TYPE_UINT8", "float16": "TYPE_FP16"}.get(value.dtype, "TYPE_FP32")
        dims = ", ".join(str(side or -1) for side in sides)
        yield f'{role} [ {{ name: "{value.name}" data_type: {kind} dims: [ {dims} ] }} ]\n'
    if is_batched:
        yield f"dynamic_batching {{ max_queue_delay_microseconds: {QUEUE_DELAY_MICROSECONDS} }}\n"
    yield f"instance_group [ {{ count: 1 kind: {_KINDS[device]} }} ]\n"
    if tensorrt:
        yield _TENSORRT % "".join(_profiles(tensors.inputs[0], at_once))


def _profiles(value: Value, at_once: int) -> Iterator[str]:
    """TensorRT's range of batches; a network for pictures of any size has its engine built for each anew."""
    if at_once == 1 or 0 in value.sides[1:]:
        return
    for which, count in (("min", 1), ("opt", at_once), ("max", at_once)):
        shape = "x".join(map(str, (count, *value.sides[1:])))
        yield f'    parameters {{ key: "trt_profile_{which}_shapes" value: "{value.name}:{shape}" }}\n'
