"""Commands of other parts under this one's name: they run in a process of their own, on this terminal."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from cutgate.commands.console import print_json
from cutgate.errors import CommandFailed
from cutgate.local.parts import last_line, require_parts

HELP: Final = "--help"

_RUN: Final = """
import runpy, sys
sys.argv[0] = "cutgate"  # what usage and errors call it
runpy.run_module("cutgate." + sys.argv.pop(1), run_name="__main__")
"""


class Relayed(click.Command):
    """Hands its arguments, the first of which names a command, to another part.

    Attributes:
        commands: what each does, by name; known here as well, so that help and completion need not start the part.
    """

    def __init__(
        self, name: str, *, commands: Mapping[str, str], params: list[click.Parameter], **kwargs: Any
    ) -> None:
        """Make the command.

        Args:
            name: of it.
            commands: what each does, by name.
            params: those that this command takes itself, wherever they stand.
            kwargs: click's.
        """
        arguments = click.Argument(
            ["arguments"],
            nargs=-1,
            type=click.UNPROCESSED,
            metavar="COMMAND [ARGUMENTS]...",
            shell_complete=self._complete,
        )
        super().__init__(
            name,
            params=[*params, arguments],
            context_settings={"ignore_unknown_options": True},
            add_help_option=False,  # that of one of the commands is the other part's to answer
            **kwargs,
        )
        self.commands = commands

    def invoke(self, ctx: click.Context) -> Any:
        """Show the commands where none is named, else run it."""
        arguments = ctx.params["arguments"]
        if arguments == (HELP,):
            click.echo(ctx.get_help())
            return None
        if not arguments:
            raise click.exceptions.NoArgsIsHelpError(ctx)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, and behind them the commands."""
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands.items()))
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} COMMAND {HELP}` says more of one.")

    def _complete(self, ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if ctx.params.get("arguments"):
            return []
        return [
            CompletionItem(name, help=text) for name, text in self.commands.items() if name.startswith(incomplete)
        ]


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
    # Without -P a folder `cutgate` in the current one would be taken for ours.
    asked = (sys.executable, "-P", "-c", _RUN, *command, *(["--json"] if as_json else []))
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
