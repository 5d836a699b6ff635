"""Accounts in the ledger: credits, usage, and the rates of requests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from cutgate.jobs.answers import Allowance, Balance, Usage
from cutgate.jobs.ledger.database import Database
from cutgate.jobs.ledger.encoding import decode_allowance, encode_rate
from cutgate.jobs.ledger.keys import USAGE_DAYS
from cutgate.jobs.record import RateUse
from cutgate.jobs.redis_client import ledger_errors

USAGE_AT_ONCE: Final = 250
"""Accounts that one round trip asks about: their hashes of usage are some 300 KB."""
_EPOCH: Final = date(1970, 1, 1)


class Accounts:
    """What accounts own and use."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def take_rate(self, use: RateUse) -> Allowance:
        """Count a use of a rate, if there is room for it."""
        return decode_allowance(use, self._db.run("take", rate=encode_rate(use)))

    def grant(self, account: str, credit_count: int) -> Balance:
        """Add credits to an account. An account that was never granted any is not metered."""
        granted, used, reserved = self._db.run_once("grant", account=account, credit_count=credit_count)
        return Balance(granted=granted, used=used, reserved=reserved)

    def balance(self, account: str) -> Balance | None:
        """The account's credits; None when it is not metered."""
        [(balance, _)] = self.credits([account])
        return balance

    def credits(self, accounts: Sequence[str]) -> list[tuple[Balance | None, int]]:
        """Of each account its credits, if it is metered, and the price of all that was ever done for it."""
        with ledger_errors(), self._db.client.pipeline(transaction=False) as pipeline:
            for account in accounts:
                pipeline.hmget(self._db.key(f"account:{account}"), ["granted", "used", "reserved", "booked"])
            return [_credits_of(fields) for fields in pipeline.execute()]

    def kept_bytes(self, accounts: Sequence[str]) -> list[int]:
        """Of each account the bytes of pictures and masks that its tasks keep for corrections."""
        with ledger_errors(), self._db.client.pipeline(transaction=False) as pipeline:
            for account in accounts:
                pipeline.hget(self._db.key(f"account:{account}"), "kept_bytes")
            return [int(found or 0) for found in pipeline.execute()]

    def usage(self, first: date, last: date, account: str | None = None) -> dict[str, dict[date, Usage]]:
        """Who used how much from one day to another, which is included, by account and day in UTC, each in order.

        Days without an end are left out.
        """
        begin, end = ((day - _EPOCH).days // USAGE_DAYS for day in (first, last))
        with ledger_errors():
            names = list(map(str, self._db.client.zrangebyscore(self._db.key("usages"), begin, end)))
        if account is not None:
            names = [name for name in names if name.rpartition("/")[0] == account]
        found: dict[str, dict[date, Usage]] = defaultdict(dict)
        for name, fields in self._usage_hashes(names):
            found[name.rpartition("/")[0]] |= _usage_of(fields, first, last)
        return {name: dict(sorted(days.items())) for name, days in sorted(found.items()) if days}

    def _usage_hashes(self, names: Sequence[str]) -> Iterable[tuple[str, Mapping[str, str]]]:
        """The hashes of these names, some at a time: between two lots the server serves others."""
        for start in range(0, len(names), USAGE_AT_ONCE):
            some = names[start : start + USAGE_AT_ONCE]
            with ledger_errors(), self._db.client.pipeline(transaction=False) as pipeline:
                for name in some:
                    pipeline.hgetall(self._db.key(f"usage:{name}"))
                answers = pipeline.execute()
            yield from zip(some, answers, strict=True)


def _usage_of(fields: Mapping[str, str], first: date, last: date) -> dict[date, Usage]:
    """What a hash says of some days."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for field, count in fields.items():
        day, _, what = field.partition(":")
        counts[int(day)][what] = int(count)
    days = {_EPOCH + timedelta(day): Usage(**found) for day, found in counts.items()}
    return {day: usage for day, usage in days.items() if first <= day <= last}


def _credits_of(fields: Sequence[str | None]) -> tuple[Balance | None, int]:
    """An account's credits if it is metered, and what was booked for it."""
    granted, used, reserved, booked = (None if field is None else int(field) for field in fields)
    balance = None if granted is None else Balance(granted=granted, used=used or 0, reserved=reserved or 0)
    return balance, booked or 0
