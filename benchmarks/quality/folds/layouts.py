"""Layouts: where several subjects stand in one picture, and what shows of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.quality.folds.subjects import Subject
from cutgate.worker.cutout.raster.arrays import FloatImage, FloatMask

HEIGHTS_PX: Final = (600, 900, 1200)
SHARES: Final = (0.45, 0.9)
"""Least and greatest height of a subject, in the picture's. One that is cut off above and below fills it."""
MARGIN: Final = (0.02, 0.15)
"""Beside all subjects; in the picture's height."""
GAPS: Final = (-0.1, 0.25)
"""Least and greatest gap between two subjects, in the width of the one on the left; below 0 they overlap."""

FRONT_SHARES: Final = (0.3, 0.5)
"""Least and greatest height of a small subject before a large one, in the picture's."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A subject at its place."""

    subject: Subject
    share: FloatImage
    """Premultiplied colours."""
    alpha: FloatMask
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Subjects, and the size of their picture."""

    height_px: int
    width_px: int
    front_to_back: list[Placed]

    def seen(self) -> tuple[FloatImage, FloatMask, list[FloatMask]]:
        """All premultiplied colours, where no subject stands (0 to 1), what each shows (0 to 255)."""
        size = self.height_px, self.width_px
        free, share, shown = np.ones(size, np.float32), np.zeros((*size, 3), np.float32), []
        for placed in self.front_to_back:
            rows, columns = placed.alpha.shape
            inside = np.s_[placed.top_px : placed.top_px + rows, placed.left_px : placed.left_px + columns]
            alpha = np.zeros_like(free)
            alpha[inside] = placed.alpha * free[inside]
            share[inside] += placed.share * free[inside][..., None]
            free[inside] *= 1 - placed.alpha / np.float32(255)
            shown.append(alpha)
        return share, free, shown


def picked(subjects: Sequence[Subject], count: int, rng: np.random.Generator) -> list[Subject]:
    return [subjects[index] for index in rng.choice(len(subjects), count, replace=False)]


def side_by_side(subjects: list[Subject], rng: np.random.Generator) -> Layout:
    # Whom the frame cut on the left stands on the left, whom it cut on the right on the right.
    subjects = sorted(subjects, key=lambda subject: (not subject.cut_off[2], subject.cut_off[3]))
    height_px, right_px = int(rng.choice(HEIGHTS_PX)), 0
    left_px = 0 if subjects[0].cut_off[2] else int(rng.uniform(*MARGIN) * height_px)
    placed = []
    for subject in subjects:
        top, bottom, _, _ = subject.cut_off
        tall_px = height_px * (1.0 if top and bottom else rng.uniform(*SHARES))
        share, alpha = _scaled(subject, tall_px, 1.2 * height_px)
        free_px = height_px - alpha.shape[0]
        top_px = free_px if bottom else 0 if top else int(rng.uniform(0, 1) * free_px)
        placed.append(Placed(subject, share, alpha, left_px, top_px))
        right_px = max(right_px, left_px + alpha.shape[1])
        left_px += int((1 + rng.uniform(*GAPS)) * alpha.shape[1])
    margin_px = 0 if subjects[-1].cut_off[3] else int(rng.uniform(*MARGIN) * height_px)
    placed = [placed[index] for index in rng.permutation(len(placed))]
    return Layout(height_px, right_px + margin_px, placed)


def in_front(subjects: list[Subject], rng: np.random.Generator) -> Layout:
    """A small subject before a large one, near its middle."""
    small, large = subjects
    height_px = int(rng.choice(HEIGHTS_PX))
    behind_share, behind = _scaled(large, 0.9 * height_px, 1.2 * height_px)
    share, alpha = _scaled(small, rng.uniform(*FRONT_SHARES) * height_px, 0.6 * behind.shape[1])
    width_px = int((1 + 2 * rng.uniform(*MARGIN)) * behind.shape[1])
    left_px, top_px = (width_px - behind.shape[1]) // 2, height_px - behind.shape[0]
    down, across = (
        int(rng.uniform(0.3, 0.7) * (large_px - small_px))
        for large_px, small_px in zip(behind.shape, alpha.shape, strict=True)
    )
    return Layout(
        height_px,
        width_px,
        [
            Placed(small, share, alpha, left_px + across, max(0, top_px + down)),
            Placed(large, behind_share, behind, left_px, top_px),
        ],
    )


def _scaled(subject: Subject, height_px: float, width_px: float) -> tuple[FloatImage, FloatMask]:
    """The subject as large as fits; not enlarged."""
    scale = min(1.0, height_px / subject.alpha.shape[0], width_px / subject.alpha.shape[1])
    return subject.resized(round(scale * subject.alpha.shape[1]), round(scale * subject.alpha.shape[0]))
