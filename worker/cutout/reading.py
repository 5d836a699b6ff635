"""The meaning of a network's map, told by whoever runs the network."""

from dataclasses import dataclass
from typing import Final

from cutgate.worker.cutout.mask.segment import Soft


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a network's map becomes alpha, as far as that is not the caller's choice."""

    soft: Soft = Soft.DOUBT
    """With `ALPHA` the map itself is the cut-out's alpha, and only colours are estimated; a caller who asks for no
    refinement still has it stretched between thresholds."""


USUAL: Final = Reading()
"""Of a network that segments."""
