"""The tables: every method's means, comparisons with intervals, each photo, and the goals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import table
from benchmarks.quality.goals import goal_rows, shown
from benchmarks.quality.methods import BEFORE, CUTGATE, MASK, MATTING, PLAIN
from benchmarks.quality.pairs import PairSet
from benchmarks.quality.scores import (
    ALL,
    COMPARISONS,
    LEVEL_PERCENT,
    MEAN_SAD,
    MEASURES,
    Scored,
    carrier_of,
    ratios_of,
)

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
        ours = self.scored[CUTGATE]
        whole = {method: scored for method, scored in self.scored.items() if scored.names == ours.names}
        rows = []
        for group, photos in self._groups(ours, next(iter(whole.values()))).items():
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
        for group, photos in self._groups(ours, theirs).items():
            cells = [shown(c.estimate(ours, theirs, photos), c.shown) for c in COMPARISONS]
            rows.append([group, str(np.count_nonzero(photos)), *cells])
        return table(["Photos", "n", *(comparison.name for comparison in COMPARISONS)], rows)

    def photos(self) -> list[list[str]]:
        """Rows of the table of single photos."""
        ours, methods = self.scored[CUTGATE], _of_photos(self)
        sad = [self.scored[method].values["SAD"] for method in (*methods, CUTGATE)]
        over = [ratios_of(ours, self.scored[method], "SAD") for method in methods]
        marked = SET_ON.get(self.pairs.name, "none")
        return [
            [name, marked, *(f"{v[place]:.1f}" for v in sad), *(f"{r[place]:.2f}" for r in over)]
            for place, name in enumerate(ours.names)
        ]

    def markdown(self) -> str:
        """The tables under one heading."""
        count = len(self.scored[CUTGATE].names)
        parts = [f"### {self.pairs.name}: {count} photos", self.means()]
        for method, named in _NAMES.items():
            if method in self.scored:
                of = len(self.scored[method].names)
                where = "" if of == count else f", on {of} of them"
                parts += [f"Cutgate over {named}{where}:", self.compared_with(method)]
        return "\n\n".join(parts)

    def _groups(self, ours: Scored, theirs: Scored) -> dict[str, NDArray[np.bool_]]:
        """All photos, all but the one on which a mean rests, and each category. Composites weigh alike."""
        groups = ours.groups()
        if self.pairs.in_folds:
            return groups
        carrier = carrier_of(MEAN_SAD, ours, theirs)
        others = np.arange(len(ours.names)) != carrier
        return {ALL: groups.pop(ALL), f"all but {ours.names[carrier]}": others, **groups}


_NAMES: Final = {
    MATTING: "rembg with alpha matting",
    PLAIN: "rembg without matting",
    BEFORE: "the commit before",
    MASK: "the network's own mask, of products",
}


def whole_report(reports: Sequence[SetReport]) -> tuple[str, bool]:
    """All tables as Markdown, the goals first, and whether every goal is met."""
    goals = [goal for report in reports for goal in goal_rows(report.pairs, report.scored)]
    summary = table(["Cutgate", "over", "n", "goal", "reached", "verdict"], [row for row, _ in goals])
    parts = [summary, INTERVALS_TEXT, *(report.markdown() for report in reports)]
    listed = [row for report in reports if not report.pairs.in_folds for row in report.photos()]
    if listed:
        over = [f"over {method}" for method in _of_photos(reports[0])]
        parts += [PHOTOS_TEXT, table(["Photo", "set on", *_of_photos(reports[0]), CUTGATE, *over], listed)]
    return "\n\n".join((*parts, MEASURES_TEXT)), all(met for _, met in goals)


def _of_photos(report: SetReport) -> list[str]:
    """The methods beside Cutgate in the table of single photos."""
    return [method for method in (MATTING, BEFORE) if method in report.scored]
