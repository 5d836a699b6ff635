"""Scores of two methods on the same photos, compared with paired bootstrap intervals, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounds import Bound, at_least, at_most

Scores: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Scores, Scores], Scores]
"""Our scores and theirs, both (draws, photos), to one number for each draw."""

MEASURES: Final = ("SAD", "MSE", "Grad", "Conn", "IoU", "fgerr", "fgcol")
ALL: Final = "all"
THIN: Final = "thin structure"

DRAWS: Final = 5000
SEED: Final = 0
LEVEL_PERCENT: Final = 95
LEAST_SAD: Final = 1e-3
"""One pixel: below it a photo's SAD counts as this much, so that a ratio stays finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method's scores on a set of photos, in the set's order."""

    categories: tuple[str, ...]
    values: Mapping[str, Scores]
    """(photos,) float64 for each of `MEASURES`."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Scored:
        """From the evaluator's rows."""
        listed = list(rows)
        values = {measure: np.array([float(row[measure]) for row in listed]) for measure in MEASURES}
        return cls(tuple(str(row["category"]) for row in listed), values)

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """Which photos belong to each group: all of them first, then every category by name."""
        categories = np.array(self.categories)
        by_category = {name: categories == name for name in sorted(set(self.categories))}
        return {ALL: np.ones(len(categories), np.bool_), **by_category}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of the photos at hand, and the interval that resampling them gives."""

    value: float
    low: float
    high: float


def geometric_mean_ratio(ours: Scores, theirs: Scores) -> Scores:
    """Of each photo's ratio: a photo on which both are bad weighs no more than any other."""
    logs = np.log(np.maximum(ours, LEAST_SAD)) - np.log(np.maximum(theirs, LEAST_SAD))
    return np.asarray(np.exp(logs.mean(axis=-1)))


def share_lower(ours: Scores, theirs: Scores) -> Scores:
    """Share of photos on which ours is strictly lower."""
    return np.asarray((ours < theirs).mean(axis=-1))


def ratio_of_means(ours: Scores, theirs: Scores) -> Scores:
    """Our mean over theirs."""
    return np.asarray(ours.mean(axis=-1) / theirs.mean(axis=-1))


def ratio_of_medians(ours: Scores, theirs: Scores) -> Scores:
    """Our median over theirs."""
    return np.asarray(np.median(ours, axis=-1) / np.median(theirs, axis=-1))


def difference_of_means(ours: Scores, theirs: Scores) -> Scores:
    """Our mean minus theirs."""
    return np.asarray(ours.mean(axis=-1) - theirs.mean(axis=-1))


def bootstrap(
    ours: Scores, theirs: Scores, statistic: Statistic, *, draws: int = DRAWS, seed: int = SEED
) -> Estimate:
    """A statistic and its percentile interval under resampling of photos with replacement.

    Paired: a draw takes both scores of the photos that it picks, so what makes a photo hard for both cancels
    (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    Args:
        ours: (photos,) scores, at least one.
        theirs: the other method's, of the same photos in the same order.
        statistic: what to estimate.
        draws: how often to resample.
        seed: of the random numbers; the same seed gives the same interval.

    Raises:
        ValueError: there are no photos, or not the same number of both.
    """
    if ours.ndim != 1 or ours.shape != theirs.shape or not ours.size:
        raise ValueError(f"scores of the same photos are needed, not {ours.shape} and {theirs.shape}")
    picks = np.random.default_rng(seed).integers(ours.size, size=(draws, ours.size))
    beyond = (100 - LEVEL_PERCENT) / 2
    low, high = np.percentile(statistic(ours[picks], theirs[picks]), (beyond, 100 - beyond))
    return Estimate(float(statistic(ours[None], theirs[None])[0]), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column of the table of comparisons."""

    name: str
    measure: str
    statistic: Statistic
    shown: str = ".2f"

    def estimate(self, ours: Scored, theirs: Scored, photos: NDArray[np.bool_]) -> Estimate:
        """Over some of the photos."""
        return bootstrap(ours.values[self.measure][photos], theirs.values[self.measure][photos], self.statistic)


SAD_PER_PHOTO: Final = Comparison("SAD per photo", "SAD", geometric_mean_ratio)
SAD_LOWER: Final = Comparison("SAD lower", "SAD", share_lower, ".0%")
MEAN_SAD: Final = Comparison("mean SAD", "SAD", ratio_of_means)
MEDIAN_SAD: Final = Comparison("median SAD", "SAD", ratio_of_medians)
MEAN_GRAD: Final = Comparison("Grad", "Grad", ratio_of_means)
MEAN_FGERR: Final = Comparison("fgerr", "fgerr", ratio_of_means)
MEAN_FGCOL: Final = Comparison("fgcol", "fgcol", ratio_of_means)
IOU_GAIN: Final = Comparison("IoU", "IoU", difference_of_means, "+.4f")
COMPARISONS: Final = (
    SAD_PER_PHOTO,
    SAD_LOWER,
    MEAN_SAD,
    MEDIAN_SAD,
    Comparison("MSE", "MSE", ratio_of_means),
    MEAN_GRAD,
    Comparison("Conn", "Conn", ratio_of_means),
    MEAN_FGERR,
    MEAN_FGCOL,
    IOU_GAIN,
)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a comparison with rembg's alpha matting is to reach."""

    comparison: Comparison
    bound: Bound


GOALS: Final = (
    Goal(SAD_PER_PHOTO, at_most(0.85)),
    Goal(SAD_LOWER, at_least(0.70)),
    Goal(MEAN_SAD, at_most(0.93)),
    Goal(MEDIAN_SAD, at_most(0.85)),
    Goal(MEAN_GRAD, at_most(0.65)),
    Goal(MEAN_FGERR, at_most(0.92)),
    Goal(MEAN_FGCOL, at_most(0.88)),
    Goal(IOU_GAIN, at_least(0.0)),
)
"""Over all photos of a set that is not one of small subjects."""

EVERY_CATEGORY: Final = Goal(MEAN_SAD, at_most(1.03))
OF_CATEGORY: Final = {THIN: Goal(MEAN_SAD, at_most(0.75))}
SMALL_SUBJECTS: Final = (Goal(SAD_PER_PHOTO, at_most(0.70)),)


def goals_for(group: str, *, small: bool) -> tuple[Goal, ...]:
    """What a group of a set's photos is to reach."""
    if small:
        return SMALL_SUBJECTS if group == ALL else ()
    return GOALS if group == ALL else (OF_CATEGORY.get(group, EVERY_CATEGORY),)
