"""The command `keycut`: results on standard output, all else on standard error; exit code 1 failed, 2 misused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from keycut.cut_command import cut
from keycut.datadir import DataDir
from keycut.doctor import examine
from keycut.errors import KeycutError, NotRunning, explain
from keycut.local import StackOptions, run_stack
from keycut.options import data_option, host_option, port_option
from keycut.parts import PYTHON, require_parts, running_environment


class Commands(click.Group):
    """A group whose commands end with one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its errors become click's."""
        try:
            return super().invoke(ctx)
        except (KeycutError, OSError) as error:
            raise click.ClickException(explain(error)) from None


relayed = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
RELAY: Final = {"ignore_unknown_options": True}


@click.group(cls=Commands)
@click.version_option(package_name="keycut")
def main() -> None:
    """Cut subjects out of pictures, on this machine or at a service."""


main.add_command(cut)


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


@main.command(context_settings=RELAY)
@data_option
@relayed
def keys(data: Path, arguments: tuple[str, ...]) -> None:
    """Manage keys and accounts of the stack in --data.

    add [--runware] [--name NAME] [--credits N] [--price N] [--preset fast|exact|best]; list;
    rotate PUBLIC_KEY [--grace SECONDS | --finish]; revoke KEY; credits NAME [--grant N];
    account NAME [--queue-cap N] [--model NAME] [--callback-url URL] [--suspended | --active]; each with --json.
    `python -m gateway keys COMMAND --help` says the rest.
    """
    environment = running_environment(DataDir(data))
    if environment is None:
        raise NotRunning(data)
    relay(("gateway", "keys", *arguments), environment)


@main.command(context_settings=RELAY)
@relayed
def models(arguments: tuple[str, ...]) -> None:
    """Manage the weights on this machine.

    list [--json]; fetch [MODEL[:PRECISION]]... [--preset fast|exact|best]; verify [MODEL]...
    """
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
