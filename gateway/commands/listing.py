"""The table of `python -m cutgate.gateway keys list`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cutgate.gateway.accounts.api_keys import ApiKey
from cutgate.gateway.accounts.key_pairs import KeyPair
from cutgate.gateway.accounts.records import AccountRecord, Terms
from cutgate.gateway.commands.console import iso_time
from cutgate.gateway.commands.tables import Cell, show_table
from cutgate.jobs.answers import Balance

Row = Mapping[str, Cell]

_KEY_CHARACTERS: Final = 12
"""So many of a public key are shown to people: enough to tell it from others."""


def rows_of(
    keys: Iterable[KeyPair | ApiKey],
    accounts: Mapping[str, AccountRecord],
    credits_of: Mapping[str, tuple[Balance | None, int]],
) -> Iterator[Row]:
    """What is known of each key and its account."""
    for key in sorted(keys, key=lambda key: key.account):
        balance, booked = credits_of[key.account]
        own: dict[str, Cell] = {"public_key": None, "api_key": None, "private_key_count": None}
        if isinstance(key, KeyPair):
            own |= {"public_key": key.public_key, "private_key_count": key.private_key_count}
        else:
            own |= {"api_key": key.prefix}
        yield {
            "account": key.account,
            **own,
            "active": key.active,
            "created_at": iso_time(key.created_at_seconds),
            **key.terms.model_dump(),
            "state": _state(key, accounts[key.account]),
            "credits_left": None if balance is None else balance.available,
            "credits_used": booked if balance is None else balance.used,
        }


def show_list(rows: Iterable[Row]) -> None:
    """Print what people look for; `--json` has all there is."""
    columns = ("account", "state", "key", "left", "used", "terms")
    show_table("Keys; `keys list --json` shows them whole", columns, map(_brief, rows))


def _state(key: KeyPair | ApiKey, account: AccountRecord) -> str:
    if not account.active:
        return "suspended"
    return "active" if key.active else "revoked"


def _brief(row: Row) -> tuple[Cell, ...]:
    left = "unmetered" if row["credits_left"] is None else row["credits_left"]
    terms = [f"{name.replace('_', ' ')} {row[name]}" for name in Terms.model_fields if row[name] is not None]
    return (row["account"], row["state"], _key(row), left, row["credits_used"], ", ".join(terms))


def _key(row: Row) -> str:
    if row["public_key"] is None:
        return str(row["api_key"])
    whole = str(row["public_key"])
    return whole if len(whole) <= _KEY_CHARACTERS else f"{whole[:_KEY_CHARACTERS]}…"
