"""docs/command-line.md has every command and every option, as the command itself has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from cutgate.commands.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
ARGUMENTS_RELAYED = {"keys", "models"}


def options(command: str) -> dict[str, click.Option]:
    params = main.commands[command].params
    return {param.name: param for param in params if isinstance(param, click.Option) and param.name != "as_json"}


def value_of(option: click.Option, context: click.Context) -> str:
    """What an option takes."""
    kind = option.type
    if isinstance(kind, click.IntRange):
        return f"{kind.min} or more" if kind.max is None else f"{kind.min} to {kind.max}"
    return option.make_metavar(context)


def rows(found: Iterable[click.Option]) -> str:
    """A table of options, from the options."""
    context = click.Context(main)
    lines = ["| Option | Default | What it does |", "|---|---|---|"]
    for option in found:
        names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
        value = "" if option.is_flag else f" {value_of(option, context)}"
        shown = option.get_help_extra(context)
        default = "required" if "required" in shown else shown.get("default", "")
        text = " ".join((option.help or "").split()) + (f" Or `{option.envvar}`." if option.envvar else "")
        cell = f"{names}{value}".replace("|", "\\|")
        lines.append(f"| {cell} | {default} | {text} |")
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """All tables of the page: what several commands share has one of its own."""
    every = {name: options(name) for name in main.commands}
    service, cut, watch = every["balance"], every["cut"], every["watch"]
    making = [name for name in cut if name in watch and name not in service and name != "output"]
    found = {"service": rows(service.values()), "making": rows(cut[name] for name in making)}
    for name in ("cut", "watch"):
        own = [option for key, option in every[name].items() if key not in making and key not in service]
        found[name] = rows(own)
    return found | {name: rows(every[name].values()) for name in ("up", "doctor")}


@pytest.mark.parametrize("name", tables())
def test_the_tables_of_options_are_the_options(name: str) -> None:
    table = tables()[name]
    assert table in PAGE, f"docs/command-line.md should say\n\n{table}"


def test_every_option_is_in_a_table() -> None:
    shown = "\n".join(tables().values())
    missing = {
        (name, option.opts[0])
        for name in main.commands
        for option in options(name).values()
        if f"`{option.opts[0]}`" not in shown
    }
    assert missing == set()


def test_every_command_has_its_line() -> None:
    lines = re.findall(r"^\| `cutgate ([a-z]+)[^`]*` \|", PAGE, re.MULTILINE)
    assert sorted(lines) == sorted(main.commands)
