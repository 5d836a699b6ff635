"""Command groups of gateway and worker, imported when one of their commands is used."""

from collections.abc import Callable
from copy import copy
from importlib import import_module
from typing import Any

import click

from cutgate.local.parts import require_parts


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
