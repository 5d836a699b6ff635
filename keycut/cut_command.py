"""The command `keycut cut`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from keycut.client import Client, Job
from keycut.cutting import cut_all, plan
from keycut.datadir import DataDir
from keycut.errors import explain
from keycut.finishing import SUFFIXES, Finisher, Wishes
from keycut.local import StackOptions, cpus, run_stack
from keycut.options import Box, Colour, data_option, existing_file

CPUS_PER_WORKER: Final = 4
"""For a stack that a call starts: a network is faster on some threads than on one."""


@click.command()
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    type=existing_file,
    metavar="IN...",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="File; for several pictures a folder."
)
@click.option("--mask", "only_mask", is_flag=True, help="Write the alpha matte as a grey picture.")
@click.option("--box", type=Box(), help="Keep only the subject in this box, in pixels of the upright picture.")
@click.option(
    "--erode-size",
    type=click.IntRange(0, 40),
    default=15,
    show_default=True,
    help="Width of the soft edge in pixels.",
)
@click.option(
    "--foreground-threshold",
    type=click.IntRange(0, 255),
    default=240,
    show_default=True,
    help="Mask level above which a pixel is certain foreground.",
)
@click.option(
    "--background-threshold",
    type=click.IntRange(0, 255),
    default=15,
    show_default=True,
    help="Mask level below which a pixel is certain background.",
)
@click.option(
    "--hair-optimization",
    "--hair",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Refinement of fine structure.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(SUFFIXES)),
    default="png",
    show_default=True,
    help="What to write; zip has colours and alpha apart. This and the next four need Keycut's worker here.",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), help="Of webp, which is lossless without it, jpeg and zip."
)
@click.option("--background", type=Colour(), help="Colour behind the subject.")
@click.option("--background-image", type=existing_file, help="Picture behind the subject, scaled to cover.")
@click.option(
    "--crop-margin", type=click.IntRange(min=0), help="Cut down to the subject and so many pixels around."
)
@click.option("--url", envvar="KEYCUT_URL", show_envvar=True, help="Service to use; default: this machine's own.")
@click.option("--public-key", envvar="KEYCUT_PUBLIC_KEY", show_envvar=True, help="Account at that service.")
@click.option(
    "--private-key-file",
    type=existing_file,
    help="File with the account's private key; default: the key in KEYCUT_PRIVATE_KEY.",
)
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait for one picture.")
@data_option
def cut(
    sources: tuple[Path, ...],
    output: Path,
    file_format: str,
    quality: int | None,
    background: str | None,
    background_image: Path | None,
    crop_margin: int | None,
    url: str | None,
    public_key: str | None,
    private_key_file: Path | None,
    timeout: float,
    data: Path,
    **settings: Any,
) -> None:
    """Cut the subject out of pictures: at --url, or by the stack that runs in --data, or by one for this call."""
    wishes = Wishes(
        file_format=file_format,
        quality=quality,
        background=background,
        background_image=background_image,
        crop_margin=crop_margin,
    )
    try:
        wishes.check(only_mask=settings["only_mask"])
        orders = plan(sources, output, file_format)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    console = Console(stderr=True)
    remote = remote_client(url, public_key, private_key_file) if url else None
    with saver(wishes) as save, remote or local_client(data, len(orders), console) as client:
        failures = cut_all(
            orders,
            partial(client.remove_background, **settings),
            save,
            timeout_seconds=timeout,
            console=console,
            on_saved=click.echo,
        )
    for failure in failures:
        click.echo(f"Error: {failure.source}: {explain(failure.error)}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


@contextmanager
def saver(wishes: Wishes) -> Iterator[Callable[[Job, Path], object]]:
    """What writes a job's result: the job itself, or this machine's worker where it is to be something else."""
    if not wishes.any:
        yield Job.save
        return
    with Finisher(wishes) as finisher:
        yield finisher.save


def remote_client(url: str, public_key: str | None, private_key_file: Path | None) -> Client:
    """A client for the service and account that the caller names; the private key is in no argument."""
    private_key = os.environ.get("KEYCUT_PRIVATE_KEY")
    if private_key_file is not None:
        private_key = private_key_file.read_text().strip()
    if not (public_key and private_key):
        raise click.UsageError("--url needs --public-key, and KEYCUT_PRIVATE_KEY or --private-key-file")
    try:
        return Client(url, public_key, private_key)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def local_client(folder: Path, pictures: int, console: Console) -> Iterator[Client]:
    """A client for the stack that runs in the folder, or for one that runs as long as the block."""
    data = DataDir(folder)
    running, account = data.running(), data.account()
    with ExitStack() as undo:
        if running is not None and account is not None:
            url = running.url
        else:
            workers = min(pictures, max(1, cpus() // CPUS_PER_WORKER))
            options = StackOptions(data=folder, workers=workers, announced=False)
            with console.status("Starting a stack for this call"):
                stack = undo.enter_context(run_stack(options))
            url, account = stack.url, stack.account
        yield undo.enter_context(Client(url, account.public_key, account.private_key))
