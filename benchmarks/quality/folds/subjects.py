"""Subjects to lay over other backgrounds, what their pictures lend as backgrounds, and the folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from benchmarks import Absent
from benchmarks.quality.pairs import SMALL, SOFT, Pair
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatImage, FloatMask, RgbImage

FOLDS: Final = 5
SEED: Final = 15
LONG_SIDES_PX: Final = (768, 1280, 2048)
"""No subject is enlarged, so that a small one's composites may be smaller."""

MARGINS: Final = ((0.02, 0.15), (0.1, 0.4), (0.4, 1.0))
"""Least and greatest margin beside a subject, in its own height or width: it is large, usual or small there."""

NOT_EMPTY: Final = frozenset(
    {"small_cmp_curls_dark", "small_cmp_dog", "small_obj_marble", "small_obj_rocks_house"}
)
"""Pictures whose background has something in it that is a subject as well: a numeral, people, a bench, sacks."""


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
    cut_off: tuple[bool, bool, bool, bool] = (False,) * 4
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

    def resized(self, width_px: int, height_px: int) -> tuple[FloatImage, FloatMask]:
        """Premultiplied colours and alpha, both 0 to 255."""
        given = self.premultiplied, self.alpha.astype(np.float32)
        size = max(1, width_px), max(1, height_px)
        share, alpha = (
            np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.float32) for each in given
        )
        return share, alpha

    def placed(
        self, rng: np.random.Generator, long_sides_px: Sequence[int] = LONG_SIDES_PX
    ) -> tuple[FloatImage, FloatMask]:
        """With random margins and scaled: premultiplied colours and alpha."""
        margins = rng.uniform(*MARGINS[rng.integers(len(MARGINS))], size=4)
        height_px, width_px = self.alpha.shape
        sides_px = (height_px, height_px, width_px, width_px)
        top, bottom, left, right = (
            0 if cut else int(margin * side_px)
            for cut, margin, side_px in zip(self.cut_off, margins, sides_px, strict=True)
        )
        long_side_px = max(height_px + top + bottom, width_px + left + right)
        scale = min(1.0, int(rng.choice(long_sides_px)) / long_side_px)
        top, bottom, left, right = (int(scale * margin_px) for margin_px in (top, bottom, left, right))
        share, alpha = (
            cv2.copyMakeBorder(array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
            for array in self.resized(round(scale * width_px), round(scale * height_px))
        )
        return np.asarray(share, np.float32), np.asarray(alpha, np.float32)


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


def _beside_the_subject(pair: Pair) -> RgbImage:
    """The largest of the four strips above, below, left and right of what alpha shows."""
    photo = np.asarray(cv2.imread(str(pair.photo)))[..., ::-1]
    alpha = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE))
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    strips = (photo[: rows[0]], photo[rows[-1] + 1 :], photo[:, : columns[0]], photo[:, columns[-1] + 1 :])
    return max(strips, key=lambda strip: strip.size)
