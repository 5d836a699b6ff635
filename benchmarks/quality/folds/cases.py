"""Hard cases, each made from subjects that have it in them: what the usual composites show too seldom."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

import cv2
import numpy as np

from benchmarks.quality.folds.backdrops import BY_NAME, USUAL, shadowed, similar, toned
from benchmarks.quality.folds.drawings import DRAWN, LABEL
from benchmarks.quality.folds.layouts import in_front, picked, side_by_side
from benchmarks.quality.folds.pictures import Composite, composite_of, rounded
from benchmarks.quality.folds.subjects import Subject
from benchmarks.quality.pairs import PRODUCT, SOFT
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, RgbImage

Case: TypeAlias = Callable[[Subject, Sequence[RgbImage], np.random.Generator], Iterator[Composite]]
"""What it makes of a subject, which is nothing if the subject does not fit."""

VEIL: Final = "veil"
SIMILAR: Final = "similar colours"
BLUR: Final = "motion blur"
SEVERAL: Final = "several"

HAIRY: Final = ("portrait/hair", "animal/fur")
LARGE_PX: Final = (1280, 2048)
"""Long sides that leave a broad soft zone broad."""
BROAD_PX: Final = 12
"""Least depth of a soft zone that counts as broad, at the subject's own size."""
LIGHT: Final = 100
"""Hair whose mean level is above it is light."""

EDGE_PX: Final = 6
"""Depth of the rim whose mean colour a product's background comes near to."""
MOTION_PX: Final = (10, 40)
"""Least and greatest length of a blur."""
SIDE_BY_SIDE: Final = (2, 2, 2, 3, 3)
"""How many subjects stand side by side, one picture for each entry; in one more, one stands before another."""


def veil(subject: Subject, backgrounds: Sequence[RgbImage], rng: np.random.Generator) -> Iterator[Composite]:
    """Light hair before dark, dark hair before light: a wrong alpha leaves a veil of the background."""
    soft = (subject.alpha > SOFT[0]) & (subject.alpha < SOFT[1])
    depth_px = cv2.distanceTransform(soft.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()
    if subject.category not in HAIRY or depth_px < BROAD_PX:
        return
    mean = subject.premultiplied[soft].sum() / (3 * subject.alpha[soft].sum() / 255)
    for backdrop in ("grey", "photo", "blurred", "blurred", "gradient"):
        share, alpha = rounded(*subject.placed(rng, LARGE_PX))
        background = _behind(alpha, backdrop, backgrounds, rng)
        yield composite_of(share, alpha, toned(background, rng, light=bool(mean < LIGHT)), backdrop, rng)


def similar_colours(subject: Subject, _: Sequence[RgbImage], rng: np.random.Generator) -> Iterator[Composite]:
    """A product's hard edge over a colour near to its rim's: flat, a gradient, each also with a soft shadow."""
    if subject.category != PRODUCT:
        return
    inner = cv2.erode(subject.alpha, np.ones((2 * EDGE_PX + 1,) * 2, np.uint8), borderValue=0)
    colour = subject.premultiplied[(subject.alpha == 255) & (inner < 255)].mean(axis=0)
    for even, shadow in ((True, False), (True, True), (False, False), (False, True)) * 2:
        share, alpha = rounded(*subject.placed(rng))
        background = similar(colour, alpha.shape, rng, even=even)
        background = shadowed(background, alpha, rng) if shadow else background
        yield composite_of(share, alpha, background, "flat" if even else "gradient", rng)


def drawn(
    category: str, subject: Subject, backgrounds: Sequence[RgbImage], rng: np.random.Generator
) -> Iterator[Composite]:
    """A drawn subject on paper with a shadow, over a gradient, and over a photo out of focus."""
    if subject.category != category:
        return
    for backdrop in ("white", "grey", "gradient", "blurred"):
        share, alpha = rounded(*subject.placed(rng))
        background = _behind(alpha, backdrop, backgrounds, rng)
        background = shadowed(background, alpha, rng) if backdrop in ("white", "grey") else background
        yield composite_of(share, alpha, background, backdrop, rng)


def motion_blur(
    subject: Subject, backgrounds: Sequence[RgbImage], rng: np.random.Generator
) -> Iterator[Composite]:
    """The subject moves along a line while the shutter is open; the background stands still."""
    if subject.category in ("transparent", LABEL, DRAWN):
        return
    length_px, angle = int(rng.integers(*MOTION_PX, endpoint=True)), rng.uniform(0, np.pi)
    way = length_px / 2 * np.array([np.cos(angle), np.sin(angle)])
    line = np.zeros((2 * length_px + 1,) * 2, np.uint8)
    start, end = (np.rint(16 * (length_px + sign * way)).astype(int).tolist() for sign in (-1, 1))
    cv2.line(line, start, end, 255, 1, cv2.LINE_AA, 4)
    kernel = np.asarray(line / line.sum(), np.float32)
    moved = (cv2.filter2D(each, -1, kernel, borderType=cv2.BORDER_REPLICATE) for each in subject.placed(rng))
    share, alpha = rounded(*(np.asarray(each, np.float32) for each in moved))
    backdrop = str(rng.choice(USUAL))
    background = _behind(alpha, backdrop, backgrounds, rng)
    yield composite_of(share, alpha, background, backdrop, rng)


def several(
    subjects: Sequence[Subject], backgrounds: Sequence[RgbImage], rng: np.random.Generator
) -> Iterator[Composite]:
    """Pictures of two and three subjects of one fold, if it has as many; the truth is all of them."""
    if len(subjects) < max(SIDE_BY_SIDE):
        return
    layouts = [side_by_side(picked(subjects, count, rng), rng) for count in SIDE_BY_SIDE]
    for layout in (*layouts, in_front(picked(subjects, 2, rng), rng)):
        colours, free, _ = layout.seen()
        share, alpha = rounded(colours, 255 * (1 - free))
        backdrop = str(rng.choice(USUAL))
        background = _behind(alpha, backdrop, backgrounds, rng)
        yield composite_of(share, alpha, background, backdrop, rng)


CASES: Final[Mapping[str, Case]] = {
    VEIL: veil,
    SIMILAR: similar_colours,
    LABEL: partial(drawn, LABEL),
    DRAWN: partial(drawn, DRAWN),
    BLUR: motion_blur,
}
"""By the group that the report shows."""


def _behind(
    alpha: ByteMask, backdrop: str, backgrounds: Sequence[RgbImage], rng: np.random.Generator
) -> FloatImage:
    height_px, width_px = alpha.shape
    return BY_NAME[backdrop](backgrounds[int(rng.integers(len(backgrounds)))], height_px, width_px, rng)
