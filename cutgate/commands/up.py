"""The commands that run the service on this machine, and tell other programs how to reach it."""

import logging
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final
from urllib.parse import urlencode

import click
import httpx
from rich.console import Console
from rich.status import Status

from cutgate.commands.console import json_option, print_json, stop_signals
from cutgate.commands.options.local import data_option, host_option, port_option
from cutgate.errors import DiskFull, NotRunning
from cutgate.local.data_folder import DataDir, default_data_dir
from cutgate.local.parts import running_environment
from cutgate.local.stack import Stack, run_stack

LOOK_SECONDS: Final = 1.0

_SHELLS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": lambda name, value: f"set -gx {name} {shlex.quote(value)}",
    "powershell": lambda name, value: "$env:{} = '{}'".format(name, value.replace("'", "''")),
}
"""How each shell sets a variable."""


@click.command()
@data_option
@host_option
@port_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    default=1,
    show_default=True,
    help="Pictures worked on at a time.",
)
@click.option("--verbose", is_flag=True, help="Show the log as well, on standard error.")
@json_option
def up(data: Path, host: str, port: int, workers: int, verbose: bool, as_json: bool) -> None:
    """Run the whole service on this machine until Ctrl-C.

    The log of all parts is in the data folder, at most 32 MiB of it. What is shown here is what goes wrong, and on
    a terminal what goes on.
    """
    screen = Screen(DataDir(data), verbose=verbose, as_json=as_json)
    with stop_signals() as stop:
        running = run_stack(data, host=host, port=port, workers=workers, shown=screen.handler, stop=stop)
        with screen.status, running as stack:
            screen.status.stop()
            screen.welcome(stack)
            screen.watch(stop)
        if not as_json:
            click.echo("Stopped.")


@click.command()
@data_option
@click.option("--shell", type=click.Choice(list(_SHELLS)), default="sh", show_default=True, help="Whose syntax.")
@json_option
def env(data: Path, shell: str, as_json: bool) -> None:
    """Print address and keys of the stack in --data. Set them by eval "$(cutgate env)"."""
    folder = DataDir(data)
    running, account = folder.running(), folder.account()
    if running is None or account is None:
        raise NotRunning(data)
    variables = {
        "CUTGATE_URL": running.url,
        "CUTGATE_PUBLIC_KEY": account.public_key,
        "CUTGATE_PRIVATE_KEY": account.private_key,
        "CUTGATE_API_KEY": account.api_key,
    }
    if as_json:
        print_json(variables)
        return
    for name, value in variables.items():
        click.echo(_SHELLS[shell](name, value))


class Screen:
    """What `cutgate up` shows: where the service is, then in one line that changes how much it has to do.

    With `verbose` all of the log is shown, which leaves no place for such a line.
    """

    def __init__(self, data: DataDir, *, verbose: bool, as_json: bool) -> None:
        self._data = data
        self._as_json = as_json
        self._console = Console(stderr=True)
        self._is_live = self._console.is_terminal and not (verbose or as_json)
        self.status = Status("Starting", console=self._console if self._is_live else Console(quiet=True))
        self.handler: logging.Handler = logging.StreamHandler() if verbose else _Warnings(self._warn)

    def welcome(self, stack: Stack) -> None:
        """Say where the service is, and how to use it."""
        account = stack.account
        keys = {"public_key": account.public_key, "private_key": account.private_key}
        if self._as_json:
            print_json({"url": stack.url, **keys, "api_key": account.api_key})
            return
        click.echo(f"Cutgate is up at {stack.url}; Ctrl-C stops it.")
        folder = self._data.folder
        option = "" if folder == default_data_dir().absolute() else f" --data {shlex.quote(str(folder))}"
        lines = {
            "page": self._page(stack.url, keys),
            "try": f"cutgate cut photo.jpg{option}",
            "keys": f'eval "$(cutgate env{option})"',
            "log": str(self._data.log),
        }
        for name, text in lines.items():
            if text:
                click.echo(f"  {name:4}  {text}")

    def _page(self, url: str, keys: Mapping[str, str]) -> str:
        """The playground's address, which opens signed in: browsers keep what is behind the # to themselves.

        Where no terminal shows it, it may be kept in a file, and has no keys.
        """
        page = f"{url}/playground"
        with suppress(httpx.TransportError):
            if httpx.get(page, timeout=5, trust_env=False).is_success:  # else it was switched off
                return f"{page}#{urlencode(keys)}" if sys.stdout.isatty() else page
        return ""

    def watch(self, stop: Event) -> None:
        """Show what goes on until `stop` is set, then that it is being stopped."""
        environment = running_environment(self._data, "gateway") if self._is_live else None
        workload = None if environment is None else Workload(environment["CUTGATE_REDIS_URL"])
        wrong = ""
        while not stop.is_set():
            if workload is not None:
                self.status.update(str(workload))
                self.status.start()
            before, wrong = wrong, ""
            try:
                self._data.require_room()
            except (DiskFull, OSError) as error:
                wrong = str(error)
            if wrong and not before:
                self._warn(wrong)
            stop.wait(LOOK_SECONDS)
        self.status.update("Stopping")

    def _warn(self, text: str) -> None:
        self._console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


class Workload:
    """Counts a stack's pictures; its text takes one call of the ledger."""

    def __init__(self, redis_url: str) -> None:
        # Of the service's libraries, which are there where a stack runs; callers need none of them.
        from cutgate.jobs.errors import LedgerUnavailable
        from cutgate.jobs.ledger.ledger import Ledger
        from cutgate.jobs.limits import LedgerLimits
        from cutgate.jobs.redis_client import connect

        client = connect(redis_url, connect_timeout_seconds=1, socket_timeout_seconds=1, retries=0)
        self._ledger = Ledger(client, LedgerLimits())
        self._unavailable = LedgerUnavailable
        self._done_before: int | None = None

    def __str__(self) -> str:
        try:
            found = self._ledger.figures()
        except self._unavailable:
            return "The ledger does not answer"
        if self._done_before is None:
            self._done_before = found.done
        waiting = sum(lane.waiting for lane in found.lanes)
        return f"{waiting} waiting, {found.running} running, {found.done - self._done_before} done"


class _Warnings(logging.Handler):
    """Hands on what is wrong with a stack: parts that die, and what cannot be run."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line on."""
        self._warn(self.format(record))
