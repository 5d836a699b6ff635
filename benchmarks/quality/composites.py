"""Composites with true alpha: the shared sets' subjects over other backgrounds, in folds by subject.

The same sources give the same files. A threshold that is chosen on some folds meets no subject of theirs on the
others; backgrounds are shared by all.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import Absent
from benchmarks.quality.backdrops import BY_NAME
from benchmarks.quality.pairs import SMALL, SOFT, Pair, PairSet, read_pairs
from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, RgbImage

FOLDS: Final = 5
SEED: Final = 15
BACKDROPS: Final = ("photo",) * 3 + ("blurred",) * 2 + ("texture", "gradient", "white", "grey", "noise")
"""What each subject is laid over, one composite for each entry."""

LONG_SIDES_PX: Final = (768, 1280, 2048)
"""No subject is enlarged, so that a small one's composites may be smaller."""

MARGINS: Final = ((0.02, 0.15), (0.1, 0.4), (0.4, 1.0))
"""Least and greatest margin beside a subject, in its own height or width: it is large, usual or small there."""

JPEG_QUALITIES: Final = (95, 88, 75)
GRAIN_LEVELS: Final = (0.0, 2.0, 4.0)
NOT_EMPTY: Final = frozenset(
    {"small_cmp_curls_dark", "small_cmp_dog", "small_obj_marble", "small_obj_rocks_house"}
)
"""Pictures whose background has something in it that is a subject as well: a numeral, people, a bench, sacks."""

MANIFEST: Final = "manifest.json"

Entries: TypeAlias = Iterator[Mapping[str, Any]]
"""What a manifest says of pictures, as they are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Subject to lay over a background, cropped to its alpha."""

    name: str
    identity: str
    """The pair's `subject`."""
    category: str
    premultiplied: FloatImage
    """(height, width, 3) float32, 0 to 255: colours times alpha."""
    alpha: ByteMask
    cut_off: tuple[bool, bool, bool, bool]
    """Whether the frame cuts it at the top, the bottom, the left and the right; there no margin is added."""

    @classmethod
    def of(cls, pair: Pair) -> "Subject":
        """From a pair: its true colours where alpha is soft, the photo's where it is full."""
        alpha = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE))
        photo, true = (np.asarray(cv2.imread(str(path))) for path in (pair.photo, pair.foreground))
        soft = (alpha > SOFT[0]) & (alpha < SOFT[1])
        colours = np.where(soft[..., None], true, photo)[..., ::-1]
        rows, columns = (np.flatnonzero((alpha > SOFT[0]).any(axis)) for axis in (1, 0))
        inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        height_px, width_px = alpha.shape
        cut_off = (rows[0] == 0, rows[-1] == height_px - 1, columns[0] == 0, columns[-1] == width_px - 1)
        premultiplied = np.asarray(colours[inside] * (alpha[inside] / np.float32(255))[..., None], np.float32)
        return cls(pair.name, pair.subject, pair.category, premultiplied, alpha[inside].copy(), cut_off)


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A picture, its true alpha, the subject's colours, and how it was made."""

    photo: RgbImage
    alpha: ByteMask
    foreground: RgbImage
    """The subject's colours where alpha is soft, black elsewhere."""
    jpeg_quality: int
    backdrop: str


def subjects_of(pairs: Sequence[Pair]) -> list[Subject]:
    """Each subject once, from its natural photo where there is one; the small pictures only repeat them."""
    first = {pair.subject: pair for pair in sorted(pairs, key=lambda p: p.kind == "natural") if pair.kind != SMALL}
    return [Subject.of(first[name]) for name in sorted(first)]


def backgrounds_of(pairs: Sequence[Pair]) -> list[RgbImage]:
    """The part of each small picture that its subject leaves free."""
    free = [pair for pair in pairs if pair.kind == SMALL and pair.name not in NOT_EMPTY]
    if not free:
        raise Absent("no backgrounds: name a set of small subjects, such as eval_small, with --pairs")
    return [_beside_the_subject(pair) for pair in free]


def folds_of(subjects: Sequence[Subject], seed: int = SEED) -> dict[str, int]:
    """A fold for each subject's name, each category spread over all folds."""
    order = np.random.default_rng(seed).permutation(len(subjects))
    mixed = sorted((subjects[index] for index in order), key=lambda subject: subject.category)
    return {subject.name: number % FOLDS for number, subject in enumerate(mixed)}


def composites_of(subject: Subject, backgrounds: Sequence[RgbImage], seed: int = SEED) -> Iterator[Composite]:
    """One composite for each of `BACKDROPS`; which they are depends on the subject's name and the seed alone."""
    rng = np.random.default_rng([seed, zlib.crc32(subject.name.encode())])
    photos = rng.permutation(len(backgrounds))
    for number, backdrop in enumerate(BACKDROPS):
        share, alpha = _placed(subject, rng)
        height_px, width_px = alpha.shape
        background = BY_NAME[backdrop](backgrounds[photos[number % len(photos)]], height_px, width_px, rng)
        weight = (alpha / np.float32(255))[..., None]
        seen = share + (1 - weight) * background + rng.normal(0, rng.choice(GRAIN_LEVELS), share.shape)
        colours = share / np.maximum(weight, np.float32(1 / 255))
        soft = (alpha > SOFT[0]) & (alpha < SOFT[1])
        yield Composite(
            levels(seen), alpha, levels(colours * soft[..., None]), int(rng.choice(JPEG_QUALITIES)), backdrop
        )


def composites_in(folder: Path, sets: Sequence[PairSet]) -> PairSet:
    """The composites of some sets' subjects.

    Raises Absent where no set has small subjects, whose pictures lend their backgrounds.
    """
    return made_in(folder, sets, Path(__file__), write_composites)


def made_in(
    folder: Path, sets: Sequence[PairSet], program: Path, write: Callable[[Sequence[Pair], Path], Entries]
) -> PairSet:
    """What a program makes of some sets, where it is not there or was made otherwise; the manifest is last."""
    made_by = hashlib.sha256(program.read_bytes()).hexdigest()
    made_from = {"program": made_by, "sets": [pairs.digest for pairs in sets]}
    manifest = folder / MANIFEST
    if not manifest.is_file() or json.loads(manifest.read_bytes())["made_from"] != made_from:
        folder.mkdir(parents=True, exist_ok=True)
        entries = list(write([pair for pairs in sets for pair in pairs.pairs], folder))
        write_whole(manifest, json.dumps({"made_from": made_from, "pairs": entries}, indent=1).encode())
    return read_pairs(folder)


def write_composites(pairs: Sequence[Pair], folder: Path) -> Entries:
    backgrounds, subjects = backgrounds_of(pairs), subjects_of(pairs)
    folds = folds_of(subjects)
    for place, subject in enumerate(subjects):
        common = {"category": subject.category, "kind": "fold", "subject": subject.identity}
        for number, composite in enumerate(composites_of(subject, backgrounds)):
            written = _written(composite, folder, f"{subject.name}_{number}_{composite.backdrop}")
            sampled = number == place % len(BACKDROPS)
            yield written | common | {"fold": folds[subject.name], "sampled": sampled}


def _written(composite: Composite, folder: Path, name: str) -> dict[str, Any]:
    """Write the three files; what the manifest says of them. The digest makes it the manifest's own."""
    as_jpeg = [cv2.IMWRITE_JPEG_QUALITY, composite.jpeg_quality]
    files = {
        "image": (f"{name}.jpg", composite.photo[..., ::-1], as_jpeg),
        "alpha": (f"{name}.alpha.png", composite.alpha, []),
        "fg": (f"{name}.fg.png", composite.foreground[..., ::-1], []),
    }
    digest = hashlib.sha256()
    for file, pixels, options in files.values():
        done, data = cv2.imencode(Path(file).suffix, np.ascontiguousarray(pixels), options)
        assert done
        digest.update(data.tobytes())
        write_whole(folder / file, data.tobytes())
    made = {"backdrop": composite.backdrop, "jpeg_quality": composite.jpeg_quality, "sha256": digest.hexdigest()}
    return {"name": name, **{role: file for role, (file, _, _) in files.items()}, **made}


def _placed(subject: Subject, rng: np.random.Generator) -> tuple[FloatImage, ByteMask]:
    """The subject with margins, scaled: its premultiplied colours and its alpha."""
    margins = rng.uniform(*MARGINS[rng.integers(len(MARGINS))], size=4)
    height_px, width_px = subject.alpha.shape
    sides_px = (height_px, height_px, width_px, width_px)
    top, bottom, left, right = (
        0 if cut else int(margin * side_px)
        for cut, margin, side_px in zip(subject.cut_off, margins, sides_px, strict=True)
    )
    long_side_px = max(height_px + top + bottom, width_px + left + right)
    scale = min(1.0, int(rng.choice(LONG_SIDES_PX)) / long_side_px)
    size = max(1, round(scale * width_px)), max(1, round(scale * height_px))
    given = subject.premultiplied, subject.alpha.astype(np.float32)
    top, bottom, left, right = (int(scale * margin_px) for margin_px in (top, bottom, left, right))
    share, alpha = (
        cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
        for array in (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in given)
    )
    # What is laid over the background goes with the alpha that is written, which is rounded.
    rounded = np.clip(np.rint(alpha), 0, 255)
    kept = np.asarray(share * (rounded / np.maximum(alpha, np.float32(1e-6)))[..., None], np.float32)
    return kept, rounded.astype(np.uint8)


def _beside_the_subject(pair: Pair) -> RgbImage:
    """The largest of the four strips above, below, left and right of what alpha shows."""
    photo = np.asarray(cv2.imread(str(pair.photo)))[..., ::-1]
    alpha = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE))
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    strips = (photo[: rows[0]], photo[rows[-1] + 1 :], photo[:, : columns[0]], photo[:, columns[-1] + 1 :])
    return max(strips, key=lambda strip: strip.size)


def levels(values: NDArray[np.floating[Any]]) -> RgbImage:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
