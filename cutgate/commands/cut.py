"""The command `cutgate cut`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import click

from cutgate.batches.batch import Report, Review
from cutgate.batches.journal import Journal, SharedJournal
from cutgate.batches.planning import PICTURE_SUFFIXES, PlannedPicture, Source, find_pictures, plan
from cutgate.commands.console import WITHOUT_SUBJECT, Interrupted, json_option
from cutgate.commands.display import STANDARD, Display
from cutgate.commands.options.results import ResultOptions, at_once_option, result_options
from cutgate.commands.options.target import Target, target_options
from cutgate.errors import NameTaken
from cutgate.formats import BESIDE, FORMATS
from cutgate.local.data_folder import shared_journal
from cutgate.scratch import scratch_folder

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
@click.option(
    "--review-below",
    type=click.FloatRange(0, 1),
    metavar="CONFIDENCE",
    help="Write results of a lower confidence, 0 to 1, into the folder of --review-dir instead, such as 0.6.",
)
@click.option("--review-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder for these results.")
@at_once_option
@result_options
@target_options
@json_option
def cut(
    pictures: tuple[Path, ...],
    output: str | None,
    again: bool,
    fail_on_empty: bool,
    review_below: float | None,
    review_dir: Path | None,
    at_once: int,
    results: ResultOptions,
    target: Target,
    as_json: bool,
) -> None:
    """Cut the subject out of pictures, or of those in folders.

    - is standard input. Cutting out is done at --url, or by the stack that runs in --data, or in this process
    where there is none. Results are remembered: the same command, after Ctrl-C or a crash, goes on where it was
    and does no picture twice.
    """
    resolved = resolve(pictures, output, replace(results, again=again)).reviewed(review_below, review_dir)
    with spooled(resolved, as_json=as_json) as command:
        report = command.carry_out(target, at_once, as_json=as_json)
    if not report.ok:
        raise click.exceptions.Exit(1)
    if fail_on_empty and report.without_subject:
        raise click.exceptions.Exit(WITHOUT_SUBJECT)


@dataclass(frozen=True, slots=True)
class CutCommand:
    """Which pictures a command is about, and where their results go."""

    pictures: tuple[Path, ...]
    results: ResultOptions
    output: Path | None = None
    """The results' folder, or the only result's file; beside each picture where it is None."""
    into_folder: bool = False
    """Whether that is a folder, which remembers its results itself."""
    piped: frozenset[Path] = frozenset()
    """Files that stand for standard input and output."""

    def reviewed(self, below: float | None, folder: Path | None) -> Self:
        """With a folder for results of a lower confidence, where one is named.

        Raises:
            UsageError: one of the two is missing, or the other results have no folder, or the same one.
        """
        if below is None and folder is None:
            return self
        if below is None or folder is None:
            raise click.UsageError("--review-below and --review-dir need each other")
        if self.output is None or not self.into_folder:
            raise click.UsageError("--review-dir is for results in a folder: add -o FOLDER")
        if folder.resolve() == self.output.resolve():
            raise click.UsageError(f"--review-dir must be another folder than that of -o, {self.output}")
        return replace(self, results=replace(self.results, review=Review(below, folder)))

    def journal(self) -> Journal:
        """Journal of the results; it remembers nothing if the picture or its result goes through a pipe."""
        if self.output is not None and self.into_folder:
            return Journal(self.output)
        return SharedJournal(None if self.piped else shared_journal())

    def planned(self, journal: Journal) -> list[PlannedPicture]:
        """What to do."""
        if self.output is None:
            sources = [Source(path, journal.called(str(path))) for path in self.pictures]
            suffix = f"{BESIDE[self.results.only_mask]}{self.results.suffix}"
            planned = plan(sources, journal.folder, suffix, journal.owners)
            return [  # with the path as the caller would name it
                one if one.source.path.is_absolute() else replace(one, target=os.path.relpath(one.target))
                for one in planned
            ]
        if not self.into_folder:
            [picture] = self.pictures
            if self.output.resolve() == picture.resolve():
                raise NameTaken(self.output)
            return [PlannedPicture(Source(picture, str(picture)), str(self.output))]
        review = self.results.review
        outputs = [self.output] if review is None else [self.output, review.folder]
        found = find_pictures(self.pictures, *outputs)
        if not found:
            raise click.UsageError(
                f"there is no picture in {', '.join(map(str, self.pictures))}: of a folder files are taken whose "
                f"names end with {', '.join(sorted(PICTURE_SUFFIXES))}; a camera's RAW files have to become one "
                "of these first"
            )
        planned = plan(found, self.output, self.results.suffix, journal.owners)
        if review is not None:  # there, too, no result may have the name of a picture
            plan(found, review.folder, self.results.suffix, journal.owners)
        return planned

    def carry_out(self, target: Target, at_once: int, *, as_json: bool) -> Report:
        """Do it, and show what becomes of it."""
        with self.journal() as journal:
            planned = self.planned(journal)
            display = Display(len(planned), as_json=as_json, piped=self.piped)
            try:
                with target.batcher(self.results, journal, display.retries, at_once=at_once) as batcher:
                    if not all(map(batcher.batch.is_done, planned)):
                        batcher.prepare()
                    with display:
                        report = batcher.cut_all(planned, on_progress=display.progress)
            except KeyboardInterrupt:
                raise Interrupted("" if self.piped else "the same command goes on where it was") from None
        display.summary(report)
        return report


def resolve(pictures: tuple[Path, ...], named: str | None, results: ResultOptions) -> CutCommand:
    """What a command line means.

    Raises:
        UsageError: it contradicts itself, or may mean a file or a folder.
    """
    output = None if named is None else Path(named)
    several = len(pictures) > 1 or pictures[0].is_dir()
    if PIPED in (*pictures, output):
        if several:
            raise click.UsageError("- stands for one picture and one result: leave the others out")
        output = output or PIPED
        return CutCommand(pictures, results.for_file(None if output == PIPED else output), output)
    if output is None:
        if any(path.is_dir() for path in pictures):
            raise click.UsageError("a folder of pictures needs a folder for its results: add -o FOLDER")
        return CutCommand(pictures, results.for_file(None))
    if output.is_dir() or several or str(named).endswith("/"):
        if not output.is_dir() and (output.exists() or output.suffix.lower() in FORMATS):
            raise click.UsageError(
                f"{output} is the name of one file, and there are several results: name a folder"
            )
        return CutCommand(pictures, results.for_file(None), output, into_folder=True)
    is_clear = output.suffix or results.file_format or output.exists()
    command = CutCommand(pictures, results.for_file(output), output)
    if not is_clear:
        raise click.UsageError(f"{output} has no suffix: name a file {output}.png, or a folder {output}/")
    return command


@contextmanager
def spooled(command: CutCommand, *, as_json: bool) -> Iterator[CutCommand]:
    """The command with files in place of standard input and output, for the length of the block."""
    [picture, *_], output = command.pictures, command.output
    if PIPED not in (picture, output):
        yield command
        return
    if output == PIPED and as_json:
        raise click.UsageError("--json and the result cannot both go to standard output: name a file with -o")
    if picture == PIPED and sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal: pipe a picture into it, or name a file")
    if output == PIPED and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: pipe the result on, or name a file with -o")
    with scratch_folder() as folder:
        files = frozenset({folder / "in", folder / "out"})
        if picture == PIPED:
            picture = folder / "in"
            picture.write_bytes(sys.stdin.buffer.read())
            if not picture.stat().st_size:
                raise click.UsageError("standard input is empty: pipe a picture into it")
        target = folder / "out" if output == PIPED else output
        yield replace(command, pictures=(picture,), output=target, piped=files)
        if target is not None and target in files and target.exists():
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.flush()
