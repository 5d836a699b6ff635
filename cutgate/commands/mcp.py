"""The command `cutgate mcp`."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutgate.client.client import Client
from cutgate.commands.console import json_option
from cutgate.commands.options.target import Target, target_options
from cutgate.distribution import install
from cutgate.formats import format_for
from cutgate.in_process.options import options_for
from cutgate.in_process.remover import Remover
from cutgate.protocol.connection import Download
from cutgate.protocol.picpik import Settings

if TYPE_CHECKING:
    from cutgate.assistants.server import Cutter


@click.command()
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Folder whose files may be read and written, with all below it; may be repeated. Default: this one.",
)
@click.option("--model", help="As of `cutgate cut`; only without a service.")
@target_options
@json_option
def mcp(folders: tuple[Path, ...], model: str | None, target: Target, as_json: bool) -> None:  # noqa: ARG001 — read by `Commands`
    """Serve assistants that speak the Model Context Protocol, on standard input and output.

    They get one tool, which cuts a file out and describes the result with its confidence. Pictures are cut out at
    --url, or by the stack that runs in --data, or in this process where there is none.
    """
    if importlib.util.find_spec("mcp") is None:
        raise click.UsageError(f"assistants need the extra mcp: {install('mcp')}")
    from cutgate.assistants.server import Folders, server_for  # only now: it loads the protocol's library

    with _cutter(target, model) as cutter:
        server_for(cutter, Folders(folders or (Path.cwd().resolve(),))).run("stdio")


@contextmanager
def _cutter(target: Target, model: str | None) -> Iterator["Cutter"]:
    """What cuts a file out: a service if there is one, else this process."""
    if not target.is_there():
        with Remover(model=model) as remover:
            yield partial(_in_process, remover)
        return
    if model is not None:
        raise click.UsageError("--model is only without a service, whose accounts have a model each; leave it out")
    with target.client() as client:
        yield partial(_by_service, client)


def _by_service(client: Client, picture: Path, output: Path, options: dict[str, Any]) -> Download:
    """Cut out at a service. What is shown otherwise than as a PNG is made there too, and costs nothing more."""
    file_format = format_for(output)
    settings = {name: options[name] for name in options.keys() & Settings.__optional_keys__}
    looks = {name: options[name] for name in options.keys() - Settings.__optional_keys__}
    job = client.remove_background(picture, **settings)
    if looks or file_format != "png":
        job = job.render(file_format=file_format, **looks)  # type: ignore[arg-type]
    return Download(job.result(), job.subject_found, job.confidence)


def _in_process(remover: Remover, picture: Path, output: Path, options: dict[str, Any]) -> Download:
    """Cut out in this process; the network is loaded at the first picture and stays."""
    file_format = format_for(output)
    cutout = remover.remove_background(picture, **options_for(options, file_format))
    return Download(cutout.to_bytes(file_format), cutout.subject_found, cutout.confidence)
