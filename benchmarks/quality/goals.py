"""What the cut-outs are to reach, beside rembg, beside another commit, and beside the network's own mask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from benchmarks.bounds import Bound, at_least, at_most, verdict
from benchmarks.quality.folds.cases import VEIL
from benchmarks.quality.methods import BEFORE, CUTGATE, MASK, MATTING, PLAIN
from benchmarks.quality.pairs import PRODUCT, PairSet
from benchmarks.quality.scores import (
    ALL,
    FGCOL_PER_PHOTO,
    GRAD_PER_PHOTO,
    IOU_GAIN,
    MEAN_FGCOL,
    MEAN_FGERR,
    MEAN_GRAD,
    MEAN_SAD,
    MEDIAN_SAD,
    SAD_LOWER,
    SAD_PER_PHOTO,
    THIN,
    Comparison,
    Estimate,
    Scored,
    carrier_of,
    ratios_of,
)

GoalRow: TypeAlias = tuple[list[str], bool]
"""A row of the table of goals, and whether it is met."""


WORST: Final = at_most(1.10)
"""The greatest ratio of any photo."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a comparison over a group of photos is to reach."""

    over: str
    """The method that it is compared with."""
    group: str
    comparison: Comparison
    bound: Bound
    alone: bool = False
    """Whether it is held to the bound without the photo that it rests on most, too."""


@dataclass(frozen=True, slots=True)
class OnEach:
    """No photo of a group may be worse than `WORST`."""

    over: str
    group: str
    measure: str


_NO_PHOTO_WORSE: Final = (OnEach(BEFORE, ALL, "SAD"), OnEach(BEFORE, ALL, "Grad"))
_NO_EDGE_WORSE: Final = (
    Goal(MASK, PRODUCT, GRAD_PER_PHOTO, at_most(1.0)),
    OnEach(MASK, PRODUCT, "Grad"),
)
"""Refinement must not harm an edge that is hard."""

USUAL_SUBJECTS: Final = (
    Goal(MATTING, ALL, SAD_PER_PHOTO, at_most(0.85)),
    Goal(MATTING, ALL, SAD_LOWER, at_least(0.70)),
    Goal(MATTING, ALL, MEAN_SAD, at_most(0.93)),
    Goal(MATTING, ALL, MEDIAN_SAD, at_most(0.85)),
    Goal(MATTING, ALL, MEAN_GRAD, at_most(0.65)),
    Goal(MATTING, ALL, MEAN_FGERR, at_most(0.92)),
    Goal(MATTING, ALL, MEAN_FGCOL, at_most(0.88)),
    Goal(MATTING, ALL, IOU_GAIN, at_least(0.0)),
    Goal(PLAIN, PRODUCT, MEAN_GRAD, at_most(1.0)),
    *_NO_EDGE_WORSE,
    Goal(BEFORE, ALL, SAD_PER_PHOTO, at_most(0.97), alone=True),
    Goal(BEFORE, ALL, FGCOL_PER_PHOTO, at_most(0.97), alone=True),
    *_NO_PHOTO_WORSE,
)
SMALL_SUBJECTS: Final = (
    Goal(MATTING, ALL, SAD_PER_PHOTO, at_most(0.70)),
    *_NO_EDGE_WORSE,
    Goal(BEFORE, ALL, SAD_PER_PHOTO, at_most(0.96), alone=True),
    Goal(BEFORE, ALL, FGCOL_PER_PHOTO, at_most(0.97), alone=True),
    *_NO_PHOTO_WORSE,
)
COMPOSITES: Final = (
    *_NO_EDGE_WORSE,
    Goal(BEFORE, VEIL, SAD_PER_PHOTO, at_most(0.85)),
    Goal(BEFORE, PRODUCT, GRAD_PER_PHOTO, at_most(0.95)),
    *_NO_PHOTO_WORSE,
)

EVERY_CATEGORY: Final = at_most(1.03)
OF_CATEGORY: Final = {THIN: at_most(0.75)}
"""Mean SAD over rembg's with matting, of usual subjects."""


def goals_of(pairs: PairSet) -> tuple[Goal | OnEach, ...]:
    """What a set of photos is held to."""
    if pairs.in_folds:
        return COMPOSITES
    if pairs.small:
        return SMALL_SUBJECTS
    categories = sorted({pair.category for pair in pairs.pairs})
    bounds = [(category, OF_CATEGORY.get(category, EVERY_CATEGORY)) for category in categories]
    return (*USUAL_SUBJECTS, *(Goal(MATTING, category, MEAN_SAD, bound) for category, bound in bounds))


def goal_rows(pairs: PairSet, scored: Mapping[str, Scored]) -> Iterator[GoalRow]:
    """The rows of the methods that were run, for the groups that the set has."""
    for goal in goals_of(pairs):
        if goal.over not in scored:
            continue
        theirs = scored[goal.over]
        ours = scored[CUTGATE].among(theirs)
        photos = ours.groups().get(goal.group)
        if photos is None:
            continue
        ours, theirs, name = ours.only(photos), theirs.only(photos), f"{pairs.name}, {goal.group}"
        rows = _on_each(goal, ours, theirs) if isinstance(goal, OnEach) else _over_all(goal, ours, theirs)
        yield from (([f"{name}: {cells[0]}", goal.over, *cells[1:]], met) for cells, met in rows)


def shown(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _over_all(goal: Goal, ours: Scored, theirs: Scored) -> Iterator[GoalRow]:
    comparison, count = goal.comparison, len(ours.names)
    held = {comparison.name: np.ones(count, np.bool_)}
    if goal.alone:
        carrier = carrier_of(comparison, ours, theirs)
        held[f"{comparison.name} without {ours.names[carrier]}"] = np.arange(count) != carrier
    form = comparison.shown
    for name, photos in held.items():
        estimate = comparison.estimate(ours, theirs, photos)
        met = goal.bound.met(estimate.value)
        reached, bound = shown(estimate, form), goal.bound.text(form)
        yield [name, str(np.count_nonzero(photos)), bound, reached, verdict(met=met)], met


def _on_each(goal: OnEach, ours: Scored, theirs: Scored) -> Iterator[GoalRow]:
    ratios = ratios_of(ours, theirs, goal.measure)
    place = int(ratios.argmax())
    met, name = WORST.met(float(ratios[place])), f"worst {goal.measure}, {ours.names[place]}"
    yield [name, str(len(ratios)), WORST.text(".2f"), f"{ratios[place]:.2f}", verdict(met=met)], met
