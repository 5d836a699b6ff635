"""Alpha by colours alone: how far a pixel lies on the line from the background's colour to the subject's.

Closed-form matting finds it from neighbours, and keeps the mask's haze where hair fills a broad zone. There known
colours from farther away tell: the sampling half of robust matting (Wang and Cohen, "Optimized Color Sampling for
Robust Matting", CVPR 2007), with means in place of samples.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import FloatMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import channels, eroded, mean, shrink_to_fit, square, to_unit
from cutgate.worker.cutout.raster.sampling import Pixels, sampled

SIDE_PX: Final = 200
WINDOWS_PX: Final = (21, 11, 5, 3)
"""Long side that colours are learned at, and the sides of the squares in which known ones are sought: the
narrowest that has enough of them."""

ENOUGH_PX: Final = 10
"""So many known pixels say what the colour is. Where the widest square has fewer, nothing is known nearby."""

KNOWN: Final = 0.97
"""Alpha from here on, or up to its complement, is known."""

SPREAD: Final = 150.0
"""How much the variance of the known colours, and the distance from the line, count against the line's length."""

NOISE: Final = np.float32(1e-3)
"""Squared length of a line, in colours of 0 to 1, that grain alone may have."""


CONTRASTS: Final = 4.0, 16.0
"""Squared distance of the two colours over their variance: up to the first an edge between them cannot be found,
from the second on it can."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownColours:
    """Colours of subject and background nearby, at a size of their own."""

    foreground: Floats
    background: Floats
    """(height, width, 4) float32: colours, and their variance."""
    known: FloatMask
    """How far both are known, 0 to 1."""

    @property
    def contrast(self) -> FloatMask:
        """How surely the two can be told apart, 0 to 1."""
        line = self.foreground[..., :3] - self.background[..., :3]
        variance = self.foreground[..., 3] + self.background[..., 3] + NOISE
        ratio = np.einsum("yxc,yxc->yx", line, line) / variance
        low, high = CONTRASTS
        return np.asarray(np.clip((ratio - low) / (high - low), 0, 1), np.float32)


def known_colours(image: RgbImage, alpha: FloatMask) -> KnownColours:
    """What is known of a picture: from where (height, width) alpha is near 0 and near 1."""
    colours, alpha = to_unit(shrink_to_fit(image, SIDE_PX)), shrink_to_fit(alpha, SIDE_PX)
    (foreground, near), (background, beside) = (
        _means(colours, (share > KNOWN).astype(np.float32)) for share in (alpha, 1 - alpha)
    )
    return KnownColours(foreground, background, near * beside)


def alpha_by_colours(known: KnownColours, seen: Floats, pixels: Pixels) -> tuple[Floats, Floats]:
    """Alpha of n pixels, and how much their colours tell of it; (n,) float32 in [0, 1] both.

    Args:
        known: of the whole picture.
        seen: (n, 3) float32 in [0, 1], the pixels' colours.
        pixels: where they are in the picture.
    """
    foreground, background = (sampled(each, pixels) for each in (known.foreground, known.background))
    line, beyond = (foreground - background)[:, :3], seen - background[:, :3]
    length = np.einsum("nc,nc->n", line, line)
    alpha = np.clip(np.einsum("nc,nc->n", beyond, line) / (length + NOISE / 10), 0, 1)
    beyond -= alpha[:, None] * line
    against = foreground[:, 3] + background[:, 3] + np.einsum("nc,nc->n", beyond, beyond)
    return alpha, sampled(known.known, pixels) * length / (length + np.float32(SPREAD) * against + NOISE)


def _means(colours: Floats, known: FloatMask) -> tuple[Floats, FloatMask]:
    """Mean and variance of the known colours around each pixel, (height, width, 4), and how far there are such."""
    # Colours apart are twice as fast to compute with as colours that lie side by side.
    layers = np.stack([*channels(colours), np.einsum("yxc,yxc->yx", colours, colours)]) * known
    means: Floats = layers
    enough = np.zeros_like(known)
    for window_px in WINDOWS_PX:
        share = mean(known, window_px)
        weight = np.minimum(share * np.float32(window_px**2 / ENOUGH_PX), 1)
        enough = np.maximum(enough, weight)
        found = np.stack([mean(layer, window_px) for layer in layers])
        found /= np.maximum(share, NOISE / 10)
        means = found if window_px == WINDOWS_PX[0] else np.asarray(means + (found - means) * weight)
    means[3] = np.maximum(means[3] - np.einsum("cyx,cyx->yx", means[:3], means[:3]), 0)
    # What lies beside a pixel of which nothing is known is read with it.
    return np.asarray(cv2.merge(list(means)), np.float32), eroded(enough, square(3))
