"""A line of the tables of time and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.bounds import Bound, verdict
from benchmarks.pages import table
from benchmarks.speed.timing import Timings

HEADS: Final = ("Measured", "goal", "reached", "verdict")
IN_TURN: Final = ("seconds", "CPU seconds")
BEFORE: Final = ("before", "now over before")
NONE: Final = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and whether it reaches its goal."""

    measured: str
    reached: str
    goal: str = NONE
    met: bool | None = None
    """None where there is no goal, or nothing could be measured."""
    details: tuple[str, str] = (NONE, NONE)
    """Of the two last columns."""

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of the columns."""
        outcome = NONE if self.met is None else verdict(met=self.met)
        return (self.measured, self.goal, self.reached, outcome, *self.details)


def figure(
    measured: str,
    value: float,
    bound: Bound | None,
    form: str,
    unit: str = "",
    details: tuple[str, str] = (NONE, NONE),
) -> Row:
    """A number against its goal."""
    if bound is None:
        return Row(measured, f"{value:{form}}{unit}", details=details)
    return Row(measured, f"{value:{form}}{unit}", f"{bound.text(form)}{unit}", bound.met(value), details)


def ratio(measured: str, timings: Timings, above: str, below: str, bound: Bound | None) -> Row:
    """One call's time over another's; the columns of seconds show both calls' least."""
    details = (
        _both(timings.least_seconds(above), timings.least_seconds(below)),
        _both(timings.least_cpu_seconds(above), timings.least_cpu_seconds(below)),
    )
    return figure(measured, timings.ratio(above, below), bound, ".2f", details=details)


def beside_before(
    measured: str, rounds: Sequence[Sequence[float]], bound: Bound | None, form: str, unit: str
) -> Row:
    """The least of the rounds: of what this tree takes and, where there is an earlier one, of what that takes."""
    now, *before = (min(each) for each in zip(*rounds, strict=True))
    over = [f"{median(each[0] / each[1] for each in rounds):.2f}"] if before else []
    earlier, over_it = [*(f"{value:{form}}{unit}" for value in before), *over] or (NONE, NONE)
    return figure(measured, now, bound, form, unit, (earlier, over_it))


def lacking(measured: str, reason: object) -> Row:
    """What this machine or installation cannot measure."""
    return Row(measured, f"not run: {' '.join(str(reason).split())}")


def as_table(rows: Sequence[Row], details: Sequence[str] = IN_TURN) -> str:
    """All rows as Markdown, with the names of the two last columns."""
    return table([*HEADS, *details], [row.cells for row in rows])


def _both(above: float, below: float) -> str:
    return f"{above:.2f} / {below:.2f}"
