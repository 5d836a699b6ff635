"""Reads of tasks, accounts and usage. `cutgate.jobs.ledger.keys` lists the keys."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from cutgate.jobs.errors import SubmissionRefused
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.answers import Balance, Outlook, Usage
from cutgate.jobs.ledger.encoding import ITEM_FIELDS, TASK_FIELDS, decode_allowance, decode_task, encode_rate
from cutgate.jobs.ledger.keys import USAGE_DAYS, idempotency_name
from cutgate.jobs.ledger.redis.client import Json, ledger_errors
from cutgate.jobs.ledger.redis.upkeep import RedisUpkeep
from cutgate.jobs.record import KnownKey, RateUse, Task

READ_AT_ONCE: Final = 128
"""Tasks that one script reads, less where it has to read their items besides, or memos and items are long: it
takes the server about half a millisecond."""
ENDED_AT_ONCE: Final = 250
USAGE_AT_ONCE: Final = 250
"""Accounts that one round trip asks about: their hashes of usage are some 300 KB."""
_EPOCH: Final = date(1970, 1, 1)


class RedisReads(RedisUpkeep):
    """The part of the Redis ledger that only shows, and holds the server for a millisecond at most at a time."""

    def get(self, uid: TaskUid, account: str) -> Task | None:
        """The task as it stands; None when it does not exist or belongs to another account."""
        [answer] = self._scripts.run("read", uids=[uid], open_items=True, **self._reading(account))
        return decode_task(uid, answer)

    def get_many(self, uids: Sequence[TaskUid], account: str) -> tuple[Task | None, ...]:
        """As `get`, for each of the ids in their order, but of tasks that have not ended without their items.

        A call reads so many that no other has to wait for long.
        """
        return self._in_order(uids, {}, account)

    def poll(
        self,
        uids: Sequence[TaskUid],
        account: str,
        *,
        use: RateUse | None = None,
        key: KnownKey | None = None,
    ) -> tuple[Outlook, tuple[Task | None, ...]]:
        """As `get_many`, for a request that is counted in the same step.

        Args:
            uids: of the tasks.
            account: who asks.
            use: of the request's rate, unless it was counted before.
            key: of the account, to be confirmed with the use.

        Returns:
            What is said of the request, and the tasks; none if it is refused.
        """
        some = list(dict.fromkeys(uids))[:READ_AT_ONCE]
        places, verdict, _, answers = self._scripts.run(
            "poll", uids=list(some), **entry_of(use, key), **self._reading(account)
        )
        outlook = outlook_of(use, places, verdict)
        if verdict != "admitted":
            return outlook, ()
        found = {uid: decode_task(uid, answer) for uid, answer in zip(some, answers, strict=False)}
        return outlook, self._in_order(uids, found, account)

    def poll_named(
        self, name: str, account: str, *, use: RateUse | None = None, key: KnownKey | None = None
    ) -> tuple[Outlook, Task | None]:
        """As `poll`, for the task that an idempotency key stands for, whatever its content.

        Returns:
            What is said of the request, with the task or upload that the key stands for as its `first`; and the
            task.
        """
        places, verdict, uid, answers = self._scripts.run(
            "poll",
            idempotency={"name": idempotency_name(account, name)},
            upload_retention_ms=self._upload_retention_ms,
            **entry_of(use, key),
            **self._reading(account),
        )
        if uid is None:
            return outlook_of(use, places, verdict), None
        return outlook_of(use, places, verdict, first=TaskUid(uid)), decode_task(uid, answers[0])

    def _in_order(
        self, uids: Sequence[TaskUid], found: dict[TaskUid, Task | None], account: str
    ) -> tuple[Task | None, ...]:
        """The tasks in the order of the ids; those that are not found yet are read."""
        left = [uid for uid in dict.fromkeys(uids) if uid not in found]
        while left:
            some = left[:READ_AT_ONCE]
            answers = self._scripts.run("read", uids=list(some), **self._reading(account))
            found |= {uid: decode_task(uid, answer) for uid, answer in zip(some, answers, strict=False)}
            left = left[len(answers) :]
        return tuple(found[uid] for uid in uids)

    def _reading(self, account: str) -> dict[str, Json]:
        """What the scripts that read tasks take."""
        return {
            "account": account,
            "retention_ms": self._retention_ms,
            "task_fields": list(TASK_FIELDS),
            "item_fields": list(ITEM_FIELDS),
            "read_at_most": READ_AT_ONCE,
        }

    def ended(self, uids: Sequence[TaskUid], account: str) -> tuple[TaskUid, ...]:
        """Those of the tasks that have ended or are not the account's: far cheaper than to read them."""
        distinct = list(dict.fromkeys(uids))
        some = (distinct[first : first + ENDED_AT_ONCE] for first in range(0, len(distinct), ENDED_AT_ONCE))
        answers = (self._scripts.run("ended", uids=list(part), account=account) for part in some)
        return tuple(TaskUid(uid) for answer in answers for uid in answer)

    def unfinished(self, account: str) -> tuple[TaskUid, ...]:
        """The account's tasks that have not ended, oldest first."""
        with ledger_errors():
            uids = self._client.zrange(f"{self._prefix}unfinished:{account}", 0, -1)
        return tuple(TaskUid(str(uid)) for uid in uids)

    def balance(self, account: str) -> Balance | None:
        """The account's credits; None when it is not metered."""
        [(balance, _)] = self.accounts_credits([account])
        return balance

    def booked(self, account: str) -> int:
        """The price of everything that was ever done for an account, metered or not."""
        [(_, booked)] = self.accounts_credits([account])
        return booked

    def accounts_credits(self, accounts: Sequence[str]) -> list[tuple[Balance | None, int]]:
        """Of each account what `balance` and `booked` say."""
        with ledger_errors(), self._client.pipeline(transaction=False) as pipeline:
            for account in accounts:
                pipeline.hmget(f"{self._prefix}account:{account}", ["granted", "used", "reserved", "booked"])
            return [_credits_of(fields) for fields in pipeline.execute()]

    def usage(self, first: date, last: date, account: str | None = None) -> dict[str, dict[date, Usage]]:
        """Who used how much, by account and day in UTC, each in order. Days without an end are left out.

        Args:
            first: day.
            last: day, which is included.
            account: whose; everybody's when absent.
        """
        begin, end = ((day - _EPOCH).days // USAGE_DAYS for day in (first, last))
        with ledger_errors():
            names = list(map(str, self._client.zrangebyscore(f"{self._prefix}usages", begin, end)))
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
            with ledger_errors(), self._client.pipeline(transaction=False) as pipeline:
                for name in some:
                    pipeline.hgetall(f"{self._prefix}usage:{name}")
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


def entry_of(use: RateUse | None, key: KnownKey | None) -> dict[str, Json]:
    """A request as the scripts count it; nothing of one that was counted before."""
    if use is None:
        return {}
    known = {} if key is None else {"key": key.name, "version": key.version}
    return {"entry": {"rate": encode_rate(use), **known}}


def outlook_of(
    use: RateUse | None,
    places: Sequence[int] | None,
    verdict: str,
    *,
    first: TaskUid | None = None,
    refusal: Callable[[], SubmissionRefused] | None = None,
) -> Outlook:
    """What the scripts say of a request, and of what it would have."""
    allowance = None if use is None or places is None else decode_allowance(use, places)
    return Outlook(allowance=allowance, key_changed=verdict == "changed", first=first, refusal=refusal)
