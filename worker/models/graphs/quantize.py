"""From a network in floats to one in 8-bit integers, by a table of activation ranges.

No pictures and no inference: weights are rounded by their own largest value for each output channel, activations
by the table. The result is an ordinary graph with QuantizeLinear and DequantizeLinear around its operators, which
engines fuse into integer kernels: unsigned activations, signed weights, 32-bit biases. The same weights and table
give the same graph.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engine import DTYPE_KEY
from cutgate.worker.models.graphs.float_graph import FloatGraph, Node
from cutgate.worker.models.graphs.ranges import RangeTable, Span

_STEPS: Final = 255
_INT32_LIMIT: Final = 2**31 - 1
_LEAST_WEIGHT: Final = 1e-10
"""Below it a channel's largest weight counts as this, so that a channel of zeros has a scale."""
_PASSED_ON: Final = frozenset({"Add", "Concat", "MaxPool", "Resize"})
"""Operators that engines run on integers; others read and write floats."""


def quantize(model: Any, table: RangeTable, *, weight_bits: int) -> Any:
    """The model in 8-bit integers, its weights in 8 bits, or in 7 for processors without VNNI.

    It is in single precision, has one input of fixed size and one output, and is made of convolutions, Relu, Add,
    Concat, MaxPool, Resize and what may end a network.
    """
    graph = FloatGraph(model)
    writer = _Writer(graph, table, 2 ** (weight_bits - 1) - 1)
    for node in graph.nodes:
        writer.write(node)
    writer.nodes[-1].output[0] = model.graph.output[0].name
    made = helper.make_graph(
        writer.nodes, f"{model.graph.name}_int8", model.graph.input, model.graph.output, writer.constants
    )
    quantized = helper.make_model(made, opset_imports=model.opset_import, ir_version=model.ir_version)
    helper.set_model_props(quantized, {DTYPE_KEY: "int8"})
    return quantized


class _Writer:
    """Writes the quantised network, node by node in the order of computation."""

    def __init__(self, graph: FloatGraph, table: RangeTable, weight_limit: int) -> None:
        self._graph, self._table, self._weight_limit = graph, table, weight_limit
        self.nodes: list[Node] = []
        self.constants: list[Any] = []
        self._rounded: dict[str, str] = {}
        """Tensors that were rounded to 8 bits, by name, with the name of their rounded floats."""
        self._written: set[str] = set()
        self._writers: dict[str, Callable[[Node], None]] = {"Conv": self._write_conv, "Relu": self._write_relu}

    def write(self, node: Node) -> None:
        """Write one node."""
        self._writers.get(node.op_type, self._write_other)(node)

    def _write_conv(self, node: Node) -> None:
        weight, bias = self._graph.weight(node), self._graph.bias(node)
        if self._stays_float(node):
            source = self._read(self._graph.data_inputs(node)[0])
            names = [self._constant(f"{node.output[0]}_w", weight), self._constant(f"{node.output[0]}_b", bias)]
            self._copy(node, [source, *names], node.output[0])
            return
        source = self._graph.data_inputs(node)[0]
        steps = np.abs(weight).max(axis=(1, 2, 3))
        weight_scale = (np.maximum(steps, _LEAST_WEIGHT) / self._weight_limit).astype(np.float32)
        bias_scale = (weight_scale * _scale(self._span(source))[0]).astype(np.float32)
        levels = np.round(weight / weight_scale[:, None, None, None]).astype(np.int8)
        sums = np.round(bias.astype(np.float64) / bias_scale).clip(-_INT32_LIMIT, _INT32_LIMIT).astype(np.int32)
        output = node.output[0]
        if self._table.span(node.name)[0] == 0:
            # Rounding to unsigned numbers clamps at 0 where the range begins there: the Relu costs nothing.
            output = self._graph.relu_alone.get(output, output)
        inputs = [
            self._round(source),
            self._rounded_constant(f"{node.output[0]}_w", levels, weight_scale),
            self._rounded_constant(f"{node.output[0]}_b", sums, bias_scale),
        ]
        self._copy(node, inputs, output)
        self._round(output)

    def _write_relu(self, node: Node) -> None:
        if node.output[0] not in self._written:
            self._copy(node, [self._read(self._graph.data_inputs(node)[0])], node.output[0])

    def _write_other(self, node: Node) -> None:
        sources = self._graph.data_inputs(node)
        on_integers = (
            node.op_type in _PASSED_ON
            and not self._stays_float(node)
            and any(source in self._rounded for source in sources)
        )
        inputs = [self._round(source) if on_integers else self._read(source) for source in sources]
        if node.op_type == "Resize":
            size = np.array(self._graph.shape(node.output[0]), np.int64)
            inputs += ["", "", self._constant(f"{node.output[0]}_size", size)]
        self._copy(node, inputs, node.output[0])
        if on_integers:
            self._round(node.output[0])

    def _stays_float(self, node: Node) -> bool:
        return bool(node.name.startswith(self._table.float_prefixes))

    def _span(self, tensor: str) -> Span:
        """The range of a tensor: the table's, or that of what it is made of."""
        node = self._graph.producer.get(tensor)
        if node is None:
            return self._table.span(tensor)
        if node.op_type in {"Concat", "MaxPool", "Relu", "Resize"}:
            spans = [self._span(source) for source in self._graph.data_inputs(node)]
            return min(low for low, _ in spans), max(high for _, high in spans)
        return self._table.span(node.name)

    def _read(self, tensor: str) -> str:
        """The name under which a tensor is read as it is."""
        return self._rounded.get(tensor, tensor)

    def _round(self, tensor: str) -> str:
        """The name under which a tensor is read rounded to 8 bits."""
        if tensor not in self._rounded:
            scale, zero_point = _scale(self._span(tensor))
            parameters = [
                self._constant(f"{tensor}_scale", np.array(scale, np.float32)),
                self._constant(f"{tensor}_zero", np.array(zero_point, np.uint8)),
            ]
            self._node("QuantizeLinear", [tensor, *parameters], f"{tensor}_q")
            self._rounded[tensor] = self._node("DequantizeLinear", [f"{tensor}_q", *parameters], f"{tensor}_dq")
        return self._rounded[tensor]

    def _rounded_constant(self, name: str, levels: NDArray[Any], scale: Floats) -> str:
        """Integers with a scale for each output channel, read as floats."""
        inputs = [
            self._constant(f"{name}_q", levels),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", np.zeros(len(scale), levels.dtype)),
        ]
        return self._node("DequantizeLinear", inputs, f"{name}_dq", axis=0)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{operator}_{output}", **attributes))
        return output

    def _copy(self, node: Node, inputs: list[str], output: str) -> None:
        """Write a node with its attributes, reading and writing other names."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = inputs
        copy.output[:] = [output]
        self.nodes.append(copy)
        self._written.add(output)


def _scale(span: Span) -> tuple[float, int]:
    """The step between two of the 256 levels, and the level that stands for 0."""
    low, high = span
    scale = (high - low) / _STEPS
    return scale, round(-low / scale)
