"""Groups: pictures of several subjects in folds by subject, and the true alpha of each that a Box may ask for."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.quality.folds.backdrops import BY_NAME, USUAL
from benchmarks.quality.folds.layouts import Layout, in_front, picked, side_by_side
from benchmarks.quality.folds.pictures import Entries, levels, made_in, photographed
from benchmarks.quality.folds.subjects import FOLDS, SEED, Subject, backgrounds_of, folds_of, subjects_of
from benchmarks.quality.pairs import Pair, PairSet
from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage

SIZES: Final = (2, 2, 2, 2, 2, 2, 3, 3, 3, 3)
"""How many subjects of one fold stand side by side, one group for each entry."""
IN_FRONT: Final = 4
"""Groups of each fold in which a small subject stands before a large one."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A picture of several subjects."""

    photo: RgbImage
    shown: tuple[tuple[Subject, ByteMask], ...]
    """Each that a Box may ask for, and its alpha without what stands in front of it."""
    jpeg_quality: int


def groups_in(folder: Path, sets: Sequence[PairSet]) -> PairSet:
    """The groups of some sets' subjects, one pair for each subject that a Box may ask for; as `composites_in`."""
    return made_in(folder, sets, write_groups)


def groups_of(
    subjects: Sequence[Subject], backgrounds: Sequence[RgbImage], fold: int, seed: int = SEED
) -> Iterator[Group]:
    """Pictures of two and three subjects of one fold.

    Side by side a Box may ask for each; of one in front of another it asks for the one in front.
    """
    rng = np.random.default_rng([seed, fold])
    for count in SIZES:
        yield _drawn(side_by_side(picked(subjects, count, rng), rng), backgrounds, rng)
    for _ in range(IN_FRONT):
        group = _drawn(in_front(picked(subjects, 2, rng), rng), backgrounds, rng)
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


def _drawn(layout: Layout, backgrounds: Sequence[RgbImage], rng: np.random.Generator) -> Group:
    share, free, alphas = layout.seen()
    shown = tuple((p.subject, levels(alpha)) for p, alpha in zip(layout.front_to_back, alphas, strict=True))
    backdrop, photo = str(rng.choice(USUAL)), backgrounds[int(rng.integers(len(backgrounds)))]
    background = BY_NAME[backdrop](photo, layout.height_px, layout.width_px, rng)
    seen, quality = photographed(share, free, background, rng)
    return Group(seen, shown, quality)
