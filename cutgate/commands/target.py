"""Which service a command talks to, and as whom."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from cutgate.client.client import Client
from cutgate.commands.options import data_option, existing_file
from cutgate.errors import NotRunning
from cutgate.local.data_folder import DataDir
from cutgate.local.stack import Stack, StackOptions, cpus, run_stack

CPUS_PER_WORKER: Final = 4
"""For a stack that a call starts: a network is faster on some threads than on one."""


@dataclass(frozen=True, slots=True)
class Target:
    """A service that the caller names, or the stack of a data folder."""

    url: str | None
    public_key: str | None
    private_key_file: Path | None
    data: Path

    @contextmanager
    def client(self, *, workers: int = 0) -> Iterator[Client]:
        """A client for the length of a block.

        Args:
            workers: where no stack runs in the data folder, start one with at most so many workers for the block.

        Raises:
            NotRunning: no stack runs, and none is to be started.
            LocalError: a stack cannot be started.
        """
        if self.url is not None:
            with self._named(self.url) as client:
                yield client
            return
        data = DataDir(self.data)
        running, account = data.running(), data.account()
        with ExitStack() as undo:
            if running is not None and account is not None:
                url = running.url
            elif workers:
                stack = undo.enter_context(_own_stack(self.data, workers))
                url, account = stack.url, stack.account
            else:
                raise NotRunning(self.data)
            yield undo.enter_context(Client(url, account.public_key, account.private_key))

    def _named(self, url: str) -> Client:
        """A client for the service and account that the caller names; the private key is in no argument."""
        private_key = os.environ.get("CUTGATE_PRIVATE_KEY")
        if self.private_key_file is not None:
            private_key = self.private_key_file.read_text().strip()
        if not (self.public_key and private_key):
            raise click.UsageError("--url needs --public-key, and CUTGATE_PRIVATE_KEY or --private-key-file")
        try:
            return Client(url, self.public_key, private_key)
        except ValueError as error:
            raise click.UsageError(str(error)) from None


@contextmanager
def _own_stack(folder: Path, workers: int) -> Iterator[Stack]:
    """A stack that nobody else finds."""
    most = max(1, cpus() // CPUS_PER_WORKER)
    options = StackOptions(data=folder, workers=min(workers, most), announced=False)
    with ExitStack() as undo:
        with Console(stderr=True).status("Starting a stack for this call"):
            stack = undo.enter_context(run_stack(options))
        yield stack


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
