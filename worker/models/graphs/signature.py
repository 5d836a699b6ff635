"""What a network takes and gives, by its file, and whether that is what its row says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import onnx
from onnx import TensorProto

from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.model import WeightsFile

_FLOATS: Final = ("float", "float16")


class Value(NamedTuple):
    """An input or output of a network."""

    name: str
    dtype: str
    """As ONNX calls it, in lower case."""
    sides: tuple[int, ...]
    """Its shape, with 0 for what is free; empty where nothing is said."""

    @classmethod
    def of(cls, value: Any) -> Self:
        """Of an `onnx.ValueInfoProto`, which would keep the whole network in memory."""
        tensor = value.type.tensor_type
        sides = tuple(dimension.dim_value for dimension in tensor.shape.dim)
        return cls(value.name, TensorProto.DataType.Name(tensor.elem_type).lower(), sides)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join(str(side or '?') for side in self.sides)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a network; as text names, types and shapes."""

    inputs: Sequence[Value]
    outputs: Sequence[Value]

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
        inputs = (value for value in graph.input if value.name not in stored)
        return cls([*map(Value.of, inputs)], [*map(Value.of, graph.output)])

    def __str__(self) -> str:
        return f"takes {', '.join(map(str, self.inputs))}; gives {', '.join(map(str, self.outputs))}"

    def fault(self, row: WeightsFile) -> str:
        """Why a row cannot be right for the network; empty if nothing speaks against it."""
        names = [value.name for value in self.outputs]
        if len(self.inputs) != 1:
            return f"has {len(self.inputs)} inputs: only a network of one picture can be run"
        if self.inputs[0].dtype not in _FLOATS:
            return "takes no floats: only float32 and float16 can be fed"
        sides = self.inputs[0].sides or (0,) * 4
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
