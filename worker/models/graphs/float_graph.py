"""A network in floats as one reads it: without casts, and without the arithmetic that finds sizes."""

from collections import Counter
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
from onnx import numpy_helper

from cutgate.worker.cutout.raster.arrays import Floats

Node = Any
"""`onnx.NodeProto`; protocol buffers are not typed."""


class FloatGraph:
    """What makes the output of a network whose input has a fixed size: its nodes, in the order of computation.

    `relu_alone` holds tensors that a Relu and nothing else reads, with the Relu's output.
    """

    def __init__(self, model: Any) -> None:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        self.producer: dict[str, Node] = {name: node for node in graph.node for name in node.output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._shapes = {
            value.name: tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
            for value in (*graph.value_info, *graph.output)
        }
        self.nodes = self._in_order(graph.output[0].name)
        readers = Counter(tensor for node in self.nodes for tensor in self.data_inputs(node))
        self.relu_alone = {
            self.data_inputs(node)[0]: node.output[0]
            for node in self.nodes
            if node.op_type == "Relu" and readers[self.data_inputs(node)[0]] == 1
        }

    def data_inputs(self, node: Node) -> list[str]:
        """The tensors that a node computes with; weights and sizes are not among them."""
        inputs = node.input[:1] if node.op_type in {"Conv", "Resize"} else node.input
        return [self._origin(name) for name in inputs]

    def weight(self, node: Node) -> Floats:
        """The weights of a convolution: (output channels, input channels, height, width)."""
        return self._values(node.input[1])

    def bias(self, node: Node) -> Floats:
        """The biases of a convolution: (output channels,)."""
        if len(node.input) < 3:
            return np.zeros(len(self.weight(node)), np.float32)
        return self._values(node.input[2])

    def shape(self, tensor: str) -> tuple[int, ...]:
        """The size of a tensor along each axis."""
        shape = self._shapes.get(tensor, ())
        if not shape or 0 in shape:
            raise ValueError(f"the size of {tensor} is not known before the network runs")
        return shape

    def _values(self, name: str) -> Floats:
        origin = self._origin(name)
        node = self.producer.get(origin)
        tensor = self._constants[origin] if node is None else node.attribute[0].t
        return numpy_helper.to_array(tensor).astype(np.float32)

    def _origin(self, name: str) -> str:
        """The tensor behind casts."""
        while name in self.producer and self.producer[name].op_type == "Cast":
            name = self.producer[name].input[0]
        return name

    def _in_order(self, output: str) -> list[Node]:
        needs: dict[str, list[str]] = {}
        left = [self._origin(output)]
        while left:
            tensor = left.pop()
            if tensor in self.producer and tensor not in needs:
                needs[tensor] = self.data_inputs(self.producer[tensor])
                left.extend(needs[tensor])
        order = TopologicalSorter(needs).static_order()
        return [self.producer[tensor] for tensor in order if tensor in self.producer]
