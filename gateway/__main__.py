"""Operators' commands: `python -m gateway serve`, `python -m gateway keys add` and `keys list`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Final

import click
from redis import Redis

from gateway.accounts import AccountError, Accounts
from gateway.keytables import RedisKeyTable
from gateway.server import GatewayServer, gunicorn_options
from gateway.settings import GatewaySettings
from gateway.wsgi import connect_ledger
from jobs.errors import LedgerUnavailable
from jobs.settings import WrongSettings, load_settings
from jobs.stores.client import EvictingServer, require_no_eviction
from jobs.stores.redis import RedisLedger

CHECK_SECONDS: Final = 3


@click.group()
def main() -> None:
    """Run and operate Keycut's gateway."""


@main.command()
@click.option("--host", help="Address to listen on; default: KEYCUT_HOST.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; default: KEYCUT_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Serve requests until a signal says to stop."""
    settings = _settings()
    with connect_ledger(settings) as client:
        try:
            require_no_eviction(client)
        except EvictingServer as error:
            raise click.ClickException(str(error)) from None
        except LedgerUnavailable as error:  # callers are told to wait, until it is there
            click.echo(f"not checked for eviction: {error.message}", err=True)
    host = settings.host if host is None else host
    port = settings.port if port is None else port
    GatewayServer(gunicorn_options(settings, host, port)).run()


@main.command()
def check() -> None:
    """Ask the gateway of this machine whether it is alive; exit with 1 if not. For health checks."""
    settings = _settings()
    # The address that means every interface leads, as one to connect to, to this machine.
    connection = HTTPConnection(settings.host, settings.port, timeout=CHECK_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except OSError as error:
        raise click.ClickException(f"the gateway does not answer: {error}") from None
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise click.ClickException(f"the gateway answers HTTP {status}")


@main.group()
def keys() -> None:
    """Add and list key pairs."""


@keys.command()
@click.option("--name", default="default", show_default=True, help="The account that the key pair belongs to.")
@click.option(
    "--credits", "credit_count", type=click.IntRange(min=1), help="Grant credits to the account as well."
)
@click.option("--public-key", help="A key that clients use already; its private key is read from standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(name: str, credit_count: int | None, public_key: str | None, as_json: bool) -> None:
    """Add a key pair. The private key is shown this once.

    An account that was never granted credits is not metered.
    """
    private_key = sys.stdin.readline().rstrip("\r\n") if public_key else None
    if private_key == "":
        raise click.ClickException("no private key on standard input")
    settings = _settings()
    with _reported_errors(), connect_ledger(settings) as client:
        credentials = _accounts(settings, client).add(name, public_key=public_key, private_key=private_key)
        shown = asdict(credentials)
        if credit_count is not None:
            balance = RedisLedger(client, settings.ledger_limits()).grant(name, credit_count)
            shown["available_credits"] = balance.available
    _print(shown, as_json=as_json)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List key pairs, without their private keys."""
    settings = _settings()
    with _reported_errors(), connect_ledger(settings) as client:
        pairs = [asdict(pair) for pair in _accounts(settings, client).list()]
    if as_json:
        click.echo(json.dumps(pairs))
        return
    for pair in pairs:
        click.echo(f"{pair['account']}\t{pair['public_key']}")


def _accounts(settings: GatewaySettings, client: Redis) -> Accounts:
    return Accounts(RedisKeyTable(client), settings.master_key_bytes())


def _print(shown: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


def _settings() -> GatewaySettings:
    try:
        return load_settings(GatewaySettings)
    except WrongSettings as error:
        raise click.ClickException(f"wrong settings\n{error}") from None


@contextmanager
def _reported_errors() -> Iterator[None]:
    """Turn errors that an operator can act on into a line and a status."""
    try:
        yield
    except (AccountError, LedgerUnavailable) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
