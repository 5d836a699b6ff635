"""A network for one picture made one for any number: the batch of 1 that its export fixed becomes a free one."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

BATCH: Final = "batch"
"""Name of the free dimension."""
_ADDED: Final = "free_batch/"
"""Prefix of the names that are added."""
_SHAPE_INPUT: Final = {"Reshape": 1, "Resize": 3}
"""Which input of an operator is the shape that it makes."""


def free_batch(model: Any) -> Any:
    """Let the first dimension of the network's inputs and outputs be free.

    Constants that hold a batch of 1 are mended: the shapes of `Reshape`, whose leading 1 becomes "as it comes",
    and the sizes of `Resize`, whose leading 1 is read from its input. Shapes that the network computes itself
    follow by themselves. Only running it shows whether a network keeps the pictures of a batch apart.

    Args:
        model: an `onnx.ModelProto`; it is changed.

    Returns:
        The same object.
    """
    graph = model.graph
    constants = dict(_constants(graph))
    pictures = _values_of_pictures(graph) & _batches_of_one(model)
    nodes = []
    for number, node in enumerate(graph.node):
        shape = _fixed_shape(node, constants) if node.input and node.input[0] in pictures else None
        if shape is not None:
            nodes += _shape_nodes(node, shape, f"{_ADDED}{number}")
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # the runtime infers the shapes in between anew
    for value in (*graph.input, *graph.output):
        if value.name in pictures:
            value.type.tensor_type.shape.dim[0].dim_param = BATCH
    return model


def _constants(graph: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every constant of the graph that can be a shape."""
    for tensor in graph.initializer:
        if len(tensor.dims) == 1:
            yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            yield node.output[0], numpy_helper.to_array(node.attribute[0].t)


def _values_of_pictures(graph: Any) -> set[str]:
    """Names of the values that are computed from the network's input, but for those that only tell its shape."""
    stored = {tensor.name for tensor in graph.initializer}
    names = {value.name for value in graph.input} - stored
    found = -1
    while found != len(names):  # again, since converters leave operators behind those that read them
        found = len(names)
        for node in graph.node:
            if node.op_type != "Shape" and names.intersection(node.input):
                names.update(node.output)
    return names


def _batches_of_one(model: Any) -> set[str]:
    """Names of the values whose first dimension is known to be 1."""
    graph = shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.output, *graph.value_info)
    shapes = ((value.name, value.type.tensor_type.shape.dim) for value in values)
    return {name for name, dimensions in shapes if dimensions and dimensions[0].dim_value == 1}


def _fixed_shape(node: Any, constants: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """The constant shape that this operator makes, if it fixes a batch of 1."""
    place = _SHAPE_INPUT.get(node.op_type)
    if place is None or len(node.input) <= place or any(one.name == "axes" for one in node.attribute):
        return None
    shape = constants.get(node.input[place])
    return shape if shape is not None and shape.ndim == 1 and len(shape) > 1 and shape[0] == 1 else None


def _shape_nodes(node: Any, shape: NDArray[Any], name: str) -> list[Any]:
    """What computes the shape for any batch; the operator is changed to read it."""
    place = _SHAPE_INPUT[node.op_type]
    node.input[place] = f"{name}/shape"
    if node.op_type == "Reshape":
        return [_constant(f"{name}/shape", np.array([0, *shape[1:]], np.int64))]
    return [
        _constant(f"{name}/first", np.array([0], np.int64)),
        _constant(f"{name}/rest", shape[1:].astype(np.int64)),
        helper.make_node("Shape", [node.input[0]], [f"{name}/whole"]),
        helper.make_node("Gather", [f"{name}/whole", f"{name}/first"], [f"{name}/count"]),
        helper.make_node("Concat", [f"{name}/count", f"{name}/rest"], [f"{name}/shape"], axis=0),
    ]


def _constant(name: str, value: NDArray[Any]) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
