"""What a network takes and gives, by its file, and whether that is what its row says."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import onnx
from onnx import TensorProto

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import WeightsFile

Value = Any
"""`onnx.ValueInfoProto`; protocol buffers are not typed."""

_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16)


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a network; as text names, types and shapes."""

    inputs: list[Value]
    outputs: list[Value]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file without loading the network.

        Raises:
            ModelUnavailable: it is no ONNX file, or not all of the network.
        """
        try:
            graph = onnx.load(path, load_external_data=False).graph
        except Exception as error:  # protocol buffers have errors of their own
            raise ModelUnavailable(f"{path.name} is not an ONNX file: {error}") from error
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.initializer):
            raise ModelUnavailable(
                f"{path.name} keeps its weights in other files: put them into one with "
                f"`python -c \"import onnx; onnx.save(onnx.load('{path.name}'), 'one.onnx')\"`"
            )
        stored = {tensor.name for tensor in graph.initializer}
        return cls([value for value in graph.input if value.name not in stored], list(graph.output))

    def __str__(self) -> str:
        return f"takes {_listed(self.inputs)}; gives {_listed(self.outputs)}"

    def fault(self, row: WeightsFile) -> str:
        """Why a row cannot be right for the network; empty if nothing speaks against it."""
        names = [value.name for value in self.outputs]
        if len(self.inputs) != 1:
            return f"has {len(self.inputs)} inputs: only a network of one picture can be run"
        if self.inputs[0].type.tensor_type.elem_type not in _FLOATS:
            return "takes no floats: only float32 and float16 can be fed"
        sides = _sides(self.inputs[0]) or [0] * 4
        if len(sides) != 4 or sides[0] not in {0, 1} or sides[1] not in {0, 3}:
            return "does not take one picture as (1, 3, height, width)"
        if not row.has_fixed_input and any(sides[2:]):
            return f"takes pictures of one size, and `fit` is {row.fit}: set it to stretch or letterbox"
        if any(side not in {0, wanted} for side, wanted in zip(sides[2:], row.input_px, strict=True)):
            return f"takes another size than its row has, {row.input_label}"
        if row.output_name is not None and row.output_name not in names:
            return f"has no output {row.output_name!r}: set `output_name` to one of {', '.join(names)}"
        if row.output_name is None and len(names) > 1 and row.digest is None:
            return "has several outputs: set `output_name` to the finest map, which many exports put last"
        return ""


def _sides(value: Value) -> list[int]:
    """A tensor's shape, with 0 for what is free; empty where nothing is said."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def _listed(values: Iterable[Value]) -> str:
    return ", ".join(
        f"{value.name} {TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()}"
        f"[{', '.join(str(side or '?') for side in _sides(value))}]"
        for value in values
    )
