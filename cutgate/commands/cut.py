"""The command `cutgate cut`."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from cutgate.batches.batch import Report
from cutgate.batches.journal import Journal, SharedJournal
from cutgate.batches.planning import PICTURE_SUFFIXES, Order, Source, find_pictures, plan
from cutgate.batches.threads import cut_all
from cutgate.commands.console import WITHOUT_SUBJECT, Interrupted, json_option
from cutgate.commands.display import STANDARD, Display
from cutgate.commands.options.results import ResultOptions, result_options
from cutgate.commands.options.target import Target, target_options
from cutgate.errors import NameTaken
from cutgate.formats import SUFFIXES
from cutgate.local.data_folder import default_state_dir
from cutgate.scratch import scratch_folder

BESIDE: Final = {False: "-cutout", True: "-mask"}
"""What is put behind a picture's name where its result goes beside it; the second of masks."""
PIPED: Final = Path(STANDARD)


@click.command()
@click.argument(
    "pictures",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    metavar="PICTURE...",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="File, whose suffix is the format; a folder for several pictures, or if it ends with /; or - for standard"
    " output. Default: photo-cutout.png beside photo.jpg.",
)
@click.option("--again", is_flag=True, help="Make results anew, even edited ones.")
@click.option("--fail-on-empty", is_flag=True, help="Exit with 3 if no subject was found in one of the pictures.")
@result_options
@target_options
@json_option
def cut(
    pictures: tuple[Path, ...],
    output: str | None,
    again: bool,
    fail_on_empty: bool,
    results: ResultOptions,
    target: Target,
    as_json: bool,
) -> None:
    """Cut the subject out of pictures, or of those in folders.

    - is standard input. Cutting out is done at --url, or by the stack that runs in --data, or in this process
    where there is none. Results are remembered: the same command, after Ctrl-C or a crash, goes on where it was
    and does no picture twice.
    """
    with destination(pictures, output, results, as_json=as_json) as call:
        report = call.carry_out(target, again=again, as_json=as_json)
    if not report.ok:
        raise click.exceptions.Exit(1)
    if fail_on_empty and report.without_subject:
        raise click.exceptions.Exit(WITHOUT_SUBJECT)


@dataclass(frozen=True, slots=True)
class Call:
    """Which pictures a call is about, and where their results go."""

    pictures: tuple[Path, ...]
    results: ResultOptions
    output: Path | None = None
    """The results' folder, or the only result's file; beside each picture where it is None."""
    into_folder: bool = False
    """Whether that is a folder, which remembers its results itself."""

    def journal(self) -> Journal:
        """What is remembered of the results; nothing where the picture or its result goes through a pipe."""
        if self.output is not None and self.into_folder:
            return Journal(self.output)
        return SharedJournal(None if self._names() else default_state_dir() / "results.jsonl")

    def orders(self, journal: Journal) -> list[Order]:
        """What to do.

        Raises:
            NameTaken: a result's file would be a picture, or the result of another one.
            UsageError: there is nothing to do.
        """
        if self.output is None:
            mark = BESIDE[self.results.settings.get("only_mask", False)]
            sources = [Source(path, journal.called(str(path))) for path in self.pictures]
            orders = plan(sources, journal.folder, f"{mark}{self.results.suffix}", journal.owners)
            return [order if order.source.path.is_absolute() else _shown_from_here(order) for order in orders]
        if not self.into_folder:
            return single_order(self.pictures[0], self.output)
        found = find_pictures(self.pictures, self.output)
        if not found:
            raise click.UsageError(
                f"there is no picture in {', '.join(map(str, self.pictures))}: of a folder files are taken whose "
                f"names end with {', '.join(sorted(PICTURE_SUFFIXES))}; a camera's RAW files have to become one "
                "of these first"
            )
        return plan(found, self.output, self.results.suffix, journal.owners)

    def carry_out(self, target: Target, *, again: bool, as_json: bool) -> Report:
        """Do it, and show what becomes of it.

        Raises:
            Interrupted: Ctrl-C.
        """
        with self.journal() as journal:
            orders = self.orders(journal)
            display = Display(len(orders), as_json=as_json, names=self._names())
            try:
                with target.batch(self.results, journal, display.retries, again=again) as work:
                    if not all(map(work.batch.is_done, orders)):
                        work.prepare()
                    with display:
                        report = cut_all(
                            work.driver, work.batch, orders, at_once=work.at_once, on_progress=display.progress
                        )
            except KeyboardInterrupt:
                raise Interrupted("" if self._names() else "the same command goes on where it was") from None
        display.summary(report)
        return report

    def _names(self) -> dict[Path, str]:
        return {path: STANDARD for path in (*self.pictures, self.output) if path and path.parent.name == SPOOL}


SPOOL: Final = "cutgate-standard-streams"


@contextmanager
def destination(
    pictures: tuple[Path, ...], named: str | None, results: ResultOptions, *, as_json: bool
) -> Iterator[Call]:
    """What a command line means; what is piped in or out is a file for the length of the block.

    Raises:
        UsageError: it contradicts itself, or may mean a file or a folder.
    """
    output, is_folder = (None, False) if named is None else (Path(named), named.endswith("/"))
    several = len(pictures) > 1 or pictures[0].is_dir()
    piped_in = PIPED in pictures
    piped_out = output == PIPED or (output is None and piped_in)
    if piped_in or piped_out:
        refuse_streams(several=several, piped_in=piped_in, piped_out=piped_out, as_json=as_json)
        with scratch_folder() as folder:
            spool = folder / SPOOL
            spool.mkdir()
            yield from _piped(pictures[0], None if piped_out else output, results, spool)
    elif output is None:
        if any(path.is_dir() for path in pictures):
            raise click.UsageError("a folder of pictures needs a folder for its results: add -o FOLDER")
        yield Call(pictures, results.for_file(None))
    elif output.is_dir() or several or is_folder:
        if not output.is_dir() and (output.exists() or is_a_results_name(output)):
            raise click.UsageError(
                f"{output} is the name of one file, and there are several results: name a folder"
            )
        yield Call(pictures, results.for_file(None), output, into_folder=True)
    else:
        is_clear = bool(output.suffix or results.file_format or output.exists())
        results = results.for_file(output)
        if not is_clear:
            raise click.UsageError(f"{output} has no suffix: name a file {output}.png, or a folder {output}/")
        yield Call(pictures, results, output)


def _piped(picture: Path, output: Path | None, results: ResultOptions, spool: Path) -> Iterator[Call]:
    """A call whose picture comes in by a pipe, or whose result goes out by one, through files of a folder."""
    results = results.for_file(output)
    if picture == PIPED:
        picture = spool / "in"
        with picture.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
            if not file.tell():
                raise click.UsageError("standard input is empty: pipe a picture into it")
    target = spool / "out" if output is None else output
    yield Call((picture,), results, target)
    if output is None and target.exists():
        sys.stdout.buffer.write(target.read_bytes())
        sys.stdout.flush()


def refuse_streams(*, several: bool, piped_in: bool, piped_out: bool, as_json: bool) -> None:
    """Refuse what cannot go through a pipe.

    Raises:
        UsageError: it cannot.
    """
    if several:
        raise click.UsageError("- stands for one picture and one result: leave the others out")
    if piped_out and as_json:
        raise click.UsageError("--json and the result cannot both go to standard output: name a file with -o")
    if piped_in and sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal: pipe a picture into it, or name a file")
    if piped_out and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: pipe the result on, or name a file with -o")


def is_a_results_name(path: Path) -> bool:
    """Whether a name ends as a file of results does."""
    return any(path.suffix.lower() in suffixes for suffixes in SUFFIXES.values())


def _shown_from_here(order: Order) -> Order:
    """The same with the result's path as the caller would name it."""
    return Order(order.source, os.path.relpath(order.target))


def single_order(picture: Path, target: Path) -> list[Order]:
    """One picture into a file of its own."""
    if target.resolve() == picture.resolve():
        raise NameTaken(target)
    return [Order(Source(picture, str(picture)), str(target))]
