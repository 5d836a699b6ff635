"""The commands under `python -m worker models`: the networks, their weights, and whether these are right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import click

from jobs.presets import PRESETS, Choice
from worker.console import read_settings
from worker.models.errors import ModelUnavailable
from worker.models.files import ensure_weights
from worker.models.inventory import FileState, FoundFile, ModelFacts, facts_of, known_model, look_at
from worker.models.plans import plan_for
from worker.models.prepare import prepared_graph
from worker.models.registry import find_model, model_names
from worker.settings import NetworkSettings

_COLUMNS: Final = ("model", "here", "size", "input", "precisions", "presets", "licence", "source")
_MEGABYTE: Final = 1_000_000


@click.group()
def models() -> None:
    """The networks and their weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, as_json: bool) -> None:
    """Show the built-in models and those of the models folder, and which of their weights are here and right.

    Any other name is handed to rembg, where that is installed.
    """
    settings = read_settings(NetworkSettings)
    rows: list[ModelFacts] = []
    for name in model_names(settings.models_dir):
        try:
            rows.append(facts_of(known_model(name, settings.models_dir), settings.models_dir))
        except ModelUnavailable as error:
            click.echo(f"{name}: {error}", err=True)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    _echo_table([_COLUMNS, *map(_cells, rows)])


def _cells(row: ModelFacts) -> tuple[str, ...]:
    size = "-" if row.size_bytes is None else f"{row.size_bytes / _MEGABYTE:.0f} MB"
    return (
        row.name,
        {FileState.WHOLE: "yes", FileState.ABSENT: "no"}.get(row.state, row.state),
        size,
        "x".join(map(str, reversed(row.input_px))),
        ",".join(row.precisions),
        ",".join(row.presets) or "-",
        row.licence,
        row.source,
    )


def _echo_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@models.command()
@click.argument("names", metavar="[MODEL[:PRECISION]]...", nargs=-1)
@click.option(
    "--preset", "presets", type=click.Choice(list(PRESETS)), multiple=True, help="The model of a preset."
)
def fetch(names: tuple[str, ...], presets: tuple[str, ...]) -> None:
    """Fetch, check and prepare weights: of the models that are named, else of those that this worker offers."""
    settings = read_settings(NetworkSettings)
    try:
        asked = [*map(Choice.parse, names), *(PRESETS[preset] for preset in presets)]
    except ValueError as error:
        raise click.ClickException(str(error)) from None

    for choice in asked or settings.choices:
        try:
            click.echo(_fetch(settings.for_choice(choice)))
        except ModelUnavailable as error:
            raise click.ClickException(str(error)) from error


def _fetch(settings: NetworkSettings) -> str:
    """Make a model ready to be loaded, and say where it is.

    Raises:
        ModelUnavailable: that cannot be done; the text says why and what to do.
    """
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        from worker.models.runtime import load_segmenter  # rembg fetches as it loads

        load_segmenter(settings)
        return f"rembg's {settings.model} is ready"
    weights = ensure_weights(model, settings.models_dir, lambda line: click.echo(line, err=True))
    form, batches = plan_for(settings).form, settings.batch_count() > 1
    prepared_graph(weights, settings.cache_dir, form, batches=batches)
    return f"{weights.path} is ready"


@models.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Read weights through and compare their digests; exit with 1 on a fault.

    Without a name: every file that is here. A model that is named must be here.
    """
    settings = read_settings(NetworkSettings)
    faults = 0
    for name in names or model_names(settings.models_dir):
        try:
            found = look_at(known_model(name, settings.models_dir), settings.models_dir)
        except ModelUnavailable as error:
            click.echo(f"FAIL  {error}")
            faults += 1
            continue
        here = [file for file in found if file.state is not FileState.ABSENT]
        if names and not here:
            click.echo(f"FAIL  {name}: not here; run `keycut models fetch {name}`")
            faults += 1
        faults += sum(not _told(file) for file in here)
    if faults:
        raise click.exceptions.Exit(1)


def _told(file: FoundFile) -> bool:
    """Say what was found, and whether it is well."""
    if file.usable:
        digest = file.row.digest or "no digest in its row, so there is nothing to compare"
        click.echo(f"ok    {file.path}: {digest}")
        return True
    if file.row.source:
        remedy = f"run `keycut models fetch {file.model}`, or copy the file anew"
    else:
        remedy = "copy the file anew, or correct the digest in its row"
    click.echo(f"FAIL  {file.detail}; {remedy}")
    return False
