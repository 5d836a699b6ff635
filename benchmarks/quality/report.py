"""The tables: every method's means, comparisons with intervals, each photo, and the goals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounds import verdict
from benchmarks.pages import table
from benchmarks.quality.methods import BEFORE, CUTGATE, MATTING, PLAIN
from benchmarks.quality.pairs import PairSet
from benchmarks.quality.scores import (
    ALL,
    COMPARISONS,
    LEVEL_PERCENT,
    MEASURES,
    OVER_PLAIN,
    WORST,
    WORST_OF,
    Estimate,
    Goal,
    Scored,
    carrier_of,
    goals_for,
    ratios_of,
    worst_photo,
)

GoalRow: TypeAlias = tuple[list[str], bool]
"""A row of the table of goals, and whether it is met."""

SET_ON: Final = {"eval": "all rules", "eval_small": "zoom-in pass"}
"""Which of Cutgate's rules were set with a set's photos in view, by its name."""

MEASURES_TEXT: Final = """\
Lower is better, except for IoU. SAD: sum of |a − g| over the whole picture, in thousands of pixels; MSE × 1000;
gradient and connectivity error after Rhemann et al. 2009, in thousands; fgerr: RMS difference of the 8-bit
colours where the true alpha is soft, result and truth laid over black, white and green; fgcol: the same with the
true alpha for both, so of the colours alone."""

INTERVALS_TEXT: Final = f"""\
"Per photo" is the geometric mean of each photo's ratio, "SAD lower" the share of photos on which Cutgate's SAD
is lower, "mean" the ratio of means, IoU the difference of means. Below 1 is better; for "SAD lower" and IoU, more
is. In brackets: the interval that holds {LEVEL_PERCENT} % of all draws of subjects (paired bootstrap)."""

PHOTOS_TEXT: Final = """\
SAD of every photo. "Set on" names the rules of Cutgate that were set with this photo in view: there its figures
flatter."""


@dataclass(frozen=True, slots=True)
class SetReport:
    """Every method's scores on one set of pairs."""

    pairs: PairSet
    scored: Mapping[str, Scored]
    """By method; a slow one may have fewer photos."""

    def means(self) -> str:
        """A table: each group's means for every method that cut out all photos, one below the other."""
        count = len(self.scored[CUTGATE].names)
        whole = {method: scored for method, scored in self.scored.items() if len(scored.names) == count}
        rows = []
        for group, photos in self._groups(self.scored[CUTGATE]).items():
            for method, scored in whole.items():
                values = {measure: scored.values[measure][photos] for measure in MEASURES}
                shown = [f"{v.mean():.4f}" if m == "IoU" else f"{v.mean():.1f}" for m, v in values.items()]
                median = f"{np.median(values['SAD']):.1f}"
                rows.append([group, str(np.count_nonzero(photos)), method, shown[0], median, *shown[1:]])
        return table(["Photos", "n", "Method", "SAD", "median SAD", *MEASURES[1:]], rows)

    def compared_with(self, method: str) -> str:
        """A table: Cutgate over another method, for each group."""
        theirs = self.scored[method]
        ours = self.scored[CUTGATE].among(theirs)
        rows = []
        for group, photos in self._groups(ours).items():
            cells = [_shown(c.estimate(ours, theirs, photos), c.shown) for c in COMPARISONS]
            rows.append([group, str(np.count_nonzero(photos)), *cells])
        return table(["Photos", "n", *(comparison.name for comparison in COMPARISONS)], rows)

    def photos(self) -> list[list[str]]:
        """Rows of the table of single photos."""
        methods = [method for method in (MATTING, BEFORE, CUTGATE) if method in self.scored]
        ours = self.scored[CUTGATE]
        sad = [self.scored[method].values["SAD"] for method in methods]
        over = [ratios_of(ours, self.scored[method], "SAD") for method in methods[:-1]]
        marked = SET_ON.get(self.pairs.name, "none")
        return [
            [name, marked, *(f"{v[place]:.1f}" for v in sad), *(f"{r[place]:.2f}" for r in over)]
            for place, name in enumerate(ours.names)
        ]

    def goals(self) -> list[GoalRow]:
        """Rows of the table of goals, and whether each is met. Composites have none beside rembg."""
        beside_rembg = () if self.pairs.in_folds else self._beside_rembg()
        return [*beside_rembg, *(self._beside_before() if BEFORE in self.scored else ())]

    def markdown(self) -> str:
        """The tables under one heading."""
        count = len(self.scored[CUTGATE].names)
        parts = [f"### {self.pairs.name}: {count} photos", self.means()]
        for method in (MATTING, PLAIN, BEFORE):
            if method in self.scored:
                of = len(self.scored[method].names)
                where = "" if of == count else f", on one composite of each subject ({of})"
                parts += [f"Cutgate over {_NAMES[method]}{where}:", self.compared_with(method)]
        return "\n\n".join(parts)

    def _groups(self, ours: Scored) -> dict[str, NDArray[np.bool_]]:
        """All photos, all but the one on which the means rest, and each category. Composites weigh alike."""
        groups = ours.groups()
        if self.pairs.in_folds:
            return groups
        carrier = carrier_of(ours, self.scored[MATTING])
        others = np.arange(len(ours.names)) != carrier
        return {ALL: groups.pop(ALL), f"all but {ours.names[carrier]}": others, **groups}

    def _beside_rembg(self) -> Iterator[GoalRow]:
        for group, photos in self.scored[CUTGATE].groups().items():
            for goal in goals_for(group, small=self.pairs.small):
                yield self._held(goal, MATTING, group, photos)
            if group in OVER_PLAIN and not self.pairs.small:
                yield self._held(OVER_PLAIN[group], PLAIN, group, photos)

    def _held(self, goal: Goal, method: str, group: str, photos: NDArray[np.bool_]) -> GoalRow:
        estimate = goal.comparison.estimate(self.scored[CUTGATE], self.scored[method], photos)
        met, form = goal.bound.met(estimate.value), goal.comparison.shown
        name, count = f"{self.pairs.name}, {group}: {goal.comparison.name}", str(np.count_nonzero(photos))
        return [name, method, count, goal.bound.text(form), _shown(estimate, form), verdict(met=met)], met

    def _beside_before(self) -> Iterator[GoalRow]:
        for measure in WORST_OF:
            name, ratio = worst_photo(self.scored[CUTGATE], self.scored[BEFORE], measure)
            met = WORST.met(ratio)
            cells = "1", WORST.text(".2f"), f"{ratio:.2f}", verdict(met=met)
            yield [f"{self.pairs.name}: worst {measure}, {name}", BEFORE, *cells], met


_NAMES: Final = {
    MATTING: "rembg with alpha matting",
    PLAIN: "rembg without matting",
    BEFORE: "the commit before",
}


def whole_report(reports: Sequence[SetReport]) -> tuple[str, bool]:
    """All tables as Markdown, the goals first, and whether every goal is met."""
    goals = [goal for report in reports for goal in report.goals()]
    summary = table(["Cutgate", "over", "n", "goal", "reached", "verdict"], [row for row, _ in goals])
    parts = [summary, INTERVALS_TEXT, *(report.markdown() for report in reports)]
    listed = [row for report in reports if not report.pairs.in_folds for row in report.photos()]
    if listed:
        before = [BEFORE] if any(BEFORE in report.scored for report in reports) else []
        over = [f"over {method}" for method in (MATTING, *before)]
        parts += [PHOTOS_TEXT, table(["Photo", "set on", MATTING, *before, CUTGATE, *over], listed)]
    return "\n\n".join((*parts, MEASURES_TEXT)), all(met for _, met in goals)


def _shown(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
