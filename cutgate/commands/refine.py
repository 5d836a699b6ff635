"""The command `cutgate refine`."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from cutgate.batches.batch import Outcome
from cutgate.batches.journal import Entry, SharedJournal, digest_of, entry_of
from cutgate.commands.console import json_option
from cutgate.commands.display import Display
from cutgate.commands.options.local import Stroke
from cutgate.commands.options.results import ResultOptions, result_options
from cutgate.commands.options.target import Target, target_options
from cutgate.errors import NameTaken
from cutgate.files import write_whole
from cutgate.in_process.batch import at_work
from cutgate.in_process.remover import Remover
from cutgate.local.data_folder import shared_journal
from cutgate.protocol.calls import WAIT_SECONDS
from cutgate.protocol.connection import Download
from cutgate.protocol.picpik import MOST_RADIUS_PX, RADIUS_PX, RefineOptions

PLAIN: Final = {
    "background": "transparent",
    "crop_margin": "none",
    "scale": "original",
    "position": "original",
    "shadow": "none",
}


@click.command()
@click.argument("result", metavar="RESULT")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
@click.option(
    "--keep", multiple=True, type=Stroke(), help="Stroke over what belongs to the subject; may be repeated."
)
@click.option("--remove", multiple=True, type=Stroke(), help="Stroke over what does not belong to it.")
@click.option(
    "--radius",
    "radius_px",
    type=click.IntRange(1, MOST_RADIUS_PX),
    metavar="N",
    default=RADIUS_PX,
    show_default=True,
    help="Half the width of strokes in pixels.",
)
@click.option("--plain", is_flag=True, help="Take away background, crop, scale, position and shadow.")
@result_options
@target_options
@json_option
def refine(
    result: str,
    output: Path,
    plain: bool,
    results: ResultOptions,
    target: Target,
    as_json: bool,
    **strokes: Any,
) -> None:
    """Correct a finished cut-out by strokes, or show it another way.

    RESULT is the file that a service's result was written to, or a task's id, such as --json prints. Strokes and
    options come on top of those that it was made with, no network runs, and nothing is charged. Without a service
    RESULT is the picture, which is cut out in this process first.
    """
    results = results.for_file(output)
    if target.is_there():
        if plain:  # unless something else is asked for
            results = replace(results, given={**PLAIN, **results.given})
        made, uid = _by_service(result, results, target, strokes)
    else:
        made, uid = _in_this_process(result, output, results, target, strokes), None
    write_whole(output, made.content)
    if uid is not None:
        _note(output, made.content, uid)
    outcome = Outcome(
        source=Path(result),
        target=output,
        state="saved",
        uid=uid,
        subject_found=made.subject_found,
        confidence=made.confidence,
    )
    Display(1, as_json=as_json).outcome(outcome)


def _by_service(
    result: str, results: ResultOptions, target: Target, strokes: dict[str, Any]
) -> tuple[Download, str]:
    """The result, and the id of its task."""
    options: RefineOptions = results.refine_options()
    uid = _task_of(Path(result)) if Path(result).exists() else result
    timeout_seconds = results.given.get("timeout_seconds", WAIT_SECONDS)
    with target.client() as client:
        job = client.job(uid).refine(timeout_seconds=timeout_seconds, **strokes, **options)
        content = job.result(timeout_seconds=timeout_seconds)
    return Download(content, job.subject_found, job.confidence), job.uid


def _note(output: Path, content: bytes, uid: str) -> None:
    """Remember which task a file is of."""
    with SharedJournal(shared_journal()) as journal:
        where = journal.called(str(output))
        new = Entry(target=where, name=where, fingerprint="", request_uuid="", digest=digest_of(content))
        # With the digest of before `cut` knows that the file is not as it made it, and keeps it.
        journal.note(replace(journal.find(where) or new, uid=uid, state="saved"))


def _task_of(source: Path) -> str:
    entry = entry_of(source, shared_journal())
    if entry is None or entry.uid is None:
        raise click.UsageError(
            f"no service is known to have made {source}: name a result that `cutgate cut` wrote by the service, "
            "or the id of its task, which `cutgate cut --json` prints"
        )
    return entry.uid


def _in_this_process(
    result: str, output: Path, results: ResultOptions, target: Target, strokes: dict[str, Any]
) -> Download:
    source = Path(result)
    if not source.is_file():
        raise click.UsageError(
            f"there is no file {result}, and no stack runs in {target.data} that would know a task: name the "
            "picture, or a service with --url"
        )
    if output.resolve() == source.resolve():
        raise NameTaken(output)
    try:
        with Remover(model=results.model) as remover, at_work():
            cutout = remover.remove_background(source, **results.options()).refine(**strokes)
            content = cutout.to_bytes(results.file_format or "png", quality=results.quality)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Download(content, cutout.subject_found, cutout.confidence)
