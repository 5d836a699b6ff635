"""Scores of two methods on the same photos, compared with paired bootstrap intervals, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pairs import NO_CASE

Scores: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Scores, Scores, Scores], Scores]
"""Our scores and theirs, both (photos,), and how often each draw picks each photo, (draws, photos); to one number
for each draw."""

MEASURES: Final = ("SAD", "MSE", "Grad", "Conn", "IoU", "fgerr", "fgcol")
ALL: Final = "all"
THIN: Final = "thin structure"

DRAWS: Final = 5000
SEED: Final = 0
LEVEL_PERCENT: Final = 95
LEAST: Final = 1e-3
"""Below it a photo's score counts as this much, so that a ratio stays finite."""
LEAST_OF_ONE: Final = 0.5
"""What a score counts as where one photo's ratio is shown alone: half a thousand pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method's scores on a set of photos, in the set's order."""

    names: tuple[str, ...]
    categories: tuple[str, ...]
    subjects: tuple[str, ...]
    """What each photo shows: photos of one subject are no independent draws."""
    cases: tuple[str, ...]
    """Of composites: the `group` that says what makes each hard."""
    values: Mapping[str, Scores]
    """(photos,) float64 for each of `MEASURES`."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Scored:
        """From the evaluator's rows, which may name the `subject` and the `group` of each photo."""
        listed = [{"subject": row["name"], "group": NO_CASE} | dict(row) for row in rows]
        values = {measure: np.array([float(row[measure]) for row in listed]) for measure in MEASURES}
        names, categories, subjects, cases = (
            tuple(str(row[key]) for row in listed) for key in ("name", "category", "subject", "group")
        )
        return cls(names, categories, subjects, cases, values)

    def only(self, photos: NDArray[np.bool_]) -> Scored:
        """Of some of the photos."""
        names, categories, subjects, cases = (
            tuple(np.array(each)[photos]) for each in (self.names, self.categories, self.subjects, self.cases)
        )
        return Scored(
            names, categories, subjects, cases, {name: each[photos] for name, each in self.values.items()}
        )

    def among(self, other: Scored) -> Scored:
        """Of the photos that another method has been scored on as well."""
        return self.only(np.isin(self.names, other.names))

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """Which photos belong to each group: all of them, then by category and, if there are some, by case."""
        found = {ALL: np.ones(len(self.names), np.bool_)}
        for marks in (self.categories, *([self.cases] if set(self.cases) > {NO_CASE} else [])):
            found |= {name: np.array(marks) == name for name in sorted(set(marks))}
        return found


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of the photos at hand, and the interval that resampling their subjects gives."""

    value: float
    low: float
    high: float


def geometric_mean_ratio(ours: Scores, theirs: Scores, picked: Scores) -> Scores:
    """Of each photo's ratio: a photo on which both are bad weighs no more than any other."""
    logs = np.log(np.maximum(ours, LEAST)) - np.log(np.maximum(theirs, LEAST))
    return np.asarray(np.exp(picked @ logs / picked.sum(axis=-1)))


def share_lower(ours: Scores, theirs: Scores, picked: Scores) -> Scores:
    return np.asarray(picked @ (ours < theirs) / picked.sum(axis=-1))


def ratio_of_means(ours: Scores, theirs: Scores, picked: Scores) -> Scores:
    return np.asarray((picked @ ours) / (picked @ theirs))


def ratio_of_medians(ours: Scores, theirs: Scores, picked: Scores) -> Scores:
    return _medians(ours, picked) / _medians(theirs, picked)


def difference_of_means(ours: Scores, theirs: Scores, picked: Scores) -> Scores:
    return np.asarray(picked @ (ours - theirs) / picked.sum(axis=-1))


def _medians(scores: Scores, picked: Scores) -> Scores:
    """Of each draw; as usual the middle of two where their number is even."""
    order = np.argsort(scores)
    passed = np.cumsum(picked[:, order], axis=1)
    half = passed[:, -1:] / 2
    lower, upper = (scores[order][reached.argmax(axis=1)] for reached in (passed >= half, passed > half))
    return np.asarray((lower + upper) / 2)


def bootstrap(
    ours: Scores,
    theirs: Scores,
    statistic: Statistic,
    subjects: Iterable[str] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Estimate:
    """A statistic and its percentile interval under resampling of subjects with replacement.

    Paired: a draw takes both scores of the photos that it picks, so what makes a photo hard for both cancels. By
    subject: a draw takes all photos of the subjects that it picks, so that many photos of one subject do not pass
    for many subjects (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13).

    Scores are (photos,) of both methods, in one order; without `subjects` each photo shows another.
    """
    if ours.ndim != 1 or ours.shape != theirs.shape or not ours.size:
        raise ValueError(f"scores of the same photos are needed, not {ours.shape} and {theirs.shape}")
    _, shown = np.unique(np.arange(ours.size) if subjects is None else list(subjects), return_inverse=True)
    count = int(shown.max()) + 1
    picks = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    beyond = (100 - LEVEL_PERCENT) / 2
    drawn = statistic(ours, theirs, picks[:, shown].astype(np.float64))
    low, high = np.percentile(drawn, (beyond, 100 - beyond))
    return Estimate(float(statistic(ours, theirs, np.ones((1, ours.size)))[0]), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column of the table of comparisons."""

    name: str
    measure: str
    statistic: Statistic
    shown: str = ".2f"

    def estimate(self, ours: Scored, theirs: Scored, photos: NDArray[np.bool_]) -> Estimate:
        """Over some of the photos; both are of the same ones."""
        ours, theirs = ours.only(photos), theirs.only(photos)
        return bootstrap(ours.values[self.measure], theirs.values[self.measure], self.statistic, ours.subjects)


SAD_PER_PHOTO: Final = Comparison("SAD per photo", "SAD", geometric_mean_ratio)
GRAD_PER_PHOTO: Final = Comparison("Grad per photo", "Grad", geometric_mean_ratio)
SAD_LOWER: Final = Comparison("SAD lower", "SAD", share_lower, ".0%")
MEAN_SAD: Final = Comparison("mean SAD", "SAD", ratio_of_means)
MEDIAN_SAD: Final = Comparison("median SAD", "SAD", ratio_of_medians)
MEAN_GRAD: Final = Comparison("mean Grad", "Grad", ratio_of_means)
FGCOL_PER_PHOTO: Final = Comparison("fgcol per photo", "fgcol", geometric_mean_ratio)
MEAN_FGERR: Final = Comparison("mean fgerr", "fgerr", ratio_of_means)
MEAN_FGCOL: Final = Comparison("mean fgcol", "fgcol", ratio_of_means)
IOU_GAIN: Final = Comparison("IoU", "IoU", difference_of_means, "+.4f")
COMPARISONS: Final = (
    SAD_PER_PHOTO,
    SAD_LOWER,
    GRAD_PER_PHOTO,
    Comparison("fgerr per photo", "fgerr", geometric_mean_ratio),
    FGCOL_PER_PHOTO,
    MEAN_SAD,
    IOU_GAIN,
)


def worst_photo(ours: Scored, theirs: Scored, measure: str) -> tuple[str, float]:
    """The photo on which ours is worst beside theirs, and its ratio of a measure; both are of the same photos."""
    ratios = ratios_of(ours, theirs, measure)
    return ours.names[int(ratios.argmax())], float(ratios.max())


def ratios_of(ours: Scored, theirs: Scored, measure: str) -> Scores:
    """(photos,): each one's ratio of a measure."""
    ours_least, theirs_least = (np.maximum(each.values[measure], LEAST_OF_ONE) for each in (ours, theirs))
    return np.asarray(ours_least / theirs_least)


def carrier_of(comparison: Comparison, ours: Scored, theirs: Scored) -> int:
    """The photo that a comparison rests on most: without it the figure changes most."""
    count = len(ours.names)
    picked = np.vstack([np.ones(count), 1 - np.eye(count)])
    # A method may be without any error on the others.
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = comparison.statistic(ours.values[comparison.measure], theirs.values[comparison.measure], picked)
    return int(np.nan_to_num(np.abs(figures[1:] - figures[0])).argmax())


def intersection_over_union(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Of two zones of one size; 0 where both are empty."""
    return float(np.count_nonzero(found & truth) / max(1, int(np.count_nonzero(found | truth))))
