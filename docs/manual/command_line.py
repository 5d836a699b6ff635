"""The options of the command `cutgate`, as the command itself has them."""

from typing import Final

import click

from cutgate.commands.cli import main
from docs.manual.markdown import code, items, one_line

_SHARED_BY: Final = ("cut", "watch")
"""Commands whose common options have lists of their own."""


def lists() -> dict[str, str]:
    """By a part's name, its options; those of several commands stand in the part that shows them first."""
    service, cut, watch = (_options(name) for name in ("balance", *_SHARED_BY))
    making = [name for name in cut if name in watch and name not in service and name != "output"]
    parts = {"service": list(service.values()), "making": [cut[name] for name in making]}
    for name in (*_SHARED_BY, "refine"):
        parts[name] = [option for key, option in _options(name).items() if key not in {*making, *service}]
    shown = {*service}
    for name in ("up", "env", "doctor", "mcp"):
        parts[name] = [option for key, option in _options(name).items() if key not in shown]
        shown |= _options(name).keys()
    return {f"options, {name}": items(map(_row, options)) for name, options in parts.items()}


def options_of_all() -> dict[str, set[str]]:
    """The longest name of every option, by its command; without `--json`, which every command has."""
    return {name: {max(option.opts, key=len) for option in _options(name).values()} for name in main.commands}


def _options(command: str) -> dict[str, click.Option]:
    params = main.commands[command].params
    return {param.name: param for param in params if isinstance(param, click.Option) and param.name != "as_json"}


def _row(option: click.Option) -> tuple[str, str]:
    context = click.Context(main)
    *short, longest = sorted(option.opts, key=len)
    names = ", ".join(map(code, [*short, longest if option.is_flag else f"{longest} {_value(option, context)}"]))
    shown = option.get_help_extra(context)
    default = shown.get("default", "").strip("()")
    told = "required" if "required" in shown else f"default {default}" if default else ""
    text = one_line(option.help) + (f" Or {code(option.envvar)}." if option.envvar else "")
    return names + (f" ({told})" if told else ""), text


def _value(option: click.Option, context: click.Context) -> str:
    """What an option takes."""
    kind = option.type
    if isinstance(kind, click.IntRange):
        return "N" if kind.max is None else f"{kind.min}-{kind.max}"
    return option.make_metavar(context)
