"""A mask made smooth and whole for callers who want no fine detail: no frayed edge, no specks."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import SEEN, SURE, ByteMask, Bytes
from cutgate.worker.cutout.raster.filters import disc, enlarged, looked_up, shrink_to_fit

WORKED_SIDE_PX: Final = 1024
"""The opening and the blur have their size at this one, which is that of the networks' own maps."""

OPENING_PX: Final = 3
BLUR_PX: Final = 2.0
"""Standard deviation."""

SPECK_AREA: Final = 0.01
"""Connected components smaller than this share of the largest go, wherever they lie, where the network is sure of
none of their pixels: a letter is no speck."""

STEEPNESS: Final = 4
"""A blurred step is made as much steeper, which leaves an edge of little more than a pixel."""
STEEPEST: Final = 32


def tidied(mask: ByteMask) -> ByteMask:
    """The mask opened, blurred and made steep again: smooth outlines, little between subject and background."""
    height_px, width_px = mask.shape
    small = shrink_to_fit(mask, WORKED_SIDE_PX)
    opened = cv2.morphologyEx(small, cv2.MORPH_OPEN, disc(OPENING_PX), borderType=cv2.BORDER_REPLICATE)
    smooth = np.asarray(cv2.GaussianBlur(opened, (0, 0), BLUR_PX, borderType=cv2.BORDER_REPLICATE), np.uint8)
    smooth[_specks(smooth, small)] = 0
    scale = max(mask.shape) / max(small.shape)
    return looked_up(enlarged(smooth, height_px, width_px), _steep(min(STEEPNESS * scale, STEEPEST)))


def _specks(smooth: ByteMask, mask: ByteMask) -> NDArray[np.bool_]:
    """Where the smooth mask shows components much smaller than its largest, and nowhere sure: (height, width)."""
    count, labels = cv2.connectedComponents((smooth >= SEEN).view(np.uint8))
    areas, sure = (np.bincount(each, minlength=count) for each in (labels.ravel(), labels[mask >= SURE]))
    specks = (areas < SPECK_AREA * areas[1:].max(initial=0)) & (sure == 0)
    specks[0] = False  # the background
    return np.asarray(specks[labels])


def _steep(gain: float) -> Bytes:
    """256 levels: the middle one stays, and those around it are drawn apart."""
    drawn_apart = (np.arange(256) - 127.5) * gain + 127.5
    return np.asarray(np.clip(np.rint(drawn_apart), 0, 255), np.uint8)
