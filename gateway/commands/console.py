"""Helpers for operators' commands: errors in one line, results for people or machines."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.records import AccountError
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.redis_client import connect_ledger
from cutgate.jobs.settings import load_settings

LONGEST_LINE: Final = 1_000
"""Of a table off a terminal, in characters."""

Cell = str | int | None

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True, slots=True)
class Opened:
    """What the commands work with."""

    settings: GatewaySettings
    accounts: Accounts
    credentials: Credentials
    ledger: Ledger


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn errors that an operator can act on into a line and a status."""
    try:
        yield
    except (AccountError, ServiceUnavailable, ServerUnfit) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def opened() -> Iterator[Opened]:
    """Connect as the settings say; errors in the block are reported in one line."""
    settings = load_settings(GatewaySettings)
    with reported_errors(), connect_ledger(settings) as client:
        accounts = Accounts(KeyTable(client), settings.master_keys())
        ledger = Ledger(client, settings.ledger_limits())
        yield Opened(settings, accounts, Credentials(accounts), ledger)


def warn(text: str) -> None:
    """Tell of what is done all the same."""
    click.echo(f"Warning: {text}", err=True)


def show(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print facts by name: as one JSON object, or a line each."""
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ')}: {'-' if value is None else value}")


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], total: Sequence[Cell] = ()
) -> None:
    """Print rows below their columns' names; a terminal's width folds them, and nothing else does."""
    console = Console()
    if not console.is_terminal:
        console.width = LONGEST_LINE
    cells = [*rows, *([total] if total else [])]
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(columns):
        right = any(isinstance(row[number], int) for row in cells)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for position, row in enumerate(cells):
        is_last_of_many = bool(total) and position == len(cells) - 2
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row), end_section=is_last_of_many)
    console.print(Text(title, style="bold"), table, sep="\n")
