"""The command `cutgate`: results on standard output, all else on standard error."""

import os
from collections.abc import Callable
from copy import copy
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from cutgate import distribution
from cutgate.commands.account import balance, list_, status, terminate
from cutgate.commands.console import Commands, json_option, print_json
from cutgate.commands.cut import cut
from cutgate.commands.doctor import examine
from cutgate.commands.mcp import mcp
from cutgate.commands.options.local import data_option, host_option, port_option
from cutgate.commands.refine import refine
from cutgate.commands.up import env, up
from cutgate.commands.watch import watch
from cutgate.errors import NotRunning
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import require_parts, running_environment


class PartGroup(click.Group):
    """The group of a part that has the same name there.

    The options of this group may follow each command as well. Its callback prepares the environment of every
    command, and gets their values.
    """

    def __init__(self, name: str, *, part: str, callback: Callable[..., None], **others: Any) -> None:
        super().__init__(name, no_args_is_help=True, **others)
        self._part, self._prepare = part, callback

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the part's order."""
        return self._commands().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The part's command, with the options of this group."""
        found = self._commands().get_command(ctx, cmd_name)
        if found is None:
            return None
        command, shared = copy(found), [_with_given(option, ctx) for option in self.params]
        names = {option.name for option in shared}
        command.params = [*(param for param in found.params if param.name not in names), *shared]
        command.callback = self._prepared(found)
        return command

    def _commands(self) -> click.Group:
        require_parts(self._part)
        group = getattr(import_module(f"cutgate.{self._part}.commands.{self.name}"), str(self.name))
        assert isinstance(group, click.Group)
        return group

    def _prepared(self, command: click.Command) -> Callable[..., None]:
        own, taken = ({param.name for param in params} for params in (self.params, command.params))
        run = command.callback
        assert run is not None

        def prepared(**values: Any) -> None:
            self._prepare(**{name: value for name, value in values.items() if name in own - {"as_json"}})
            run(**{name: value for name, value in values.items() if name in taken})

        return prepared


def _with_given(param: click.Parameter, ctx: click.Context) -> click.Parameter:
    """An option whose default is what was given before the command."""
    again = copy(param)
    if param.name in ctx.params:
        again.default = ctx.params[param.name]
    return again


@click.group(cls=Commands)
@click.version_option(package_name=distribution.NAME)
def main() -> None:
    """Cut subjects out of pictures, on this machine or at a service.

    Exit codes: 0 done, 1 failed, 2 misused, 3 without a subject (cut --fail-on-empty), 130 interrupted.
    """


for command in (cut, refine, watch, list_, status, terminate, balance, up, env, mcp):
    main.add_command(command)


@main.command(cls=PartGroup, part="gateway")
@data_option
@json_option
def keys(data: Path) -> None:
    """Manage keys and accounts of the stack in --data."""
    environment = running_environment(DataDir(data), "gateway")
    if environment is None:
        raise NotRunning(data)
    os.environ.clear()
    os.environ.update(environment)


@main.command(cls=PartGroup, part="worker")
@json_option
def models() -> None:
    """Manage the weights on this machine."""


@main.command()
@data_option
@host_option
@port_option
@json_option
@click.option("--bench", is_flag=True, help="Time every engine and precision here instead, and recommend one.")
def doctor(data: Path, host: str, port: int, as_json: bool, bench: bool) -> None:
    """Check whether this machine can run the service. If not, say what to do."""
    if bench:
        require_parts("worker")
        from cutgate.worker.__main__ import compare_engines  # only now: it loads what makes pictures

        text = compare_engines()
        print_json({"output": text}) if as_json else click.echo(text)
        return
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


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that completes this command in a shell.

    For bash, put `eval "$(cutgate completion bash)"` into ~/.bashrc; for zsh the same with zsh into ~/.zshrc; for
    fish, run `cutgate completion fish > ~/.config/fish/completions/cutgate.fish`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "cutgate", "_CUTGATE_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
