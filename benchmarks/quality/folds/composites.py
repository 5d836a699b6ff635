"""Composites with true alpha: subjects over other backgrounds, in folds by subject.

The same sources give the same files. A threshold that is chosen on some folds meets no subject of theirs on the
others; backgrounds are shared by all.
"""

import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.folds.backdrops import BY_NAME, USUAL
from benchmarks.quality.folds.cases import BLUR, CASES, SEVERAL, several
from benchmarks.quality.folds.drawings import drawn_subjects
from benchmarks.quality.folds.pictures import Composite, Entries, composite_of, made_in, rounded, written
from benchmarks.quality.folds.subjects import FOLDS, SEED, Subject, backgrounds_of, folds_of, subjects_of
from benchmarks.quality.pairs import NO_CASE, SHARED_SETS, Pair, PairSet, read_pairs
from cutgate.worker.cutout.raster.arrays import RgbImage


def usual(subject: Subject, backgrounds: Sequence[RgbImage], seed: int = SEED) -> Iterator[Composite]:
    """One composite for each of `USUAL`; which they are depends on the subject's name and the seed alone."""
    rng = np.random.default_rng([seed, zlib.crc32(subject.name.encode())])
    photos = rng.permutation(len(backgrounds))
    for number, backdrop in enumerate(USUAL):
        share, alpha = rounded(*subject.placed(rng))
        height_px, width_px = alpha.shape
        background = BY_NAME[backdrop](backgrounds[photos[number % len(photos)]], height_px, width_px, rng)
        yield composite_of(share, alpha, background, backdrop, rng)


def composites_in(folder: Path, sets: Sequence[PairSet]) -> PairSet:
    """The composites of some sets' subjects and of drawn ones.

    Raises Absent where no set has small subjects, whose pictures lend their backgrounds.
    """
    return made_in(folder, sets, write_composites)


def write_composites(pairs: Sequence[Pair], folder: Path) -> Entries:
    backgrounds, subjects = backgrounds_of(pairs), subjects_of(pairs)
    folds = folds_of(subjects)
    for place, subject in enumerate(subjects):
        common = {"category": subject.category, "kind": "fold", "subject": subject.identity}
        for number, composite in enumerate(usual(subject, backgrounds)):
            entry = written(composite, folder, f"{subject.name}_{number}_{composite.backdrop}")
            sampled = number == place % len(USUAL)
            yield entry | common | {"group": NO_CASE, "fold": folds[subject.name], "sampled": sampled}
    drawn = list(drawn_subjects())
    folds |= {subject.name: place % FOLDS for place, subject in enumerate(drawn)}
    for group, case in CASES.items():
        for subject in (*subjects, *drawn):
            rng = np.random.default_rng([SEED, zlib.crc32(f"{group} of {subject.name}".encode())])
            # What moves has no hair or hard edge to be judged by.
            common = {"category": group if group == BLUR else subject.category, "subject": subject.identity}
            marks = {"kind": "fold", "group": group, "fold": folds[subject.name], "sampled": False}
            for number, composite in enumerate(case(subject, backgrounds, rng)):
                yield (
                    written(composite, folder, f"{subject.name}_{group.replace(' ', '-')}_{number}")
                    | common
                    | marks
                )
    for fold in range(FOLDS):
        members = [subject for subject in subjects if folds[subject.name] == fold]
        rng = np.random.default_rng([SEED, zlib.crc32(SEVERAL.encode()), fold])
        marks = {"category": SEVERAL, "kind": "fold", "group": SEVERAL, "fold": fold, "sampled": False}
        for number, composite in enumerate(several(members, backgrounds, rng)):
            name = f"{SEVERAL}_{fold}_{number}"
            yield written(composite, folder, name) | {"subject": name} | marks


def add_set_options(parser: ArgumentParser) -> None:
    """The options of a program that looks at composites and at photos."""
    parser.add_argument("--folds", type=Path, help="folder of composites; default: made in --out")
    parser.add_argument("--pairs", nargs="+", type=Path, default=list(SHARED_SETS))
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="keep composites and maps here")


def sets_of(options: Namespace) -> list[PairSet]:
    """The composites, and behind them the sets of photos, that these options name.

    Raises:
        Absent: one is not there.
    """
    photos = [read_pairs(folder) for folder in options.pairs]
    return [read_pairs(options.folds) if options.folds else composites_in(options.out / "folds", photos), *photos]
