"""Alpha from a soft mask: estimated from colour in the unknown band, or the mask itself made crisper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from scipy.sparse import csr_array

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.matting.colour_line import KnownColours, alpha_by_colours, known_colours
from cutgate.worker.cutout.matting.laplacian import NEIGHBOURS, Indices, affine_models, laplacian_rows, margin
from cutgate.worker.cutout.matting.trimap import BACKGROUND, FOREGROUND, UNKNOWN
from cutgate.worker.cutout.matting.zones import Zones
from cutgate.worker.cutout.raster.arrays import (
    LIKELY,
    SURE,
    ByteMask,
    Bytes,
    FloatMask,
    Floats,
    RgbImage,
    strips,
    widened,
)
from cutgate.worker.cutout.raster.filters import (
    components,
    dilated,
    disc,
    enlarged,
    looked_up,
    resize_nearest,
    shrink,
    shrink_fast,
    square,
    to_unit,
)
from cutgate.worker.cutout.raster.geometry import WORKING_SIDE_PX, fitted
from cutgate.worker.cutout.raster.sampling import Pixels, fill_band, sampled

MIN_SIDE_PX: Final = 3
"""Below this no window of colours fits into the picture."""


LEVELS: Final = (50, 100), (100, 60), (200, 40), (400, 18), (WORKING_SIDE_PX, 9)
"""Long sides that are solved at, and the most steps taken there. From coarse to fine: the coarse ones carry alpha
across parts that the mask is unsure of, the fine ones follow the contour."""

WORTH_GUIDING: Final = 1.5
"""A picture so many times larger than its finest level has detail that this one lacks."""

LAST_WHOLE_PX: Final = 200
"""Levels up to this long side seek alpha in all of the band: no finer one would find again what they leave out."""

FLAT_PX: Final = 5
"""Side of the square within which alpha has to vary by `ALPHA_CLIP` to be worth the time of a finer level."""

EPSILON: Final = 1e-6
"""Regularisation of the colour covariance: small, so that fine differences of colour count."""

GUIDED_EPSILON: Final = 1e-3
"""The same where the picture's own pixels are read, with the grain and texture that smaller ones average away:
a variance of (8 levels)^2. Colours less apart than that tell nothing; grain would show in alpha."""

TRUST_POWER: Final = 4
"""The share of alpha's variance that colours explain counts to this power: half explained is hardly trusted."""

LEAST_EXPLAINED: Final = 0.5
"""Below this share the picture's pixels are not read at all."""

DATA_WEIGHT: Final = 1e-4
DATA_WEIGHT_WHERE_SURE: Final = 1e-2
"""How strongly the solution is drawn to the prior, everywhere and where the mask is near 0 or 1."""

DATA_WEIGHT_WHERE_THIN: Final = 1e-1
"""The same for spokes and whiskers that the mask found: their colours are too mixed to be told apart."""

DATA_WEIGHT_WHERE_TOLD: Final = 1.0
"""The same for alpha by colours, where these tell."""

UNSURE: Final = 3.0
"""How fast colours lose weight where the mask, or alpha from coarser levels, is near 0 or 1: dark parts of a
subject are no gaps before a dark background."""

THIN_PX: Final = 7
"""What is narrower than this at the finest level is thin."""

PRIOR: Final = np.clip(np.rint((np.arange(256) - 127.5) * 1.75 + 127.5), 0, 255).astype(np.uint8)
"""From the mask to what the solution is drawn to. A network is grey where it doubts, a subject is so in few
places: where colours say nothing, alpha is nearer to 0 or 1 than the mask."""

SURE_SHARE: Final = 0.1
LEAST_KEPT: Final = 0.8
"""A component with more than the first share of sure pixels has to keep the second share of their alpha."""

SOFT_EDGE_PX: Final = 4
"""How far beyond a component its soft edge reaches, at the finest level."""

TOLERANCE: Final = 1e-4
ALPHA_CLIP: Final = 0.04
"""Alpha below this share, and above its complement, is taken for the solver's noise and cut off."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What is given at one resolution: five arrays of one height and width."""

    image: RgbImage
    mask: ByteMask
    prior: ByteMask
    fixed: ByteMask
    """Alpha outside `unknown`."""
    unknown: ByteMask
    """Above 0 where alpha is sought."""

    def reduced(self, long_side_px: int) -> Layer:
        """The arrays made to fit a long side."""
        size = _working_size(self.mask, long_side_px)
        if size == self.mask.shape:
            return self
        arrays = (self.image, self.mask, self.prior, self.fixed, self.unknown)
        return Layer(*(shrink(array, *size) for array in arrays))

    def alpha(self, residual: FloatMask) -> FloatMask:
        """The mask as a residual of any size changes it."""
        return np.asarray(np.clip(to_unit(self.mask) + enlarged(residual, *self.mask.shape), 0, 1))

    def narrowed(self, residual: FloatMask) -> Layer:
        """With alpha from a coarser level's residual fixed where it is flat."""
        levels = cv2.add(enlarged(255 * residual, *self.mask.shape), self.mask, dtype=cv2.CV_8U)
        change = cv2.morphologyEx(levels, cv2.MORPH_GRADIENT, square(FLAT_PX), borderType=cv2.BORDER_REPLICATE)
        unknown = self.unknown * (change > 255 * ALPHA_CLIP).view(np.uint8)
        return replace(self, fixed=np.where(unknown < self.unknown, levels, self.fixed), unknown=unknown)


def refine(
    image: RgbImage, mask: ByteMask, trimap: ByteMask, zones: Zones, small: tuple[RgbImage, ByteMask]
) -> ByteMask:
    """Estimate alpha in the unknown band: closed-form matting, from coarse to fine.

    Each level starts from its own mask plus the residual of the coarser one, not from that one's result: the
    mask's fine detail, which a coarse level cannot hold, stays. Between the finest level's pixels alpha follows
    the picture's: alpha = a I + b with the finest level's a and b (He and Sun, "Fast Guided Filter", 2015), as far
    as these explain its alpha.

    Args:
        image: (height, width, 3) uint8, at least `MIN_SIDE_PX` on each side.
        mask: (height, width) uint8.
        trimap: (height, width) uint8 of the trimap's three values.
        zones: of the small mask; where in the band to estimate and how much that counts.
        small: `to_working_size` of the image and of the mask.

    Returns:
        (height, width) uint8, equal to the trimap where that is not UNKNOWN.
    """
    finest = _layer(*small, shrink_fast(trimap, *small[1].shape), zones)
    residual: FloatMask = np.zeros((1, 1), np.float32)
    coarser, told = finest, None
    for layer, steps in _pyramid(finest):
        if max(layer.mask.shape) > LAST_WHOLE_PX:
            layer = layer.narrowed(residual)
        if layer.mask.shape == finest.mask.shape:
            told = known_colours(coarser.image, coarser.alpha(residual))
        residual = _solve(layer, residual, steps, told, zones.broad)
        coarser = layer
    residual = _without_wash_out(finest, residual)
    assert told is not None
    weight = zones.blend_weight * np.maximum(zones.soft, enlarged(told.contrast, *zones.broad.shape))
    return _guided(image, mask, trimap, layer, residual, enlarged(weight, *residual.shape))


def _guided(
    image: RgbImage, mask: ByteMask, trimap: ByteMask, layer: Layer, residual: FloatMask, weight: FloatMask
) -> ByteMask:
    """Alpha at the picture's size, following the picture's own pixels as far as they explain the layer's alpha.

    `residual` is what was found in the finest `layer`, `weight` how much of it counts; both are as large as that.
    """
    weighted = residual * weight
    if max(mask.shape) < WORTH_GUIDING * max(layer.mask.shape):
        return fill_band(trimap, trimap, lambda band: _clipped(to_unit(band.of(mask)) + sampled(weighted, band)))
    trusted, models = _models(layer, residual, weight)
    residual_and_trust = np.asarray(cv2.merge([weighted, trusted]), np.float32)

    def alpha(band: Pixels) -> Floats:
        added, trust = sampled(residual_and_trust, band).T
        values = to_unit(band.of(mask)) + added
        chosen = np.flatnonzero(trust > 0)
        pixels, trust = replace(band, places=band.places[chosen]), trust[chosen]
        model = sampled(models, pixels)
        guided = np.einsum("nc,nc->n", model[:, :3], to_unit(pixels.of(image))) + model[:, 3]
        values[chosen] = np.clip(guided, 0, trust) + (1 - trust) * values[chosen]
        return _clipped(values)

    return fill_band(trimap, trimap, alpha)


def to_working_size(image: Bytes, whole_px: int = 0) -> Bytes:
    """A picture or mask at the size that zones are measured at; of a part of one with that long side."""
    # By true means: four reads blur fine hair, and single pixels of a mask decide what the network sees again.
    return shrink(image, *_working_size(image, WORKING_SIDE_PX, whole_px))


def _layer(image: RgbImage, mask: ByteMask, trimap: ByteMask, zones: Zones) -> Layer:
    unknown = (trimap > BACKGROUND) & (trimap < FOREGROUND)
    fixed = np.asarray(cv2.threshold(trimap, UNKNOWN - 1, 255, cv2.THRESH_BINARY)[1], np.uint8)
    near, estimated = (
        resize_nearest(each, *mask.shape) for each in (zones.near, (zones.blend_weight > 0).view(np.uint8))
    )
    nearer = cv2.threshold(mask, LIKELY - 1, 255, cv2.THRESH_BINARY)[1]
    beside = cv2.copyTo(nearer, estimated, mask.copy())
    fixed = np.asarray(cv2.copyTo(beside, unknown.view(np.uint8), fixed), np.uint8)
    unknown &= (near & estimated).view(np.bool_)
    return Layer(image, mask, looked_up(mask, PRIOR), fixed, 255 * unknown.view(np.uint8))


def _pyramid(layer: Layer) -> list[tuple[Layer, int]]:
    """Each resolution and its steps, from coarse to fine; a picture smaller than some level has fewer."""
    finest_first: list[tuple[Layer, int]] = []
    for long_side_px, steps in reversed(LEVELS):
        finer, layer = layer, layer.reduced(long_side_px)
        if finest_first and layer is finer:
            finest_first.pop()
        finest_first.append((layer, steps))
    return finest_first[::-1]


def _models(layer: Layer, residual: FloatMask, weight: FloatMask) -> tuple[FloatMask, Floats]:
    """How much to trust what colours say of alpha, (height, width); and that, times trust, (height, width, 4)."""
    unknown = layer.unknown > 0
    trusted, models = np.zeros(unknown.shape, np.float32), np.zeros((*unknown.shape, 4), np.float32)
    if unknown.any():
        model, explained = affine_models(layer.image, layer.alpha(residual), unknown, GUIDED_EPSILON)
        pixels = np.flatnonzero(unknown)
        trust = np.where(explained > LEAST_EXPLAINED, explained**TRUST_POWER, 0) * weight.ravel()[pixels]
        trusted.ravel()[pixels], models.reshape(-1, 4)[pixels] = trust, model * trust[:, None]
    return trusted, models


def _working_size(image: Bytes, long_side_px: int, whole_px: int = 0) -> tuple[int, int]:
    """(height, width) that the solver can work at."""
    height, width = image.shape[:2]
    height, width = fitted(height, width, long_side_px, whole_px)
    return max(MIN_SIDE_PX, height), max(MIN_SIDE_PX, width)


def _clipped(alpha: Floats) -> Floats:
    """Alpha stretched so that what lies within `ALPHA_CLIP` of clear or opaque is beyond it."""
    return np.asarray((alpha - np.float32(ALPHA_CLIP)) * np.float32(1 / (1 - 2 * ALPHA_CLIP)))


def _solve(
    layer: Layer, coarser_residual: FloatMask, steps: int, known: KnownColours | None, broad: FloatMask
) -> FloatMask:
    """Minimise a'La + (a − p)'W(a − p) over the unknown pixels, from the mask as a coarser level changed it."""
    mask, field = to_unit(layer.mask), to_unit(layer.fixed)
    unknown = layer.unknown > 0
    pixels = np.flatnonzero(unknown)
    if pixels.size:
        given = layer.mask, layer.prior, _thin_structures(layer.mask)
        seen, prior, hat = (to_unit(array.take(pixels)) for array in given)
        start = layer.alpha(coarser_residual).take(pixels)
        sure, thin = np.square(2 * seen - 1), np.maximum(2 * hat - 1, 0)
        told: Floats = np.zeros_like(seen)
        by_colours = told
        if known is not None:
            height_px, width_px = mask.shape
            places = Pixels(height_px, width_px, slice(0, height_px), pixels)
            by_colours, told = alpha_by_colours(known, to_unit(places.of(layer.image)), places)
            surest = np.maximum(sure, np.square(2 * start - 1))
            told *= sampled(broad, places) * np.minimum(UNSURE * (1 - surest), 1)
        of_mask = DATA_WEIGHT + DATA_WEIGHT_WHERE_SURE * sure + DATA_WEIGHT_WHERE_THIN * thin * (1 - told)
        data_weight = (of_mask + DATA_WEIGHT_WHERE_TOLD * told).astype(np.float32)
        drawn_to = prior + DATA_WEIGHT_WHERE_TOLD * told / data_weight * (by_colours - prior)
        field.put(pixels, start)
        beside = margin(mask.shape[1])
        system = _System(laplacian_rows(layer.image, unknown, EPSILON), pixels + beside, data_weight)
        missing = data_weight * (drawn_to - start) - system.laplacian @ np.pad(field.ravel(), beside)
        field.put(pixels, np.clip(start + system.solved(missing, steps), 0, 1))
    return np.asarray(field - mask, np.float32)


class _System:
    """The equations of one level: rows of the Laplacian, the places of their pixels in a row, and data weights."""

    def __init__(self, laplacian: csr_array, places: Indices, data_weight: Floats) -> None:
        self.laplacian = laplacian
        self._places, self._data_weight = places, data_weight
        self._field = np.zeros(laplacian.shape[1], np.float32)

    def product(self, values: Floats) -> Floats:
        self._field.put(self._places, values)
        return np.asarray(self.laplacian @ self._field + self._data_weight * values)

    def solved(self, goal: Floats, steps: int) -> Floats:
        """Conjugate gradients from 0 with the diagonal as preconditioner; `goal` is written over."""
        diagonal = np.asarray(self.laplacian.data[len(NEIGHBOURS) // 2 :: len(NEIGHBOURS)], np.float32)
        scale = np.reciprocal(diagonal + self._data_weight)
        solution, residual = np.zeros_like(goal), goal
        direction = scale * residual
        energy = first = float(residual @ direction)
        for _ in range(steps):
            if energy <= TOLERANCE**2 * first:
                break
            product = self.product(direction)
            curvature = float(direction @ product)
            if curvature <= 0:  # by rounding: what is found by then is as good as it gets
                break
            solution += np.float32(energy / curvature) * direction
            residual -= np.float32(energy / curvature) * product
            scaled = scale * residual
            energy, last = float(residual @ scaled), energy
            direction = scaled + np.float32(energy / last) * direction
        return solution


def _without_wash_out(layer: Layer, residual: FloatMask) -> FloatMask:
    """The residual, and towards the prior where matting takes away a component that the mask is sure of.

    It happens to small components with little known foreground of their own and colours like their background.
    """
    count, labels, stats = components((layer.mask >= LIKELY).view(np.uint8))
    sure = layer.mask >= SURE
    changed = np.flatnonzero(sure & (residual != 0))
    lost = -np.bincount(labels.ravel()[changed], residual.ravel()[changed], count)
    area = stats[:, cv2.CC_STAT_AREA]
    # Most pictures end here: a component that is sure enough and loses enough has lost so much of its area.
    if (lost <= (1 - LEAST_KEPT) * SURE / 255 * SURE_SHARE * area).all():
        return residual
    labels_sure = labels[sure]
    area_sure, seen = (np.bincount(labels_sure, each, count) for each in (None, to_unit(layer.mask[sure])))
    washed_out = (area_sure > SURE_SHARE * area) & (lost > (1 - LEAST_KEPT) * seen)
    if not washed_out.any():
        return residual
    around = dilated(washed_out[labels].view(np.uint8), disc(2 * SOFT_EDGE_PX + 1))
    return np.where(around > 0, to_unit(layer.prior) - to_unit(layer.mask), residual)


def _thin_structures(mask: ByteMask) -> ByteMask:
    """How much the mask shows a thin part of the subject at each pixel (white top-hat)."""
    element = disc(max(3, THIN_PX * max(mask.shape) // WORKING_SIDE_PX | 1))
    hat = cv2.morphologyEx(mask, cv2.MORPH_TOPHAT, element, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(hat, np.uint8)


def stretch_between_thresholds(
    mask: ByteMask, trimap: ByteMask, thresholds: Thresholds, erode_px: int
) -> ByteMask:
    """Alpha without matting: the mask stretched between the thresholds and softened a little.

    Args:
        mask: (height, width) uint8.
        trimap: (height, width) uint8 of the trimap's three values; alpha is written over it.
        thresholds: at or below `background` alpha is 0, at or above `foreground` 255; a step where they are
            equal.
        erode_px: side of the erosion's square; the blur grows with it and reaches less than half as far.

    Returns:
        `trimap`, changed where it was UNKNOWN.
    """
    span = max(1, thresholds.foreground - thresholds.background)
    stretched = (np.arange(256) - thresholds.background) * (255 / span)
    table = np.clip(np.rint(stretched), 0, 255).astype(np.uint8)
    side_px = max(1, erode_px - 1 | 1)
    for strip in strips(len(mask)):
        unknown = (trimap[strip] == UNKNOWN).view(np.uint8)
        rows, own = widened(strip, side_px // 2)
        # Columns that lie together and are read: what is computed of them, side by side, counts for these alone.
        read = dilated(unknown.max(axis=0, keepdims=True), np.ones((1, side_px), np.uint8))
        columns = [slice(*ends) for ends in np.flatnonzero(np.diff(read, prepend=0, append=0)).reshape(-1, 2)]
        if columns:
            seen = looked_up(np.hstack([mask[rows, each] for each in columns]), table)
            # Three standard deviations reach to the square's edge.
            sigma_px = side_px // 2 / 3
            soft = cv2.GaussianBlur(seen, (side_px, side_px), sigma_px, borderType=cv2.BORDER_REPLICATE)[own]
            for each in columns:
                width = each.stop - each.start
                cv2.copyTo(soft[:, :width], unknown[:, each], trimap[strip, each])
                soft = soft[:, width:]
    return trimap
