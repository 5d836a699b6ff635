"""The table of `python -m cutgate.gateway keys list`."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cutgate.gateway.accounts.records import AccountRecord, CredentialRecord, Terms
from cutgate.gateway.commands.console import Cell, show_table
from cutgate.gateway.operator.overview import iso_time
from cutgate.jobs.answers import Balance

Row = Mapping[str, Cell]

_KEY_CHARACTERS: Final = 12
"""So many of a public key are shown to people: enough to tell it from others."""


def rows_of(
    keys: Mapping[str, CredentialRecord],
    accounts: Mapping[str, AccountRecord],
    credits_of: Mapping[str, tuple[Balance | None, int]],
    kept_bytes_of: Mapping[str, int],
) -> Iterator[Row]:
    """One row a key: the key, its account's limits, credits and storage."""
    for name, key in keys.items():
        account, (balance, booked) = accounts[key.account], credits_of[key.account]
        yield {
            "account": key.account,
            "public_key": name if key.is_pair else None,
            "api_key": key.prefix,
            "private_key_count": len(key.live_keys(time.time())) if key.is_pair else None,
            "active": key.active and account.active,
            "created_at": iso_time(key.created_at_seconds),
            **account.terms.model_dump(),
            "state": "suspended" if not account.active else "active" if key.active else "revoked",
            "credits_left": None if balance is None else balance.available,
            "credits_used": booked if balance is None else balance.used,
            "kept_bytes": kept_bytes_of[key.account],
        }


def show_list(rows: Iterable[Row]) -> None:
    """Print what people look for; `--json` has all there is."""
    columns = ("account", "state", "key", "left", "used", "kept", "terms")
    show_table("Keys; `keys list --json` shows them whole", columns, map(_brief, rows))


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
