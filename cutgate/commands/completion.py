"""Shell completion, by click's own mechanism."""

import click
from click.shell_completion import get_completion_class

from cutgate.commands.console import json_option, print_json


@click.command()
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
