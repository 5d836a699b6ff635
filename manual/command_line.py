"""The options of the command `cutgate`, as the command itself has them."""

from typing import Final

import click

from cutgate.commands.cli import main
from manual.markdown import code, one_line, table

_SHARED_BY: Final = ("cut", "watch")
"""Commands whose common options have tables of their own."""


def tables() -> dict[str, str]:
    """By a part's name, a table: what several commands share has one of its own."""
    service, cut, watch = (_options(name) for name in ("balance", *_SHARED_BY))
    making = [name for name in cut if name in watch and name not in service and name != "output"]
    parts = {"service": list(service.values()), "making": [cut[name] for name in making]}
    for name in _SHARED_BY:
        parts[name] = [option for key, option in _options(name).items() if key not in {*making, *service}]
    parts |= {name: list(_options(name).values()) for name in ("up", "env", "doctor")}
    return {f"options, {name}": _table(options) for name, options in parts.items()}


def options_of_all() -> dict[str, set[str]]:
    """The longest name of every option, by its command; without `--json`, which every command has."""
    return {name: {max(option.opts, key=len) for option in _options(name).values()} for name in main.commands}


def _options(command: str) -> dict[str, click.Option]:
    params = main.commands[command].params
    return {param.name: param for param in params if isinstance(param, click.Option) and param.name != "as_json"}


def _table(options: list[click.Option]) -> str:
    return table(("Option", "Default", "What it does"), [_row(option, click.Context(main)) for option in options])


def _row(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    names = ", ".join(map(code, sorted(option.opts, key=len)))
    shown = option.get_help_extra(context)
    default = "required" if "required" in shown else shown.get("default", "")
    text = one_line(option.help) + (f" Or {code(option.envvar)}." if option.envvar else "")
    return names + ("" if option.is_flag else f" {_value(option, context)}"), default, text


def _value(option: click.Option, context: click.Context) -> str:
    """What an option takes."""
    kind = option.type
    if isinstance(kind, click.IntRange):
        return f"{kind.min} or more" if kind.max is None else f"{kind.min} to {kind.max}"
    return option.make_metavar(context)
