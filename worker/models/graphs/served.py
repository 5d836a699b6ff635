"""A prepared graph for an inference server: 8-bit levels in, and out where they can be.

Each step is one that the worker does for a local engine (`engines/processing.py`), in its order and in single
precision, so that the mask is the same, byte for byte.
"""

from typing import Any, Final

import numpy as np
import onnx
import onnx.checker
import onnx.compose
import onnx.helper
import onnx.version_converter
from onnx import TensorProto, numpy_helper

from cutgate.worker.models.weights.model import OutputKind, WeightsFile

INPUT, OUTPUT, BATCH = "picture", "mask", "batch"
_INNER: Final = "network_"
_LARGEST: Final = float(np.finfo(np.float32).max)
_LEAST_OPSET: Final = 13
_AXES_ARE_INPUT: Final = 18
"""From this opset on, reductions take their axes as a tensor."""


def make_served(model: Any, row: WeightsFile, *, free_batch: bool) -> Any:
    """Lay pre- and post-processing around a prepared graph.

    Args:
        model: as `prepare` or `quantize` made it.
        row: of its weights.
        free_batch: leave the number of pictures open, which not every network stands.

    Returns:
        A model from `picture`, (batch, 3, height, width) uint8, to `mask`: uint8 where the row says so, else the
        network's own output.
    """
    if (opset := _opset(model)) < _LEAST_OPSET:
        model, opset = onnx.version_converter.convert_version(model, _LEAST_OPSET), _LEAST_OPSET
    made = onnx.compose.add_prefix(model, _INNER)
    graph = made.graph
    fed, given = graph.input[0], graph.output[0]
    before, constants = _normalised(row, fed)
    after = [_node("Identity", [given.name], OUTPUT)]
    if row.is_served_in_levels:
        axes = list(range(1, len(given.type.tensor_type.shape.dim)))
        after = _levels(row, given.name, axes, as_input=opset >= _AXES_ARE_INPUT)
        constants += _constants_of_levels(row, axes)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    output_type = TensorProto.UINT8 if row.is_served_in_levels else given.type.tensor_type.elem_type
    _rename(fed, INPUT, TensorProto.UINT8)
    _rename(given, OUTPUT, output_type)
    if free_batch:
        for value in (fed, given):
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
        del graph.value_info[:]  # they name the one picture
    onnx.checker.check_model(made)
    return made


def _normalised(row: WeightsFile, fed: Any) -> tuple[list[Any], list[Any]]:
    """Nodes and constants from levels to the network's input: levels / (255 std) - mean / std."""
    mean, std = (np.asarray(values, np.float32).reshape(3, 1, 1) for values in (row.mean, row.std))
    nodes = [
        _node("Cast", [INPUT], "levels_in", to=TensorProto.FLOAT),
        _node("Div", ["levels_in", "divisor"], "scaled"),
        _node("Sub", ["scaled", "shift"], "normalised"),
        _node("Cast", ["normalised"], fed.name, to=fed.type.tensor_type.elem_type),
    ]
    return nodes, [_constant("divisor", 255 * std), _constant("shift", mean / std)]


def _levels(row: WeightsFile, given: str, axes: list[int], *, as_input: bool) -> list[Any]:
    """Nodes from the network's output to levels; what is no number counts as background, as for a local engine."""
    nodes = [
        _node("Cast", [given], "single", to=TensorProto.FLOAT),
        _node("IsNaN", ["single"], "is_nan"),
        _node("Where", ["is_nan", "zero", "single"], "numbers"),
        _node("Clip", ["numbers", "least", "most"], "finite"),
    ]
    values = "finite"
    if row.output is OutputKind.RANGE:
        inputs, attributes = ([values, "axes"], {}) if as_input else ([values], {"axes": axes})
        nodes += [
            _node("ReduceMin", inputs, "low", keepdims=1, **attributes),
            _node("ReduceMax", inputs, "high", keepdims=1, **attributes),
            _node("Sub", ["high", "low"], "range"),
            _node("Sub", [values, "low"], "above"),
            _node("Greater", ["range", "least_range"], "has_subject"),
            # One number decides, not a choice for each pixel: what is divided by infinity is background.
            _node("Where", ["has_subject", "range", "infinite"], "subject_range"),
            _node("Div", ["above", "subject_range"], "stretched"),
        ]
        values = "stretched"
    return [
        *nodes,
        _node("Clip", [values, "zero", "one"], "probability"),
        _node("Mul", ["probability", "levels"], "scaled_up"),
        _node("Round", ["scaled_up"], "rounded"),
        _node("Cast", ["rounded"], OUTPUT, to=TensorProto.UINT8),
    ]


def _constants_of_levels(row: WeightsFile, axes: list[int]) -> list[Any]:
    values = {
        "zero": 0,
        "one": 1,
        "levels": 255,
        "least": -_LARGEST,
        "most": _LARGEST,
    }
    made = [_constant(name, np.asarray(value)) for name, value in values.items()]
    if row.output is not OutputKind.RANGE:
        return made
    bounds = numpy_helper.from_array(np.asarray(axes, np.int64), "axes")
    scalars = {"least_range": row.least_range, "infinite": np.inf}
    return [*made, *(_constant(name, np.asarray(value)) for name, value in scalars.items()), bounds]


def _opset(model: Any) -> int:
    return next(int(known.version) for known in model.opset_import if known.domain in {"", "ai.onnx"})


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs, [output], **attributes)


def _constant(name: str, values: Any) -> Any:
    return numpy_helper.from_array(values.astype(np.float32), name)


def _rename(value: Any, name: str, dtype: int) -> None:
    value.name = name
    value.type.tensor_type.elem_type = dtype
