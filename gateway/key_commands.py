"""The commands under `python -m gateway keys`: key pairs, and the accounts that they belong to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from gateway.account_records import AccountRecord, Terms
from gateway.accounts import Accounts, KeyPair
from gateway.console import read_settings, reported_errors, show
from gateway.keytables import RedisKeyTable
from gateway.settings import GatewaySettings
from gateway.wsgi import connect_ledger
from jobs.spec import Precision
from jobs.store import Balance, LedgerStore
from jobs.stores.redis import RedisLedger

Term = int | str | None
"""An account's term as click reads it."""

Command = TypeVar("Command", bound=Callable[..., Any])

_COLUMNS: Final = ("account", "public_key", "active", "private_key_count", "created_at", *Terms.model_fields)

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
public_key_argument = click.argument("public_key", metavar="PUBLIC_KEY")


def terms_options(command: Command) -> Command:
    """Options for each of an account's terms, named as its fields."""
    for option in (
        click.option(
            "--precision",
            type=click.Choice([str(precision) for precision in Precision]),
            help="How exactly its pictures are computed; workers must offer it.",
        ),
        click.option("--queue-cap", type=click.IntRange(min=1), help="Pictures of it that may wait or run."),
        click.option("--polls-per-second", type=click.IntRange(min=1), help="Other requests in a second."),
        click.option(
            "--submits-per-second", type=click.IntRange(min=1), help="Requests with pictures in a second."
        ),
        click.option("--price", "price_credits", type=click.IntRange(min=0), help="Credits for one picture."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class _Parts:
    accounts: Accounts
    ledger: LedgerStore


@contextmanager
def _parts() -> Iterator[_Parts]:
    """What the commands work with; errors in the block are reported in one line."""
    settings = read_settings(GatewaySettings)
    with reported_errors(), connect_ledger(settings) as client:
        yield _Parts(
            Accounts(RedisKeyTable(client), settings.master_key_bytes()),
            RedisLedger(client, settings.ledger_limits()),
        )


@click.group()
def keys() -> None:
    """Manage key pairs, and the accounts that they belong to."""


@keys.command()
@click.option("--name", default="default", show_default=True, help="The account that the key pair belongs to.")
@click.option(
    "--credits", "credit_count", type=click.IntRange(min=1), help="Grant credits to the account as well."
)
@click.option("--public-key", help="A key that clients use already; its private key is read from standard input.")
@terms_options
@as_json_option
def add(name: str, credit_count: int | None, public_key: str | None, as_json: bool, **terms: Term) -> None:
    """Add a key pair. The private key is shown this once.

    An account that was never granted credits is not metered. Terms that are not given stay as they are; of a new
    account they are those of the settings.
    """
    private_key = sys.stdin.readline().rstrip("\r\n") if public_key else None
    if private_key == "":
        raise click.ClickException("no private key on standard input")
    with _parts() as parts:
        made = parts.accounts.add(
            name, public_key=public_key, private_key=private_key, terms=Terms.model_validate(terms)
        )
        shown = asdict(made)
        if credit_count is not None:
            shown["available_credits"] = parts.ledger.grant(name, credit_count).available
    show(shown, as_json=as_json)


@keys.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List key pairs and their accounts' terms, without private keys. A dash stands for what the settings say."""
    with _parts() as parts:
        rows = [_row(pair) for pair in parts.accounts.list()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for cells in (_COLUMNS, *([_cell(row[name]) for name in _COLUMNS] for row in rows)):
        click.echo("\t".join(cells))


@keys.command()
@public_key_argument
@click.option("--finish", is_flag=True, help="Drop every private key but the newest.")
@click.option(
    "--grace", "grace_seconds", type=click.IntRange(min=0), help="Seconds after which the ones before are dropped."
)
@as_json_option
def rotate(public_key: str, finish: bool, grace_seconds: int | None, as_json: bool) -> None:
    """Give a pair a new private key, shown this once; the one before counts until --finish or --grace ends it."""
    if finish and grace_seconds is not None:
        raise click.UsageError("--finish drops the keys at once: it takes no --grace")
    with _parts() as parts:
        if finish:
            parts.accounts.finish_rotation(public_key)
            shown: dict[str, object] = {"public_key": public_key, "private_key_count": 1}
        else:
            shown = asdict(parts.accounts.rotate(public_key, grace_seconds))
    show(shown, as_json=as_json)


@keys.command()
@public_key_argument
@as_json_option
def revoke(public_key: str, as_json: bool) -> None:
    """End a key pair for good, from the next request on."""
    with _parts() as parts:
        parts.accounts.revoke(public_key)
    show({"public_key": public_key, "active": False}, as_json=as_json)


@keys.command("credits")
@click.argument("name")
@click.option("--grant", "credit_count", type=click.IntRange(min=1), help="Credits to add.")
@as_json_option
def credits_(name: str, credit_count: int | None, as_json: bool) -> None:
    """Show an account's credits, and grant more. One that was never granted any is not metered."""
    with _parts() as parts:
        parts.accounts.record(name)  # a misspelt name is told, not granted credits
        balance = parts.ledger.balance(name) if credit_count is None else parts.ledger.grant(name, credit_count)
    show({"account": name, **_credits(balance)}, as_json=as_json)


@keys.command()
@click.argument("name")
@terms_options
@click.option("--defaults", "from_defaults", is_flag=True, help="Forget the terms that were set before.")
@click.option("--active/--suspended", "active", default=None, help="Whether the account's key pairs count.")
@as_json_option
def account(name: str, from_defaults: bool, active: bool | None, as_json: bool, **terms: Term) -> None:
    """Show an account, and change what is given of it. A dash stands for what the settings say."""
    with _parts() as parts:
        if from_defaults or active is not None or any(term is not None for term in terms.values()):
            parts.accounts.change(
                name, terms=Terms.model_validate(terms), active=active, from_defaults=from_defaults
            )
        record, balance = parts.accounts.record(name), parts.ledger.balance(name)
    show({"account": name, **_facts(record), **_credits(balance)}, as_json=as_json)


def _facts(record: AccountRecord) -> dict[str, object]:
    return {
        "active": record.active,
        "created_at": _date(record.created_at_seconds),
        **record.terms.model_dump(),
    }


def _row(pair: KeyPair) -> dict[str, object]:
    facts: dict[str, object] = {**asdict(pair), **pair.terms.model_dump()}
    return {name: _date(pair.created_at_seconds) if name == "created_at" else facts[name] for name in _COLUMNS}


def _credits(balance: Balance | None) -> dict[str, object]:
    if balance is None:
        return {"metered": False}
    return {"metered": True, **asdict(balance), "available": balance.available}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
