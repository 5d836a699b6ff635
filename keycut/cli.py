"""The command `keycut`: results on standard output, all else on standard error; exit code 1 failed, 2 misused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from keycut.client import Client
from keycut.cutting import cut_all, plan
from keycut.datadir import DataDir, default_data_dir
from keycut.doctor import examine
from keycut.errors import KeycutError, NotRunning, ServiceError
from keycut.local import StackOptions, cpus, run_stack
from keycut.parts import PYTHON, require_parts, running_environment

DEFAULT_PORT: Final = 8080
CPUS_PER_WORKER: Final = 4
"""For a stack that a call starts: a network is faster on some threads than on one."""
ADVICE: Final = {
    171: "check the private key",
    172: "check the public key",
    520: "the account needs more credits",
}
"""What a caller can do about a code of the service."""


class Commands(click.Group):
    """A group whose commands end with one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its errors become click's."""
        try:
            return super().invoke(ctx)
        except (KeycutError, OSError) as error:
            raise click.ClickException(explain(error)) from None


def explain(error: KeycutError | OSError) -> str:
    """An error's text, with what to do about it where that is known."""
    advice = ADVICE.get(error.ret_code) if isinstance(error, ServiceError) else None
    return f"{error}; {advice}" if advice else str(error)


class Box(click.ParamType[tuple[int, int, int, int]]):
    """Four whole numbers with commas between them."""

    name = "x1,y1,x2,y2"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Read the text of the option."""
        try:
            left, top, right, bottom = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not four whole numbers with commas between them", param, ctx)
        return left, top, right, bottom


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data_dir,
    show_default="$XDG_DATA_HOME/keycut or ~/.local/share/keycut",
    help="Folder of the stack's data.",
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
relayed = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
RELAY: Final = {"ignore_unknown_options": True}


@click.group(cls=Commands)
@click.version_option(package_name="keycut")
def main() -> None:
    """Cut subjects out of pictures, on this machine or at a service."""


@main.command()
@data_option
@host_option
@port_option
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Pictures worked on at a time."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once all is ready.")
def up(data: Path, host: str, port: int, workers: int, as_json: bool) -> None:
    """Run the whole service on this machine until Ctrl-C."""
    options = StackOptions(data=data, host=host, port=port, workers=workers)
    with stop_signals() as stop, run_stack(options, echo=True, stop=stop) as stack:
        account = stack.account
        if as_json:
            facts = {"url": stack.url, "public_key": account.public_key, "private_key": account.private_key}
            click.echo(json.dumps(facts))
        else:
            click.echo(f"Keycut is up at {stack.url}; Ctrl-C stops it.")
            click.echo(f"  public key   {account.public_key}\n  private key  {account.private_key}")
        stop.wait()


@main.command()
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    type=existing_file,
    metavar="IN...",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="PNG; for several pictures a folder."
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
    url: str | None,
    public_key: str | None,
    private_key_file: Path | None,
    timeout: float,
    data: Path,
    **settings: Any,
) -> None:
    """Cut the subject out of pictures: at --url, or by the stack that runs in --data, or by one for this call."""
    try:
        orders = plan(sources, output)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    console = Console(stderr=True)
    remote = remote_client(url, public_key, private_key_file) if url else None
    with remote or local_client(data, len(orders), console) as client:
        failures = cut_all(
            orders,
            partial(client.remove_background, **settings),
            timeout_seconds=timeout,
            console=console,
            on_saved=click.echo,
        )
    for failure in failures:
        click.echo(f"Error: {failure.source}: {explain(failure.error)}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


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


@main.command(context_settings=RELAY)
@data_option
@relayed
def keys(data: Path, arguments: tuple[str, ...]) -> None:
    """Manage key pairs and accounts of the stack in --data.

    add [--name NAME] [--credits N] [--price N] [--precision exact|fast]; list; revoke PUBLIC_KEY;
    rotate PUBLIC_KEY [--grace SECONDS | --finish]; credits NAME [--grant N];
    account NAME [--queue-cap N] [--suspended | --active]; each with --json as well.
    `python -m gateway keys COMMAND --help` says the rest.
    """
    environment = running_environment(DataDir(data))
    if environment is None:
        raise NotRunning(data)
    relay(("gateway", "keys", *arguments), environment)


@main.command(context_settings=RELAY)
@relayed
def models(arguments: tuple[str, ...]) -> None:
    """Manage the weights on this machine: list, fetch [NAME]."""
    relay(("worker", "models", *arguments), os.environ)


def relay(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run another part's command on this terminal and end as it ends."""
    require_parts(command[0])
    done = subprocess.run((*PYTHON, *command), env=dict(environment), check=False)
    # A command that a signal ended reports a negative number, which no process can exit with.
    raise click.exceptions.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


@main.command()
@data_option
@host_option
@port_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option("--bench", is_flag=True, help="Time every engine and precision here instead, and recommend one.")
def doctor(data: Path, host: str, port: int, as_json: bool, bench: bool) -> None:
    """Say whether this machine can run the service, and what to do if not."""
    if bench:
        relay(("worker", "doctor", "--bench"), os.environ)
    checks = examine(DataDir(data), host, port)
    well = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            click.echo(f"{'ok' if check.ok else 'FAIL':4}  {check.name:15}  {check.detail}")
            if check.remedy and not check.ok:
                click.echo(f"      {'':15}  {check.remedy}")
    if not well:
        raise click.exceptions.Exit(1)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets, so that nothing is interrupted half-way."""
    stop = threading.Event()
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one is not everywhere
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
