"""The command `cutgate watch`."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import watchfiles

from cutgate.batches.batch import Outcome, Progress
from cutgate.batches.journal import Journal
from cutgate.batches.planning import Source, find_pictures, is_picture, plan
from cutgate.commands.console import INTERRUPTED, json_option, print_json, stop_signals, tell
from cutgate.commands.display import Display
from cutgate.commands.options.results import ResultOptions, at_once_option, result_options
from cutgate.commands.options.target import Batcher, Target, target_options
from cutgate.errors import NameTaken, facts

LOOK_MILLISECONDS: Final = 300
SETTLE_SECONDS: Final = 1.0
"""A file that has not changed for so long is taken to be whole; one that goes on later is taken again."""
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 60.0


class Arrivals:
    """The files that have come and are not done; the caller says what the time is."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[int, int] | None, float]] = {}
        """What each looked like, and since when; in the order in which they came."""
        self._pause_seconds = FIRST_PAUSE_SECONDS

    def __bool__(self) -> bool:
        return bool(self._seen)

    def add(self, paths: Iterable[Path]) -> None:
        """Files have come or changed."""
        for path in paths:
            self._seen.setdefault(path, (None, 0.0))

    def whole(self, now_seconds: float) -> Iterator[Path]:
        """Files that have settled; each is given once. Those that have gone are forgotten."""
        for path, (before, since) in list(self._seen.items()):
            stamp = _stamp(path)
            if stamp is None:
                del self._seen[path]
            elif stamp != before:
                self._seen[path] = (stamp, now_seconds)
            elif now_seconds - since >= SETTLE_SECONDS:
                del self._seen[path]
                yield path

    def put_back(self, paths: Iterable[Path], now_seconds: float) -> float:
        """Give files again after a pause, which grows and is returned in seconds: the service was away."""
        pause_seconds = self._pause_seconds
        for path in paths:
            self._seen[path] = (_stamp(path), now_seconds + pause_seconds)
        self._pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        return pause_seconds

    def reached(self) -> None:
        """The service has answered."""
        self._pause_seconds = FIRST_PAUSE_SECONDS


def _stamp(path: Path) -> tuple[int, int] | None:
    """A file's size in bytes and time of change in nanoseconds; None when it is gone, or is no file."""
    with suppress(OSError):
        found = path.stat()
        return (found.st_size, found.st_mtime_ns) if path.is_file() else None
    return None


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for results."
)
@click.option("--once", is_flag=True, help="End when all pictures that are there have been seen to.")
@at_once_option
@result_options
@target_options
@json_option
def watch(
    folder: Path, output: Path, once: bool, at_once: int, results: ResultOptions, target: Target, as_json: bool
) -> None:
    """Cut out every picture that is in a folder or comes into it.

    That goes on until Ctrl-C. A file is taken once it has not changed for a second; hidden files are left alone.
    While the service is away pictures wait. Ctrl-C ends after the pictures that are under way, a second one at
    once; either way the same command goes on later, and no picture is handed in twice.
    """
    folder, output, results = folder.resolve(), output.resolve(), results.for_file(None)
    if folder == output:
        raise click.UsageError("the results need a folder of their own")
    display = Display(None, as_json=as_json)
    with (
        stop_signals(impatient=True) as stop,
        Journal(output) as journal,
        target.batcher(results, journal, display.retries, at_once=at_once) as batcher,
    ):
        batcher.prepare()
        rounds = Rounds(batcher, journal, results.suffix, display, stop, as_json)
        with display:
            display.describe(f"Watching {folder}")
            for whole in arriving(folder, output, rounds.arrivals, stop, once=once):
                display.describe(f"Cutting out {len(whole)}" if whole else f"Watching {folder}")
                rounds.cut([Source(path, path.relative_to(folder).as_posix()) for path in whole])
    if stop.is_set():
        raise click.exceptions.Exit(INTERRUPTED)
    if once and rounds.failed:
        raise click.exceptions.Exit(1)


def arriving(
    folder: Path, output: Path, arrivals: Arrivals, stop: threading.Event, *, once: bool
) -> Iterator[list[Path]]:
    """Files that are whole, again and again, until `stop` is set or, with `once`, none is left to come."""

    def is_meant(_change: watchfiles.Change, name: str) -> bool:
        return not Path(name).is_relative_to(output)

    looks = watchfiles.watch(
        folder,
        watch_filter=is_meant,
        stop_event=stop,
        rust_timeout=LOOK_MILLISECONDS,
        yield_on_timeout=True,
        raise_interrupt=True,
    )
    first = True
    for changes in looks:
        places = [folder] if first else [Path(name) for _, name in changes]  # what comes from now on is seen
        first = False
        arrivals.add(_pictures(folder, output, places))
        yield list(arrivals.whole(time.monotonic()))
        if once and not arrivals:
            return


def _pictures(folder: Path, output: Path, places: Iterable[Path]) -> Iterator[Path]:
    """The pictures that have changed; a folder that was moved in is one change."""
    for place in places:
        inside = place.relative_to(folder).parts
        if any(part.startswith(".") for part in inside):
            continue
        if place.is_dir():
            yield from (source.path for source in find_pictures(place, output))
        elif is_picture(place):
            yield place


@dataclass(slots=True)
class Rounds:
    """One call for all files that are whole at a time; those that the service could not take come again."""

    batcher: Batcher
    journal: Journal
    suffix: str
    display: Display
    stop: threading.Event
    as_json: bool
    arrivals: Arrivals = field(default_factory=Arrivals)
    failed: int = 0
    """Pictures that will not do better later."""

    def cut(self, sources: list[Source]) -> None:
        """Bring pictures to their ends, or put them back."""
        # In one plan: of two that came together and differ in their suffix, neither takes the other's name.
        planned = plan(sources, self.journal.folder, self.suffix, self.journal.owners, leave_out=self._leave_out)
        if not planned:
            return
        report = self.batcher.cut_all(planned, self._progress, self.stop)
        for outcome in report.outcomes:
            if outcome.hopeless and outcome.error is not None:
                raise outcome.error
        done = {outcome.source for outcome in report.outcomes if not outcome.may_pass}
        later = [picture.source.path for picture in planned if picture.source.path not in done]
        if later and not self.stop.is_set():
            self._wait(later, next(outcome for outcome in report.outcomes if outcome.may_pass))
        elif not later:
            self.arrivals.reached()

    def _leave_out(self, source: Source, error: NameTaken) -> None:
        self.failed += 1
        tell(error, as_json=self.as_json, about=str(source.path))

    def _progress(self, progress: Progress) -> None:
        outcome = progress.outcome
        if not (outcome.may_pass or outcome.hopeless):
            self.failed += outcome.state == "failed"
            self.display.outcome(outcome)

    def _wait(self, paths: list[Path], why: Outcome) -> None:
        assert why.error is not None
        pause_seconds = self.arrivals.put_back(paths, time.monotonic())
        if self.as_json:
            print_json({"waiting": {"pictures": len(paths), "seconds": pause_seconds, "error": facts(why.error)}})
        else:
            click.echo(f"{len(paths)} pictures wait for {pause_seconds:.0f} s: {why.error}", err=True)
