"""The command `cutgate`: results on standard output, all else on standard error."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from cutgate import distribution
from cutgate.commands.account import balance, list_, status, terminate
from cutgate.commands.completion import completion
from cutgate.commands.console import Commands, json_option, print_json
from cutgate.commands.cut import cut
from cutgate.commands.doctor import examine
from cutgate.commands.options import data_option, host_option, port_option
from cutgate.commands.up import env, up
from cutgate.commands.watch import watch
from cutgate.errors import CommandFailed, NotRunning
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import last_line, part_command, require_parts, running_environment

relayed = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
RELAY: Final = {"ignore_unknown_options": True}


@click.group(cls=Commands)
@click.version_option(package_name=distribution.NAME)
def main() -> None:
    """Cut subjects out of pictures, on this machine or at a service.

    Exit codes: 0 done, 1 failed, 2 misused, 130 interrupted.
    """


for command in (cut, watch, list_, status, terminate, balance, up, env, completion):
    main.add_command(command)


@main.command(context_settings=RELAY)
@data_option
@json_option
@relayed
def keys(data: Path, arguments: tuple[str, ...], as_json: bool) -> None:
    """Manage keys and accounts of the stack in --data.

    add [--runware] [--name NAME] [--credits N] [--price N] [--preset fast|exact|best]; list;
    rotate PUBLIC_KEY [--grace SECONDS | --finish]; revoke KEY; reseal; credits NAME [--grant N];
    account NAME [--queue-cap N] [--model NAME] [--callback-url URL] [--suspended | --active].
    `python -m cutgate.gateway keys COMMAND --help` says the rest.
    """
    environment = running_environment(DataDir(data), "gateway")
    if environment is None:
        raise NotRunning(data)
    relay(("gateway", "keys", *arguments), environment, as_json=as_json)


@main.command(context_settings=RELAY)
@json_option
@relayed
def models(arguments: tuple[str, ...], as_json: bool) -> None:
    """Manage the weights on this machine.

    list; fetch [MODEL[:PRECISION]]... [--preset fast|exact|best]; verify [MODEL]...
    """
    relay(("worker", "models", *arguments), os.environ, as_json=as_json)


def relay(command: Sequence[str], environment: Mapping[str, str], *, as_json: bool) -> None:
    """Run another part's command on this terminal and end as it ends.

    Args:
        command: the part and its arguments.
        environment: its environment.
        as_json: ask it for JSON, and make JSON of its errors.

    Raises:
        CommandFailed: it failed, and `as_json` is set.
    """
    require_parts(command[0])
    asked = part_command(*command, *(["--json"] if as_json else []))
    captured = subprocess.PIPE if as_json else None
    done = subprocess.run(asked, env=dict(environment), stdout=captured, stderr=captured, text=True, check=False)
    if as_json and done.stdout:
        print_json(json_of(done.stdout))
    elif as_json and done.returncode:
        raise CommandFailed(" ".join(command), last_line(done.stderr).removeprefix("Error: "))
    # A command that a signal ended reports a negative number, which no process can exit with.
    raise click.exceptions.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def json_of(printed: str) -> object:
    """What a part printed; what it has no JSON for is text in an object."""
    try:
        return json.loads(printed)
    except ValueError:
        return {"output": printed}


@main.command()
@data_option
@host_option
@port_option
@json_option
@click.option("--bench", is_flag=True, help="Time every engine and precision here instead, and recommend one.")
def doctor(data: Path, host: str, port: int, as_json: bool, bench: bool) -> None:
    """Say whether this machine can run the service, and what to do if not."""
    if bench:
        relay(("worker", "doctor", "--bench"), os.environ, as_json=as_json)  # ends this command
    checks = examine(DataDir(data), host, port)
    well = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": well, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            click.echo(f"{'ok' if check.ok else 'FAIL':4}  {check.name:15}  {check.detail}")
            if check.remedy and not check.ok:
                click.echo(f"      {'':15}  {check.remedy}")
    if not well:
        raise click.exceptions.Exit(1)
