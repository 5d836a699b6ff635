"""What the operators' commands have in common: settings, errors in one line, results for people or machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import click

from gateway.account_records import AccountError
from gateway.settings import GatewaySettings
from jobs.errors import LedgerUnavailable
from jobs.settings import WrongSettings, load_settings

S = TypeVar("S", bound=GatewaySettings)


def read_settings(kind: type[S]) -> S:
    """The settings of the environment.

    Args:
        kind: whose settings.

    Raises:
        ClickException: some are wrong; it names every one.
    """
    try:
        return load_settings(kind)
    except WrongSettings as error:
        raise click.ClickException(f"wrong settings\n{error}") from None


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn errors that an operator can act on into a line and a status."""
    try:
        yield
    except (AccountError, LedgerUnavailable) as error:
        raise click.ClickException(str(error)) from None


def show(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print facts by name: as one JSON object, or a line each."""
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
