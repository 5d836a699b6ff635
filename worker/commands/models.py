"""The commands under `python -m cutgate.worker models`: the networks, and whether their weights are right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cutgate.jobs.settings import load_settings
from cutgate.jobs.spec import PRESETS, ModelChoice
from cutgate.worker.models.engines.plans import plan_for
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import find_graph, prepared_graph
from cutgate.worker.models.weights.files import digest_file, ensure_weights, expected_digest, find_weights
from cutgate.worker.models.weights.inventory import (
    FileState,
    FoundFile,
    ModelFacts,
    facts_of,
    known_model,
    look_at,
)
from cutgate.worker.models.weights.registry import find_model, model_names
from cutgate.worker.settings import Device, EngineName, NetworkSettings, WorkerSettings

if TYPE_CHECKING:
    from cutgate.worker.commands.compare import Row

_COLUMNS: Final = ("model", "here", "size", "input", "precisions", "presets", "licence", "source")
_MEGABYTE: Final = 1_000_000


@contextmanager
def _in_one_line() -> Iterator[None]:
    """End the command with one line where a model or a file cannot be had."""
    try:
        yield
    except (ModelUnavailable, OSError) as error:
        raise click.ClickException(str(error)) from error


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def models() -> None:
    """The networks and their weights."""


@models.command("list")
@json_option
def list_models(*, as_json: bool) -> None:
    """Show the models, and which of their weights are here and right.

    They are the built-in ones, and those of the models folder. Any other name is handed to rembg, where that is
    installed.
    """
    settings = load_settings(NetworkSettings)
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
    here = {FileState.WHOLE: "yes", FileState.ABSENT: "no"}.get(row.state, row.state)
    size = "-" if row.size_bytes is None else f"{row.size_bytes / _MEGABYTE:.0f} MB"
    precisions, presets = ",".join(row.precisions), ",".join(row.presets) or "-"
    return row.name, here, size, row.input_label, precisions, presets, row.licence, row.source


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
@json_option
@_in_one_line()
def fetch(names: tuple[str, ...], presets: tuple[str, ...], *, as_json: bool) -> None:
    """Fetch, check and prepare weights.

    They are those of the models that are named, else of those that this worker offers.
    """
    settings = load_settings(NetworkSettings)
    asked = [*_choices(names), *(PRESETS[preset] for preset in presets)]
    ready: list[dict[str, str | None]] = []
    for choice in asked or settings.choices:
        path = _fetch(settings.for_choice(choice))
        ready.append({"model": choice.model, "precision": choice.precision, "path": path})
        if not as_json:
            click.echo(f"{path or choice.model} is ready")
    if as_json:
        click.echo(json.dumps(ready))


def _fetch(settings: NetworkSettings) -> str | None:
    """Make a model ready to be loaded, and say where its weights are; None: with rembg or an inference server."""
    if settings.engine is EngineName.REMOTE:
        return None
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        from cutgate.worker.models.engines.runtime import load_segmenter  # rembg fetches as it loads

        load_segmenter(settings)
        return None
    weights = ensure_weights(model, settings.models_dir, _say, cache_dir=settings.cache_dir)
    prepared_graph(weights, settings.cache_dir, plan_for(settings).variant)
    return str(weights.path)


def is_prepared(settings: NetworkSettings) -> bool:
    """Whether a model needs no `fetch` before it is loaded; rembg keeps its own, and is asked as it loads."""
    if settings.engine is EngineName.REMOTE:
        return True
    try:
        model = find_model(settings.model, settings.models_dir, settings.precision)
        if model is None:
            return False
        weights = find_weights(model, settings.models_dir, cache_dir=settings.cache_dir)
        return find_graph(weights, settings.cache_dir, plan_for(settings).variant) is not None
    except ModelUnavailable:
        return False


def _choices(names: Sequence[str]) -> list[ModelChoice]:
    try:
        return [ModelChoice.parse(name) for name in names]
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _say(line: str) -> None:
    click.echo(line, err=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of a model's file, or of a model that has none."""

    model: str
    path: str | None
    ok: bool
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        text = "; ".join(filter(None, (self.detail, self.remedy)))
        return f"ok    {self.path}: {text}" if self.ok else f"FAIL  {text}"


@models.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@json_option
def verify(names: tuple[str, ...], *, as_json: bool) -> None:
    """Read weights through and compare their digests.

    It exits with 1 on a fault. Without a name: every file that is here. A model that is named must be here.
    """
    settings = load_settings(NetworkSettings)
    verdicts: list[Verdict] = []
    for name in names or model_names(settings.models_dir):
        found = _verdicts(name, settings)
        if names and not found:
            remedy = f"run `cutgate models fetch {name}`"
            found = [Verdict(model=name, path=None, ok=False, detail=f"{name}: not here", remedy=remedy)]
        verdicts += found
        if not as_json:
            click.echo("\n".join(map(str, found)), nl=bool(found))
    if as_json:
        click.echo(json.dumps([asdict(verdict) for verdict in verdicts]))
    if not all(verdict.ok for verdict in verdicts):
        raise click.exceptions.Exit(1)


def _verdicts(name: str, settings: NetworkSettings) -> list[Verdict]:
    """What is to be said of each of a model's files that is here; or of the model, where its row is wrong."""
    try:
        found = look_at(known_model(name, settings.models_dir), settings.models_dir)
    except ModelUnavailable as error:
        return [Verdict(model=name, path=None, ok=False, detail=str(error))]
    return [_verdict(file) for file in found if file.state is not FileState.ABSENT]


def _verdict(file: FoundFile) -> Verdict:
    if file.usable:
        detail = expected_digest(file.path, file.row) or "no digest in its row, so there is nothing to compare"
        return Verdict(model=file.model, path=str(file.path), ok=True, detail=detail)
    if file.row.source:
        remedy = f"run `cutgate models fetch {file.model}`, or copy the file anew"
    else:
        remedy = "copy the file anew, or correct the digest in its row or in its .sha256 file"
    return Verdict(model=file.model, path=str(file.path), ok=False, detail=file.detail, remedy=remedy)


@models.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "name", metavar="MODEL", help="What model it is, if its digest does not say so.")
@json_option
@_in_one_line()
def add(file: Path, name: str | None, *, as_json: bool) -> None:
    """Check a file of weights, try it on a picture, and copy it into the models folder.

    Its digest is compared where one is known, else remembered. What is refused leaves nothing behind.
    """
    from cutgate.worker.commands.add import add_file  # it loads onnx

    added = add_file(file, name, load_settings(NetworkSettings))
    if as_json:
        click.echo(json.dumps(asdict(added)))
        return
    click.echo(f"SHA-256 {added.sha256}\nlicence: {added.licence}\n{added.signature}\n{added.sample}")
    click.echo(f"{added.path} is ready: set CUTGATE_MODEL={added.model}, or use --model {added.model}")


@models.command()
@click.argument("names", metavar="[MODEL[:PRECISION]]...", nargs=-1)
@click.option(
    "--v2",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    required=True,
    help="Model repository to write.",
)
@click.option("--device", type=click.Choice([*map(str, Device)]), help="Of the server; by default CUTGATE_DEVICE.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Pictures at once; 1: masks as here."
)
@click.option("--tensorrt", is_flag=True, help="Have Triton use TensorRT in half precision; needs --device gpu.")
@json_option
@_in_one_line()
def export(
    names: tuple[str, ...], folder: Path, device: str | None, batch: int, *, tensorrt: bool, as_json: bool
) -> None:
    """Write models for Triton, KServe or OpenVINO Model Server.

    They are those that are named, else those that this worker offers.
    """
    from cutgate.worker.commands.export import export_model  # it loads onnx

    settings = load_settings(NetworkSettings)
    settings = settings.model_copy(update={"device": Device(device or settings.device)})
    if tensorrt and settings.device is not Device.GPU:
        raise click.UsageError("--tensorrt needs --device gpu")
    written: list[str] = []
    for choice in _choices(names) or settings.choices:
        path = export_model(settings.for_choice(choice), folder, _say, batch=batch, tensorrt=tensorrt)
        written.append(str(path))
        if not as_json:
            click.echo(f"{written[-1]} is ready")
    if as_json:
        click.echo(json.dumps(written))


@models.command()
@click.argument("name", metavar="MODEL")
@json_option
@_in_one_line()
def remove(name: str, *, as_json: bool) -> None:
    """Remove a model's weights from the models folder; a description, MODEL.json, stays."""
    models_dir = load_settings(NetworkSettings).models_dir
    paths = [models_dir / row.file_name for row in known_model(name, models_dir).files]
    removed = [path for weights in paths for path in (weights, digest_file(weights)) if path.exists()]
    for path in removed:
        path.unlink()
    if not removed:
        raise click.ClickException(f"{name}: not in {models_dir}")
    click.echo(
        json.dumps([*map(str, removed)]) if as_json else "\n".join(f"{path} is removed" for path in removed)
    )


@models.command()
@click.argument("names", metavar="MODEL MODEL", nargs=2)
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of photos to judge by.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="comparison",
    show_default=True,
    help="Folder for the contact sheets.",
)
@json_option
@_in_one_line()
def compare(names: tuple[str, str], photos: Path, out: Path, *, as_json: bool) -> None:
    """Cut photos out with two models: contact sheets to look at, and a table.

    It exits with 1 if a photo cannot be read; the others are compared all the same.
    """
    from cutgate.worker.commands.compare import compare_models  # it loads what makes pictures

    first, second = _choices(names)
    found = compare_models(first, second, photos, out, load_settings(WorkerSettings), _say)
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
    else:
        pairs = (f"{what} {name}" for what in ("soft", "seconds", "confidence") for name in names)
        _echo_table([("photo", "IoU", *pairs), *map(_compared_cells, found.rows)])
        click.echo("\n".join(map(str, found.sheets)))
    if found.unread:
        raise click.exceptions.Exit(1)


def _compared_cells(row: Row) -> tuple[str, ...]:
    seconds = (f"{needed:.2f}" for needed in row.seconds)
    confidence = ("" if sure is None else f"{sure:.2f}" for sure in row.confidence)
    return row.photo, f"{row.iou:.3f}", *(f"{share:.1%}" for share in row.soft), *seconds, *confidence
