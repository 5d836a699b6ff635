"""The service and account that a command uses, or this process in their place."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cutgate.batches.batch import Batch, Progress, Report, ServiceBatch
from cutgate.batches.journal import Journal
from cutgate.batches.planning import PlannedPicture
from cutgate.batches.threads import cut_all
from cutgate.client.client import Client
from cutgate.commands.options.local import data_option, existing_file
from cutgate.commands.options.results import ResultOptions
from cutgate.errors import NotRunning
from cutgate.in_process.batch import InProcessBatch
from cutgate.in_process.remover import Remover
from cutgate.local.data_folder import DataDir
from cutgate.protocol.connection import DEFAULT_RETRIES, Retries
from cutgate.protocol.flows import Driver


@dataclass(frozen=True, slots=True)
class Batcher:
    """What cuts pictures out, and how many of them at a time."""

    driver: Driver
    batch: Batch
    at_once: int
    prepare: Callable[[], object] = bool
    """What takes long and is to be done once, before the first picture that is not done."""

    def cut_all(
        self,
        planned: Sequence[PlannedPicture],
        on_progress: Callable[[Progress], object],
        stop: threading.Event | None = None,
    ) -> Report:
        """Bring pictures to their ends."""
        return cut_all(self.driver, self.batch, planned, at_once=self.at_once, on_progress=on_progress, stop=stop)


@dataclass(frozen=True, slots=True)
class Target:
    """A service that the caller names, or the stack of a data folder."""

    url: str | None
    public_key: str | None
    private_key_file: Path | None
    data: Path

    def is_there(self) -> bool:
        """Whether there is a service; this process is used otherwise."""
        return self.url is not None or DataDir(self.data).running() is not None

    def client(self, retries: Retries = DEFAULT_RETRIES) -> Client:
        """A client, to be used as a context manager; the private key of a named service is in no argument."""
        if self.url is None:
            data = DataDir(self.data)
            running, account = data.running(), data.account()
            if running is None or account is None:
                raise NotRunning(self.data)
            return Client(running.url, account.public_key, account.private_key, retries=retries)
        private_key = os.environ.get("CUTGATE_PRIVATE_KEY")
        if self.private_key_file is not None:
            try:
                private_key = self.private_key_file.read_text().strip()
            except UnicodeDecodeError:
                raise click.UsageError(f"{self.private_key_file} is no text with a private key") from None
        if not (self.public_key and private_key):
            raise click.UsageError("--url needs --public-key, and CUTGATE_PRIVATE_KEY or --private-key-file")
        try:
            return Client(self.url, self.public_key, private_key, retries=retries)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    @contextmanager
    def batcher(
        self, results: ResultOptions, journal: Journal, retries: Retries, *, at_once: int
    ) -> Iterator[Batcher]:
        """Cut pictures out for the length of a block: by the service, or in this process where there is none.

        Raises:
            LocalError: the libraries or the network for it cannot be had here.
            UsageError: it has no such model, a setting is wrong, or a service would have to be asked for a model.
        """
        if not self.is_there():
            with Remover(model=results.model) as remover:
                yield _in_process(remover, results, journal, at_once)
            return
        if results.model is not None:
            raise click.UsageError(
                f"--model is for cutting out in this process, and a service does it, "
                f"{self.url or f'the stack of {self.data}'}: each of its accounts has a model, which "
                "`cutgate keys account NAME --model MODEL` changes; leave --model out, or stop the stack"
            )
        recipe = results.recipe_with_conversion()
        with self.client(retries) as client:
            yield Batcher(client.driver, ServiceBatch(client.calls, journal, recipe), at_once)


def _in_process(remover: Remover, results: ResultOptions, journal: Journal, at_once: int) -> Batcher:
    from cutgate.jobs.spec import PRESETS

    def prepare() -> None:
        with Console(stderr=True).status("Loading the network"):
            remover.load()

    try:
        settings = remover.settings()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    recipe = results.recipe
    if settings.choice != PRESETS["exact"]:
        recipe = replace(recipe, variant=f"{recipe.variant}{settings.choice}")
    batch = InProcessBatch(remover, journal, recipe, results.options(), quality=results.quality)
    return Batcher(Driver(None, time.sleep), batch, min(at_once, settings.item_count()), prepare)


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which service; the command takes them as one `target`."""

    @click.option(
        "--url", envvar="CUTGATE_URL", show_envvar=True, help="Service to use; default: this machine's own."
    )
    @click.option("--public-key", envvar="CUTGATE_PUBLIC_KEY", show_envvar=True, help="Account at that service.")
    @click.option(
        "--private-key-file",
        type=existing_file,
        help="File with the account's private key; default: the key in CUTGATE_PRIVATE_KEY.",
    )
    @data_option
    @functools.wraps(command)
    def collect(
        *, url: str | None, public_key: str | None, private_key_file: Path | None, data: Path, **others: Any
    ) -> None:
        command(target=Target(url, public_key, private_key_file, data), **others)

    return collect
