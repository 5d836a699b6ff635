"""The engines and precisions that are compared, and what each is to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks import Absent
from benchmarks.bounds import Bound, at_least, at_most
from benchmarks.machine import processor
from cutgate.jobs.spec import Precision
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.settings import NetworkSettings

ONNXRUNTIME: Final = "onnxruntime"
OPENVINO: Final = "openvino"
BF16_FLAGS: Final = {"avx512_bf16", "amx_bf16"}

Goals = Mapping[float, Bound]
"""By megapixels."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine with a precision."""

    engine: str
    precision: Precision

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.engine} {self.precision}"


EXACT_HERE: Final = Choice(ONNXRUNTIME, Precision.EXACT)
EXACT_BF16: Final = Choice(OPENVINO, Precision.EXACT)
FAST_HERE: Final = Choice(ONNXRUNTIME, Precision.FAST)
FAST_OPENVINO: Final = Choice(OPENVINO, Precision.FAST)
CHOICES: Final = (EXACT_HERE, EXACT_BF16, FAST_HERE, FAST_OPENVINO)

JOB_OFF: Final[Mapping[Choice, Goals]] = {
    EXACT_HERE: {1: at_most(1.03), 4: at_most(1.07), 12: at_most(1.18)},
    EXACT_BF16: {1: at_most(1.05), 4: at_most(1.12), 12: at_most(1.30)},
    FAST_HERE: {1: at_most(1.08)},
    FAST_OPENVINO: {1: at_most(1.08)},
}
JOB_AUTO: Final[Mapping[Choice, Goals]] = {
    EXACT_HERE: {1: at_most(1.10), 4: at_most(1.16), 12: at_most(1.30)},
    EXACT_BF16: {1: at_most(1.15), 4: at_most(1.30), 12: at_most(1.40)},
    FAST_HERE: {1: at_most(1.20), 12: at_most(1.70)},
    FAST_OPENVINO: {1: at_most(1.20), 12: at_most(1.70)},
}
"""A whole job over the network alone, on one engine."""

OVER_PLAIN: Final[Mapping[Choice, Goals]] = {
    EXACT_HERE: {1: at_least(1.3), 4: at_least(1.7), 12: at_least(2.5)},
    EXACT_BF16: {1: at_least(3), 4: at_least(4), 12: at_least(5)},
    FAST_HERE: {1: at_least(3), 4: at_least(4), 12: at_least(5)},
    FAST_OPENVINO: {1: at_least(5), 4: at_least(6), 12: at_least(7)},
}
"""rembg's time over ours, both without refinement."""

OVER_MATTING: Final[Mapping[Choice, Goals]] = {
    EXACT_HERE: {1: at_least(4), 4: at_least(8)},
    EXACT_BF16: {1: at_least(4), 4: at_least(8)},
    FAST_HERE: {1: at_least(8), 4: at_least(16)},
    FAST_OPENVINO: {1: at_least(8), 4: at_least(16)},
}
"""rembg's time with matting over ours with refinement."""


def require(choice: Choice) -> None:
    """Make sure that a choice means here what its goals were set for."""
    if choice == EXACT_BF16 and not BF16_FLAGS & set(processor()[1]):
        raise Absent(f"this processor has none of {', '.join(sorted(BF16_FLAGS))}")


def load(choice: Choice) -> Segmenter:
    """The default model on a choice's engine."""
    require(choice)
    return load_segmenter(NetworkSettings(engine=choice.engine, precision=choice.precision))
