"""The commands under `python -m cutgate.gateway keys`: key pairs, API keys, and their accounts."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import Final

import click

from cutgate.gateway.accounts.accounts import new_callback_secret
from cutgate.gateway.accounts.records import AccountRecord, Terms
from cutgate.gateway.accounts.tables import Resealed
from cutgate.gateway.commands.console import as_json_option, opened, show, warn
from cutgate.gateway.commands.listing import rows_of, show_list
from cutgate.gateway.commands.terms import Term, TermsChange, terms_options
from cutgate.gateway.commands.usage import usage
from cutgate.gateway.operator.overview import iso_time
from cutgate.jobs.answers import Balance
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.upkeep.installation import Installation

MIN_PRIVATE_KEY_CHARACTERS: Final = 20
"""Least length of a private key that is brought along: one signed request is enough to try out shorter ones."""
SOUND_PRIVATE_KEY_CHARACTERS: Final = 32
"""Below it a key may still be guessed, if it is not random throughout."""
_PROGRESS_RECORDS: Final = 1_000
"""After so many records `reseal` says how far it is."""

public_key_argument = click.argument("public_key", metavar="PUBLIC_KEY")


@click.group()
def keys() -> None:
    """Manage key pairs, API keys, and their accounts."""


keys.add_command(usage)


def _from_stdin(what: str) -> str:
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise click.ClickException(f"no {what} on standard input")
    return given


def _brought_along() -> str:
    """A private key that clients have already."""
    private_key = _from_stdin("private key")
    if len(private_key) < MIN_PRIVATE_KEY_CHARACTERS:
        raise click.ClickException(
            f"the private key has fewer than {MIN_PRIVATE_KEY_CHARACTERS} characters, and can be guessed from one "
            "signed request: take a longer one, or leave --public-key out to have a pair made"
        )
    if len(private_key) < SOUND_PRIVATE_KEY_CHARACTERS:
        warn(
            f"the private key has fewer than {SOUND_PRIVATE_KEY_CHARACTERS} characters; `rotate` makes a sound one"
        )
    return private_key


_CALLBACK_SECRETS: Final[Mapping[str, Callable[[], str]]] = {
    "new": new_callback_secret,
    "stdin": partial(_from_stdin, "callback secret"),
}


@keys.command()
@click.option("--name", default="default", show_default=True, help="The account that the key belongs to.")
@click.option(
    "--api-key",
    "is_api_key",
    is_flag=True,
    help="Add an API key instead, as clients of Runware and remove.bg present one.",
)
@click.option(
    "--credits",
    "credit_count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Grant credits to the account as well.",
)
@click.option("--public-key", help="A key that clients use already; its private key is read from standard input.")
@terms_options
@as_json_option
def add(
    name: str, *, is_api_key: bool, credit_count: int | None, public_key: str | None, as_json: bool, **terms: Term
) -> None:
    """Add a key pair, or an API key. The private key or API key is shown this once.

    An account may have several keys of both kinds. One that was never granted credits is not metered. Terms that
    are not given stay as they are; of a new account they are those of the settings.
    """
    if is_api_key and public_key:
        raise click.UsageError("--api-key makes the whole key: it takes no --public-key")
    private_key = _brought_along() if public_key else None
    given = TermsChange.of(terms).given
    with opened() as parts:
        Installation(parts.ledger, open_blob_store(parts.settings)).require()
        if is_api_key:
            shown: dict[str, object] = {
                "account": name,
                "api_key": parts.credentials.add_api_key(name, terms=given),
            }
        else:
            pair = parts.credentials.add_pair(name, public_key=public_key, private_key=private_key, terms=given)
            shown = asdict(pair)
        if credit_count is not None:
            shown["available_credits"] = parts.ledger.accounts.grant(name, credit_count).available
    show(shown, as_json=as_json)


@keys.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List keys, and the terms and credits of their accounts, and what their tasks keep for corrections.

    A table of the terms that were set; --json has whole public keys, and all terms. Of API keys the first
    characters are shown, of private keys the number.
    """
    with opened() as parts:
        listed = parts.credentials.all()
        accounts = parts.accounts.all()  # read after the keys: an account is there before its first one
        found = dict(zip(accounts, parts.ledger.accounts.credits(list(accounts)), strict=True))
        kept_bytes = dict(zip(accounts, parts.ledger.accounts.kept_bytes(list(accounts)), strict=True))
    rows = list(rows_of(listed, accounts, found, kept_bytes))
    if as_json:
        click.echo(json.dumps(rows))
    else:
        show_list(rows)


@keys.command()
@public_key_argument
@click.option("--finish", is_flag=True, help="Drop every private key but the newest.")
@click.option(
    "--grace",
    "grace_seconds",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seconds after which the ones before are dropped.",
)
@as_json_option
def rotate(public_key: str, finish: bool, grace_seconds: int | None, as_json: bool) -> None:
    """Give a pair a new private key, shown this once.

    The one before counts until --finish or --grace ends it.
    """
    if finish and grace_seconds is not None:
        raise click.UsageError("--finish drops the keys at once: it takes no --grace")
    with opened() as parts:
        if finish:
            parts.credentials.finish_rotation(public_key)
            shown: dict[str, object] = {"public_key": public_key, "private_key_count": 1}
        else:
            shown = asdict(parts.credentials.rotate(public_key, grace_seconds))
    show(shown, as_json=as_json)


@keys.command()
@click.argument("key", metavar="KEY")
@as_json_option
def revoke(key: str, as_json: bool) -> None:
    """End a key for good, from the next request on.

    KEY is a public key, or what the list shows of an API key.
    """
    with opened() as parts:
        ended = parts.credentials.revoke(key)
    shown = {"public_key": key} if ended.is_pair else {"api_key": ended.prefix}
    show({**shown, "active": False}, as_json=as_json)


@keys.command("credits")
@click.argument("name")
@click.option("--grant", "credit_count", type=click.IntRange(min=1), metavar="N", help="Credits to add.")
@as_json_option
def credits_(name: str, credit_count: int | None, as_json: bool) -> None:
    """Show an account's credits, and grant more. One that was never granted any is not metered."""
    with opened() as parts:
        parts.accounts.record(name)  # a misspelt name is told, not granted credits
        if credit_count is not None:
            parts.ledger.accounts.grant(name, credit_count)
        [found] = parts.ledger.accounts.credits([name])
    show({"account": name, **_credits(*found)}, as_json=as_json)


@keys.command()
@click.argument("name")
@terms_options
@click.option("--defaults", "from_defaults", is_flag=True, help="Forget the terms that were set before.")
@click.option("--active/--suspended", "active", default=None, help="Whether the account's keys count.")
@click.option("--callback-url", help="Tell the end of each of its tasks there; the secret is shown once.")
@click.option(
    "--callback-secret",
    type=click.Choice(list(_CALLBACK_SECRETS)),
    help="Sign callbacks with another secret: one that is made, or that of standard input.",
)
@click.option("--no-callback", is_flag=True, help="Tell of its tasks no more.")
@as_json_option
def account(
    name: str,
    *,
    from_defaults: bool,
    active: bool | None,
    callback_url: str | None,
    callback_secret: str | None,
    no_callback: bool,
    as_json: bool,
    **terms: Term,
) -> None:
    """Show an account, and change what is given of it. A dash stands for what the settings say."""
    if no_callback and (callback_url or callback_secret):
        raise click.UsageError("--no-callback takes no other option of callbacks")
    secret = None if callback_secret is None else _CALLBACK_SECRETS[callback_secret]()
    change = TermsChange.of(terms)
    forget = set(Terms.model_fields) if from_defaults else change.forgotten
    shown_once: dict[str, object] = {}
    with opened() as parts:
        if no_callback:
            parts.accounts.drop_callback(name)
        elif callback_url is not None or secret is not None:
            made = parts.accounts.set_callback(name, callback_url, secret)
            shown_once = {} if made is None else {"callback_secret": made}
            if parts.settings.public_url is None:
                warn("CUTGATE_PUBLIC_URL is unset: callbacks of PICPIK's tasks name results without a host")
        if from_defaults or active is not None or change:
            parts.accounts.change(name, terms=change.given, active=active, forget=forget)
        record = parts.accounts.record(name)
        [found] = parts.ledger.accounts.credits([name])
    show({"account": name, **_facts(record), **_credits(*found), **shown_once}, as_json=as_json)


@keys.command()
@as_json_option
def reseal(*, as_json: bool) -> None:
    """Encrypt every stored secret with the first master key.

    It is the last step before the master key of before is dropped. The service may run meanwhile, and the command
    may be repeated. It exits with 1 where a secret was encrypted with a master key that is not set.
    """
    counts = Counter(dict.fromkeys(Resealed, 0))
    with opened() as parts:
        for count, (name, outcome) in enumerate(
            chain(parts.credentials.reseal(), parts.accounts.reseal()), start=1
        ):
            counts[outcome] += 1
            if outcome is Resealed.UNREADABLE:
                click.echo(f"{name}: encrypted with a master key that is not set", err=True)
            if count % _PROGRESS_RECORDS == 0:
                click.echo(f"{count} records", err=True)
    show({str(outcome): count for outcome, count in counts.items()}, as_json=as_json)
    if counts[Resealed.UNREADABLE]:
        raise click.exceptions.Exit(1)


def _facts(record: AccountRecord) -> dict[str, object]:
    return {
        "active": record.active,
        "created_at": iso_time(record.created_at_seconds),
        **record.terms.model_dump(),
        "callback_url": record.callback_url,
    }


def _credits(balance: Balance | None, booked: int) -> dict[str, object]:
    if balance is None:
        return {"metered": False, "used": booked}
    return {"metered": True, **asdict(balance), "available": balance.available}
