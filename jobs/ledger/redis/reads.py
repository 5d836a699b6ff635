"""What is asked of the ledger's tasks. The keys are listed in `cutgate.jobs.ledger.keys`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.answers import Outlook
from cutgate.jobs.ledger.encoding import ITEM_FIELDS, TASK_FIELDS, decode_allowance, decode_task, encode_rate
from cutgate.jobs.ledger.keys import idempotency_name
from cutgate.jobs.ledger.redis.client import Json, ledger_errors
from cutgate.jobs.ledger.redis.upkeep import RedisUpkeep
from cutgate.jobs.record import KnownKey, RateUse, Task

READ_AT_ONCE: Final = 128
"""Tasks that one script reads, less where it has to read their items besides, or memos and items are long: it
takes the server about half a millisecond."""
ENDED_AT_ONCE: Final = 250


class RedisReads(RedisUpkeep):
    """The part of the Redis ledger that shows tasks, and holds the server for a millisecond at most at a time."""

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
        outlook = outlook_of(use, places, verdict)
        if uid is None:
            return outlook, None
        return replace(outlook, first=TaskUid(uid)), decode_task(uid, answers[0])

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


def entry_of(use: RateUse | None, key: KnownKey | None) -> dict[str, Json]:
    """A request as the scripts count it; nothing of one that was counted before."""
    if use is None:
        return {}
    known = {} if key is None else {"key": key.public_key, "version": key.version}
    return {"entry": {"rate": encode_rate(use), **known}}


def outlook_of(use: RateUse | None, places: Sequence[int] | None, verdict: str) -> Outlook:
    """What the scripts say of a request as such."""
    allowance = None if use is None or places is None else decode_allowance(use, places)
    return Outlook(allowance=allowance, key_changed=verdict == "changed")
