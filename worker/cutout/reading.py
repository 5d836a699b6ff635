"""What a network's map means to the steps after it: told by whoever runs the network, with the network."""

from dataclasses import dataclass
from typing import Final

from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.matting.second_stage import Refine


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a network's map becomes alpha, as far as that is not the caller's choice."""

    soft: Soft = Soft.DOUBT
    """With `ALPHA` the map itself is the cut-out's alpha, and only colours are estimated; a caller who asks for no
    refinement still has it stretched between thresholds."""
    refine: Refine | None = None
    """What estimates alpha in the unknown band of a doubtful map; None for closed-form matting."""


USUAL: Final = Reading()
"""Of a network that segments."""
