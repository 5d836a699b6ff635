"""Helpers for operators' commands: errors in one line, results for people or machines."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import click

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
