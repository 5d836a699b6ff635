"""The table of `python -m cutgate.gateway keys list`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cutgate.gateway.accounts.credentials import ListedKey
from cutgate.gateway.accounts.records import AccountRecord, Terms
from cutgate.gateway.commands.tables import Cell, show_table
from cutgate.gateway.operator.overview import iso_time
from cutgate.jobs.answers import Balance

Row = Mapping[str, Cell]

_KEY_CHARACTERS: Final = 12
"""So many of a public key are shown to people: enough to tell it from others."""


def rows_of(
    keys: Iterable[ListedKey],
    accounts: Mapping[str, AccountRecord],
    credits_of: Mapping[str, tuple[Balance | None, int]],
    kept_bytes_of: Mapping[str, int],
) -> Iterator[Row]:
    """One row a key: the key, its account's limits, credits and storage."""
    for key in keys:
        balance, booked = credits_of[key.account]
        yield {
            "account": key.account,
            "public_key": key.public_key,
            "api_key": key.api_key,
            "private_key_count": key.private_key_count,
            "active": key.active,
            "created_at": iso_time(key.created_at_seconds),
            **key.terms.model_dump(),
            "state": _state(key, accounts[key.account]),
            "credits_left": None if balance is None else balance.available,
            "credits_used": booked if balance is None else balance.used,
            "kept_bytes": kept_bytes_of[key.account],
        }


def show_list(rows: Iterable[Row]) -> None:
    """Print what people look for; `--json` has all there is."""
    columns = ("account", "state", "key", "left", "used", "kept", "terms")
    show_table("Keys; `keys list --json` shows them whole", columns, map(_brief, rows))


def _state(key: ListedKey, account: AccountRecord) -> str:
    if not account.active:
        return "suspended"
    return "active" if key.active else "revoked"


def _brief(row: Row) -> tuple[Cell, ...]:
    left = "unmetered" if row["credits_left"] is None else row["credits_left"]
    terms = [f"{name.replace('_', ' ')} {row[name]}" for name in Terms.model_fields if row[name] is not None]
    kept = f"{int(row['kept_bytes'] or 0) / 2**20:.0f} MiB"
    return (row["account"], row["state"], _key(row), left, row["credits_used"], kept, ", ".join(terms))


def _key(row: Row) -> str:
    if row["public_key"] is None:
        return str(row["api_key"])
    whole = str(row["public_key"])
    return whole if len(whole) <= _KEY_CHARACTERS else f"{whole[:_KEY_CHARACTERS]}…"
