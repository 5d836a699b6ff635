"""Maps whose numbers have no fixed range: the least becomes background, the greatest subject, if there is one."""

from typing import Final

import numpy as np

from cutgate.worker.cutout.raster.arrays import SEEN, SURE, FloatMask, Floats
from cutgate.worker.cutout.raster.filters import shrink_to_fit, to_levels

MEASURED_SIDE_PX: Final = 512

SURE_SHARE: Final = 0.1
"""The share of sure pixels in what a map shows, up to which it shows nothing.

Maps of photos with a subject have 0.3 to 0.98 of them; what a network leaves where it sees nothing, stretched to
the full range, has 0.03 at most, for a few peaks stand in a haze.
"""


def stretched(output: Floats, least_range: float = 0.0) -> FloatMask:
    """A network's numbers as probabilities; those that differ by no more than `least_range` show no subject."""
    low, high = float(output.min()), float(output.max())
    if high - low <= least_range:
        return np.zeros_like(output)
    full: FloatMask = output - np.float32(low)
    full /= np.float32(high - low)
    small = shrink_to_fit(to_levels(full), MEASURED_SIDE_PX)
    seen, sure = (np.count_nonzero(small >= level) for level in (SEEN, SURE))
    return full if sure > SURE_SHARE * seen else np.zeros_like(output)
