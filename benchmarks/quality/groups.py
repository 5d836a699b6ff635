"""Groups: pictures of several subjects in folds by subject, and the true alpha of each that a Box may ask for."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.quality.backdrops import BY_NAME
from benchmarks.quality.composites import (
    BACKDROPS,
    FOLDS,
    GRAIN_LEVELS,
    JPEG_QUALITIES,
    SEED,
    Entries,
    Subject,
    backgrounds_of,
    folds_of,
    levels,
    made_in,
    subjects_of,
)
from benchmarks.quality.pairs import Pair, PairSet
from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, FloatMask, RgbImage

GROUP_SIZES: Final = (2, 2, 2, 2, 2, 2, 3, 3, 3, 3)
"""How many subjects of one fold stand side by side, one group for each entry."""
GROUP_HEIGHTS_PX: Final = (600, 900, 1200)
GROUP_SHARES: Final = (0.45, 0.9)
"""Least and greatest height of a subject, in the picture's. One that is cut off above and below fills it."""
GROUP_MARGIN: Final = (0.02, 0.15)
"""Beside a group; in the picture's height."""
GAPS: Final = (-0.1, 0.25)
"""Least and greatest gap between two subjects, in the width of the one on the left; below 0 they overlap."""

IN_FRONT: Final = 4
"""Groups of each fold in which a small subject stands before a large one."""
FRONT_SHARES: Final = (0.3, 0.5)
"""Least and greatest height of the small one, in the picture's."""


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A subject at its place in a group's picture."""

    subject: Subject
    share: FloatImage
    """Premultiplied colours."""
    alpha: FloatMask
    left_px: int
    top_px: int


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    height_px: int
    width_px: int
    front_to_back: list[_Placed]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A picture of several subjects."""

    photo: RgbImage
    shown: tuple[tuple[Subject, ByteMask], ...]
    """Each that a Box may ask for, and its alpha without what stands in front of it."""
    jpeg_quality: int


def groups_in(folder: Path, sets: Sequence[PairSet]) -> PairSet:
    """The groups of some sets' subjects, one pair for each subject that a Box may ask for; as `composites_in`."""
    return made_in(folder, sets, Path(__file__), write_groups)


def groups_of(
    subjects: Sequence[Subject], backgrounds: Sequence[RgbImage], fold: int, seed: int = SEED
) -> Iterator[Group]:
    """Pictures of two and three subjects of one fold.

    Side by side a Box may ask for each; of one in front of another it asks for the one in front.
    """
    rng = np.random.default_rng([seed, fold])
    for count in GROUP_SIZES:
        yield _drawn(_side_by_side(_picked(subjects, count, rng), rng), backgrounds, rng)
    for _ in range(IN_FRONT):
        group = _drawn(_in_front(_picked(subjects, 2, rng), rng), backgrounds, rng)
        yield replace(group, shown=group.shown[:1])


def write_groups(pairs: Sequence[Pair], folder: Path) -> Entries:
    backgrounds, subjects = backgrounds_of(pairs), subjects_of(pairs)
    folds = folds_of(subjects)
    for fold in range(FOLDS):
        members = [subject for subject in subjects if folds[subject.name] == fold]
        for number, group in enumerate(groups_of(members, backgrounds, fold)):
            yield from (entry | {"fold": fold} for entry in _written(group, folder, f"{fold}_{number}"))


def _written(group: Group, folder: Path, name: str) -> Iterator[dict[str, Any]]:
    photo = f"{name}.jpg"
    data = cv2.imencode(photo, group.photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, group.jpeg_quality])[1].tobytes()
    write_whole(folder / photo, data)
    for subject, alpha in group.shown:
        place = f"{name}_{subject.name}"
        truth = cv2.imencode(".png", alpha)[1].tobytes()
        write_whole(folder / f"{place}.alpha.png", truth)
        # Colours are not scored, so that the picture stands in for the subject's.
        files = {"image": photo, "alpha": f"{place}.alpha.png", "fg": photo}
        kinds = {"category": subject.category, "kind": "group", "subject": name}
        yield {"name": place, **files, **kinds, "sha256": hashlib.sha256(data + truth).hexdigest()}


def _picked(subjects: Sequence[Subject], count: int, rng: np.random.Generator) -> list[Subject]:
    return [subjects[index] for index in rng.choice(len(subjects), count, replace=False)]


def _side_by_side(subjects: list[Subject], rng: np.random.Generator) -> _Layout:
    # Whom the frame cut on the left stands on the left, whom it cut on the right on the right.
    subjects = sorted(subjects, key=lambda subject: (not subject.cut_off[2], subject.cut_off[3]))
    height_px, right_px = int(rng.choice(GROUP_HEIGHTS_PX)), 0
    left_px = 0 if subjects[0].cut_off[2] else int(rng.uniform(*GROUP_MARGIN) * height_px)
    placed = []
    for subject in subjects:
        top, bottom, _, _ = subject.cut_off
        tall_px = height_px * (1.0 if top and bottom else rng.uniform(*GROUP_SHARES))
        share, alpha = _scaled(subject, tall_px, 1.2 * height_px)
        free_px = height_px - alpha.shape[0]
        top_px = free_px if bottom else 0 if top else int(rng.uniform(0, 1) * free_px)
        placed.append(_Placed(subject, share, alpha, left_px, top_px))
        right_px = max(right_px, left_px + alpha.shape[1])
        left_px += int((1 + rng.uniform(*GAPS)) * alpha.shape[1])
    margin_px = 0 if subjects[-1].cut_off[3] else int(rng.uniform(*GROUP_MARGIN) * height_px)
    placed = [placed[index] for index in rng.permutation(len(placed))]
    return _Layout(height_px, right_px + margin_px, placed)


def _in_front(subjects: list[Subject], rng: np.random.Generator) -> _Layout:
    """A small subject before a large one, near its middle."""
    small, large = subjects
    height_px = int(rng.choice(GROUP_HEIGHTS_PX))
    behind_share, behind = _scaled(large, 0.9 * height_px, 1.2 * height_px)
    share, alpha = _scaled(small, rng.uniform(*FRONT_SHARES) * height_px, 0.6 * behind.shape[1])
    width_px = int((1 + 2 * rng.uniform(*GROUP_MARGIN)) * behind.shape[1])
    left_px, top_px = (width_px - behind.shape[1]) // 2, height_px - behind.shape[0]
    down, across = (
        int(rng.uniform(0.3, 0.7) * (large_px - small_px))
        for large_px, small_px in zip(behind.shape, alpha.shape, strict=True)
    )
    return _Layout(
        height_px,
        width_px,
        [
            _Placed(small, share, alpha, left_px + across, max(0, top_px + down)),
            _Placed(large, behind_share, behind, left_px, top_px),
        ],
    )


def _drawn(layout: _Layout, backgrounds: Sequence[RgbImage], rng: np.random.Generator) -> Group:
    size = layout.height_px, layout.width_px
    free, seen, shown = np.ones(size, np.float32), np.zeros((*size, 3), np.float32), []
    for placed in layout.front_to_back:
        rows, columns = placed.alpha.shape
        inside = np.s_[placed.top_px : placed.top_px + rows, placed.left_px : placed.left_px + columns]
        alpha = np.zeros_like(free)
        alpha[inside] = placed.alpha * free[inside]
        seen[inside] += placed.share * free[inside][..., None]
        free[inside] *= 1 - placed.alpha / np.float32(255)
        shown.append((placed.subject, levels(alpha)))
    backdrop, photo = str(rng.choice(BACKDROPS)), backgrounds[int(rng.integers(len(backgrounds)))]
    seen += free[..., None] * BY_NAME[backdrop](photo, *size, rng)
    grain = rng.normal(0, rng.choice(GRAIN_LEVELS), seen.shape)
    return Group(levels(seen + grain), tuple(shown), int(rng.choice(JPEG_QUALITIES)))


def _scaled(subject: Subject, height_px: float, width_px: float) -> tuple[FloatImage, FloatMask]:
    """The subject's premultiplied colours and alpha, as large as fits; not enlarged."""
    scale = min(1.0, height_px / subject.alpha.shape[0], width_px / subject.alpha.shape[1])
    size = max(1, round(scale * subject.alpha.shape[1])), max(1, round(scale * subject.alpha.shape[0]))
    given = subject.premultiplied, subject.alpha.astype(np.float32)
    share, alpha = (np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.float32) for each in given)
    return share, alpha
