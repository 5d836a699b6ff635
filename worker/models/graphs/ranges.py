"""Tables of activation ranges: what turning a network into 8-bit integers takes beside its weights."""

from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Span = tuple[float, float]
"""Smallest and largest value that a tensor is given room for."""


class RangeTable(BaseModel):
    """The ranges of one network's activations, measured on photos, as a file of this package.

    They hold for the very weights that they were measured with. A range is not the extremes: rare outliers over a
    tiny area would take most of the 256 steps. Clipping at the 99.99th percentile is what makes 8 bits enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    float_prefixes: Annotated[tuple[str, ...], Field(alias="float")]
    """Nodes whose names begin so stay in single precision."""
    spans: dict[str, Span]
    """Of the network's input and of nodes whose output has both signs."""
    tops: dict[str, float]
    """Upper limits of nodes whose output is not negative, their Relu included."""

    def span(self, name: str) -> Span:
        """The range of a node's output, or of the network's input.

        Raises:
            KeyError: the table has none.
        """
        return self.spans[name] if name in self.spans else (0.0, self.tops[name])


def read_table(file_name: str) -> RangeTable:
    """A table of this package."""
    return RangeTable.model_validate_json(
        resources.files("cutgate.worker.models.graphs").joinpath(file_name).read_bytes()
    )
