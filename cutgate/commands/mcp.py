"""The command `cutgate mcp`."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutgate.commands.console import json_option
from cutgate.commands.options.target import Target, target_options
from cutgate.distribution import install
from cutgate.in_process.remover import Remover

if TYPE_CHECKING:
    from cutgate.assistants.cutting import Cutter


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
    from cutgate.assistants.folders import Folders
    from cutgate.assistants.server import server_for  # only now: it loads the protocol's library

    with _cutter(target, model) as cutter:
        server_for(cutter, Folders(folders or (Path.cwd().resolve(),))).run("stdio")


@contextmanager
def _cutter(target: Target, model: str | None) -> "Iterator[Cutter]":
    from cutgate.assistants.cutting import by_service, in_process

    if not target.is_there():
        with Remover(model=model) as remover:
            yield in_process(remover)
        return
    if model is not None:
        raise click.UsageError("--model is only without a service, whose accounts have a model each; leave it out")
    with target.client() as client:
        yield by_service(client)
