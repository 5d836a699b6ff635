"""The tables: every method's means, comparisons with intervals, and the goals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.bounds import verdict
from benchmarks.pages import table
from benchmarks.quality.methods import CUTGATE, MATTING, PLAIN
from benchmarks.quality.pairs import PairSet
from benchmarks.quality.scores import COMPARISONS, LEVEL_PERCENT, MEASURES, Estimate, Scored, goals_for

MEASURES_TEXT: Final = """\
Lower is better, except for IoU. SAD: sum of |a − g| over the whole picture, in thousands of pixels; MSE × 1000;
gradient and connectivity error after Rhemann et al. 2009, in thousands; fgerr: RMS difference of the 8-bit
colours where the true alpha is soft, result and truth laid over black, white and green; fgcol: the same with the
true alpha for both, so of the colours alone."""

INTERVALS_TEXT: Final = f"""\
In brackets: paired bootstrap intervals over the photos, {LEVEL_PERCENT} %. "SAD per photo" is the geometric mean
of each photo's ratio, "SAD lower" the share of photos on which Cutgate's SAD is lower; the other columns are
ratios of means and medians, and for IoU the difference of means. Below 1 is better; for "SAD lower" and IoU, more
is better. Some subjects are in two photos, so the photos are not independent and the intervals are somewhat too
narrow."""


@dataclass(frozen=True, slots=True)
class SetReport:
    """Every method's scores on one set of pairs."""

    pairs: PairSet
    scored: Mapping[str, Scored]

    def means(self) -> str:
        """A table: each group's means for every method, one below the other."""
        rows = []
        for group, photos in self.scored[CUTGATE].groups().items():
            for method, scored in self.scored.items():
                values = {measure: scored.values[measure][photos] for measure in MEASURES}
                shown = [f"{v.mean():.4f}" if m == "IoU" else f"{v.mean():.1f}" for m, v in values.items()]
                median = f"{np.median(values['SAD']):.1f}"
                rows.append([group, str(np.count_nonzero(photos)), method, shown[0], median, *shown[1:]])
        return table(["Photos", "n", "Method", "SAD", "median SAD", *MEASURES[1:]], rows)

    def compared_with(self, method: str) -> str:
        """A table: Cutgate over another method, for each group."""
        ours, theirs = self.scored[CUTGATE], self.scored[method]
        rows = []
        for group, photos in ours.groups().items():
            cells = [_shown(c.estimate(ours, theirs, photos), c.shown) for c in COMPARISONS]
            rows.append([group, str(np.count_nonzero(photos)), *cells])
        return table(["Photos", "n", *(comparison.name for comparison in COMPARISONS)], rows)

    def goals(self) -> tuple[list[list[str]], bool]:
        """Rows of the table of goals, and whether all are met."""
        ours, theirs = self.scored[CUTGATE], self.scored[MATTING]
        rows, all_met = [], True
        for group, photos in ours.groups().items():
            for goal in goals_for(group, small=self.pairs.small):
                estimate = goal.comparison.estimate(ours, theirs, photos)
                met, form = goal.bound.met(estimate.value), goal.comparison.shown
                all_met &= met
                name = f"{self.pairs.name}, {group}: {goal.comparison.name}"
                count, reached = str(np.count_nonzero(photos)), _shown(estimate, form)
                rows.append([name, count, goal.bound.text(form), reached, verdict(met=met)])
        return rows, all_met

    def markdown(self) -> str:
        """The tables under one heading."""
        return "\n\n".join(
            (
                f"### {self.pairs.name}: {len(self.pairs.pairs)} photos",
                self.means(),
                "Cutgate over rembg with alpha matting:",
                self.compared_with(MATTING),
                "Cutgate over rembg without matting:",
                self.compared_with(PLAIN),
            )
        )


def whole_report(reports: list[SetReport]) -> tuple[str, bool]:
    """All tables as Markdown, the goals first, and whether every goal is met."""
    goals = [report.goals() for report in reports]
    rows = [row for listed, _ in goals for row in listed]
    summary = table(["Cutgate over rembg with alpha matting", "n", "goal", "reached", "verdict"], rows)
    parts = [summary, INTERVALS_TEXT, *(report.markdown() for report in reports), MEASURES_TEXT]
    return "\n\n".join(parts), all(met for _, met in goals)


def _shown(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"
