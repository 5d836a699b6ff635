"""The command `cutgate cut`."""

from pathlib import Path

import click

from cutgate.batches.batch import Batch
from cutgate.batches.journal import Journal
from cutgate.batches.planning import Order, Source, find_pictures, plan
from cutgate.batches.threads import cut_all
from cutgate.commands.console import json_option
from cutgate.commands.display import Display
from cutgate.commands.result_options import ResultOptions, result_options
from cutgate.commands.target import Target, target_options
from cutgate.errors import NameTaken
from cutgate.local.finishing import named_for


@click.command()
@click.argument(
    "pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PICTURE..."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File; for a folder or several pictures a folder.",
)
@click.option("--again", is_flag=True, help="Make results anew that an earlier call has made.")
@result_options
@target_options
@json_option
def cut(
    pictures: tuple[Path, ...], output: Path, again: bool, results: ResultOptions, target: Target, as_json: bool
) -> None:
    """Cut the subject out of pictures, or of all pictures in folders.

    That is done at --url, or by the stack that runs in --data, or by one that is started for this call. Results in
    a folder are remembered there: the same command, after Ctrl-C or a crash, goes on where it was and hands no
    picture in twice.
    """
    into_folder = len(pictures) > 1 or pictures[0].is_dir() or output.is_dir()
    folder = output if into_folder else output.parent
    with results.making() as making, Journal(folder, kept=into_folder) as journal:
        if into_folder:
            orders = plan(find_pictures(pictures, folder), folder, making.suffix, journal.owners)
        else:
            orders = single_order(pictures[0], named_for(output, results.finish.file_format))
        if not orders:
            raise click.UsageError(f"there is no picture in {', '.join(map(str, pictures))}")
        with target.client(workers=len(orders)) as client, Display(len(orders), as_json=as_json) as display:
            batch = Batch(client.conversation, journal, making, again=again)
            report = cut_all(client.driver, batch, orders, at_once=results.at_once, on_progress=display.progress)
    display.summary(report)
    if not report.ok:
        raise click.exceptions.Exit(1)


def single_order(picture: Path, target: Path) -> list[Order]:
    """One picture into a file of its own."""
    if target.resolve() == picture.resolve():
        raise NameTaken(target)
    return [Order(Source(picture, picture.name), target.name)]
