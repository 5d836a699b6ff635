"""A line of the tables of time and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.bounds import Bound, verdict
from benchmarks.pages import table
from benchmarks.speed.timing import Timings

HEADS: Final = ("Measured", "goal", "reached", "verdict", "seconds", "CPU seconds")
NONE: Final = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and whether it reaches its goal."""

    measured: str
    reached: str
    goal: str = NONE
    met: bool | None = None
    """None where there is no goal, or nothing could be measured."""
    seconds: str = NONE
    cpu_seconds: str = NONE

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of `HEADS`."""
        outcome = NONE if self.met is None else verdict(met=self.met)
        return (self.measured, self.goal, self.reached, outcome, self.seconds, self.cpu_seconds)


def figure(measured: str, value: float, bound: Bound | None, form: str, unit: str = "") -> Row:
    """A number that is measured by itself."""
    if bound is None:
        return Row(measured, f"{value:{form}}{unit}")
    return Row(measured, f"{value:{form}}{unit}", f"{bound.text(form)}{unit}", bound.met(value))


def ratio(measured: str, timings: Timings, above: str, below: str, bound: Bound | None) -> Row:
    """One call's time over another's; the columns of seconds show both calls' least."""
    value = timings.ratio(above, below)
    return Row(
        measured,
        f"{value:.2f}",
        bound.text(".2f") if bound else NONE,
        bound.met(value) if bound else None,
        _both(timings.least_seconds(above), timings.least_seconds(below)),
        _both(timings.least_cpu_seconds(above), timings.least_cpu_seconds(below)),
    )


def lacking(measured: str, reason: object) -> Row:
    """What this machine or installation cannot measure."""
    return Row(measured, f"not run: {' '.join(str(reason).split())}")


def as_table(rows: Sequence[Row]) -> str:
    """All rows as Markdown."""
    return table(HEADS, [row.cells for row in rows])


def _both(above: float, below: float) -> str:
    return f"{above:.2f} / {below:.2f}"
