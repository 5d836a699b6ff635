"""Helpers for operators' commands: errors in one line, results for people or machines."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from cutgate.gateway.accounts.records import AccountError
from cutgate.jobs.errors import ServiceUnavailable


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn errors that an operator can act on into a line and a status."""
    try:
        yield
    except (AccountError, ServiceUnavailable) as error:
        raise click.ClickException(str(error)) from None


def warn(text: str) -> None:
    """Tell of what is done all the same."""
    click.echo(f"Warning: {text}", err=True)


def iso_time(seconds: float) -> str:
    """Unix time as operators read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def show(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Print facts by name: as one JSON object, or a line each."""
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
