"""Output of a call with many pictures: results on standard output, a bar and failures on standard error."""

import sys
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final, Self

import click
from rich import progress as rich
from rich.console import Console

from cutgate.batches.batch import Outcome, Progress, Report
from cutgate.commands.console import print_json, tell
from cutgate.errors import CutgateError, facts
from cutgate.protocol.connection import Retries

STANDARD: Final = "-"
"""Standard input and output, where files are named."""
REMEDY: Final = "--box says where one is"
WORDS: Final = {
    "saved": "saved",
    "kept": "already there",
    "no_subject": "of them without a subject",
    "review": "for review",
    "failed": "failed",
    "untried": "not begun",
}


class Display:
    """Shows pictures as they end, and a bar while the block lasts, on a terminal only.

    A total of None is not known. With `as_json` there is one object for each picture, and no bar. Files of `piped`
    stand for standard input and output.
    """

    def __init__(self, total: int | None, *, as_json: bool, piped: Collection[Path] = ()) -> None:
        self._total, self._as_json, self._piped = total, as_json, piped
        console = Console(stderr=True)
        self._shown = console.is_terminal and not as_json
        columns: list[rich.ProgressColumn] = [rich.SpinnerColumn(), rich.TextColumn("{task.description}")]
        if total is not None:
            columns += [rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeRemainingColumn()]
        self._bars = rich.Progress(
            *columns,
            console=console,
            transient=True,
            disable=not self._shown,
            redirect_stdout=sys.stdout.isatty(),  # else the bar's console would take what goes into a pipe
        )
        self._bar = self._bars.add_task("Cutting out", total=total)
        self.retries = Retries(on_refusal=None if as_json else self._refused)
        """How the service is asked again; what it says meanwhile is shown, to people."""
        self._refusals: set[str] = set()
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def describe(self, text: str) -> None:
        """What goes on now, for people who look."""
        self._bars.update(self._bar, description=text)

    def progress(self, progress: Progress) -> None:
        """Show the picture that ended last, and how far all are."""
        self.outcome(progress.outcome)
        self._bars.update(self._bar, completed=progress.done)

    def outcome(self, outcome: Outcome) -> None:
        """Show one picture's end."""
        paths = (outcome.source, outcome.target)
        source, target = (STANDARD if path in self._piped else str(path) for path in paths)
        if self._as_json:
            print_json(
                {
                    "source": source,
                    "target": target,
                    "state": outcome.state,
                    "subject": outcome.subject_found,
                    "confidence": outcome.confidence,
                    "review": outcome.review,
                    "replaced": outcome.replaced,
                    "task": outcome.uid,
                    "error": None if outcome.error is None else facts(outcome.error),
                }
            )
            return
        if outcome.error is not None:
            tell(outcome.error, as_json=False, about=source)
        elif outcome.state == "kept":
            hint = " (--again makes it anew)" if self._total == 1 else ""
            click.echo(f"Already there: {target}{hint}", err=True)
        elif target != STANDARD:
            is_shown = outcome.confidence is not None and sys.stdout.isatty()  # in a pipe names stand alone
            click.echo(f"{target}  {outcome.confidence:.2f}" if is_shown else target)
            if outcome.replaced:
                click.echo(f"Overwrote {target}", err=True)
        if outcome.subject_found is False:
            warning = click.style("Warning:", fg="yellow", bold=True)
            click.echo(f"{warning} {source}: no subject was found, the result is clear; {REMEDY}", err=True)
        if outcome.review:
            click.echo(f"For review (confidence {outcome.confidence:.2f}): {target}", err=True)

    def _refused(self, refusal: CutgateError, seconds: float) -> None:
        """Say what the threads wait for, each thing once."""
        with self._turn:
            if refusal.text not in self._refusals:
                self._refusals.add(refusal.text)
                click.echo(f"Trying again for {seconds:.0f} s at most: {refusal.text}", err=True)

    def summary(self, report: Report) -> None:
        """Show what became of all pictures."""
        counts = {
            "saved": len(report.of("saved")),
            "kept": len(report.of("kept")),
            "no_subject": len(report.without_subject),
            "review": len(report.for_review),
            "failed": len(report.of("failed")),
            "untried": report.untried,
        }
        if self._as_json:
            print_json({"summary": counts})
        elif len(report.outcomes) > 1:
            said = [f"{number} {WORDS[state]}" for state, number in counts.items() if number or state == "saved"]
            click.echo(f"{', '.join(said)}.", err=True)
        if report.untried and not self._as_json:
            click.echo(f"{report.untried} pictures were not begun; the same command goes on with them.", err=True)
