"""Tasks in the ledger: accepted, looked at, terminated."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from cutgate.jobs.answers import Created, Kept, Outlook, Progress
from cutgate.jobs.errors import SubmissionRefused, Terminated
from cutgate.jobs.ids import BlobKey, TaskUid, made_at_seconds
from cutgate.jobs.ledger.database import Database, Json
from cutgate.jobs.ledger.encoding import (
    DELIVERIES,
    ITEM_FIELDS,
    REQUEST,
    TASK_FIELDS,
    TRAIL_FIELDS,
    decode_allowance,
    decode_progress,
    decode_spec,
    decode_task,
    decode_trail,
    encode_error,
    encode_rate,
    encode_spec,
    milliseconds,
    refusal_of,
)
from cutgate.jobs.ledger.keys import idempotency_name, item_name
from cutgate.jobs.ledger.uploads import repeats_of, upload_caps
from cutgate.jobs.record import AccountCaps, KnownKey, NewItem, NewTask, RateUse, Repeats, Request, Task
from cutgate.jobs.redis_client import ledger_errors

PACE_SECONDS: Final = 120.0
"""A full queue tells who has to wait how fast it moves; an end of this age counts for 1/e of a fresh one."""
READ_AT_ONCE: Final = 128
"""Tasks that one script reads, less where it has to read their items besides, or memos and items are long: it
takes the server about half a millisecond."""
ENDED_AT_ONCE: Final = 250
PROGRESS_AT_ONCE: Final = 50


class Tasks:
    """What callers do with tasks. Reads hold the server for a millisecond at most at a time."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, task: NewTask) -> Created:
        """Accept a task: record, reservation and queue entries, all or nothing.

        A second call with the same `task.uid` answers as the first.

        Raises:
            SubmissionRefused: a subclass says why; nothing is stored, no idempotency key either.
        """
        arguments: dict[str, Json] = {
            "uid": task.uid,
            "origin": task.origin,
            "memo": task.memo,
            "made_at_ms": milliseconds(made_at_seconds(task.uid)),
            "source_max_age_ms": milliseconds(self._db.limits.source_max_age_seconds),
            "items": [_item(item) for item in task.items],
        }
        if task.request != Request():
            arguments["request"] = REQUEST.encode(task.request)
        if task.deliveries:
            arguments["deliveries"] = DELIVERIES.encode(task.deliveries)
        verdict, *facts = self._db.run(
            "create", **arguments, **self._admission(task.account, task.caps, task.idempotency)
        )
        if verdict not in {"created", "repeated"}:
            raise refusal_of(verdict, facts)
        return Created(uid=TaskUid(facts[0]), repeated=verdict == "repeated")

    def look(
        self,
        account: str,
        *,
        caps: AccountCaps,
        idempotency: Repeats | None = None,
        item_count: int = 0,
        price: int = 0,
        keeps: bool = False,
        upload_bytes: int | None = None,
        use: RateUse | None = None,
        key: KnownKey | None = None,
    ) -> Outlook:
        """What `create` or `Uploads.keep` would answer as things stand, before anything is written. They decide.

        A request's rate is decided here: it counts whatever becomes of the request.

        Args:
            account: who asks.
            caps: the account's.
            idempotency: names the request, where the caller gave it a name, or its content does.
            item_count: how many pictures a task has, if one is to be created.
            price: of all of them, in credits.
            keeps: whether they are only kept.
            upload_bytes: how long a picture is that would be kept.
            use: of the request's rate, unless it was counted before.
            key: of the account, to be confirmed with the use.
        """
        arguments: dict[str, Json] = {"upload_bytes": upload_bytes}
        if item_count:
            arguments["task"] = {"price": price, "item_count": item_count, "keeps": keeps}
        places, verdict, *facts = self._db.run(
            "look", **arguments, **_entry(use, key), **self._admission(account, caps, idempotency)
        )
        match verdict:
            case "admitted" | "too_often" | "changed":
                return _outlook(use, places, verdict)
            case "repeated":
                return _outlook(use, places, verdict, first=TaskUid(facts[0]))
            case _:
                return _outlook(use, places, verdict, refusal=partial(refusal_of, verdict, facts))

    def get(self, uid: TaskUid, account: str) -> Task | None:
        """The task as it stands; None when it does not exist or belongs to another account."""
        [answer] = self._db.run("read", uids=[uid], open_items=True, **self._reading(account))
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

        Returns:
            What is said of the request, and the tasks; none if it is refused.
        """
        some = list(dict.fromkeys(uids))[:READ_AT_ONCE]
        places, verdict, _, answers = self._db.run(
            "poll", uids=list(some), **_entry(use, key), **self._reading(account)
        )
        outlook = _outlook(use, places, verdict)
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
        places, verdict, uid, answers = self._db.run(
            "poll",
            idempotency={"name": idempotency_name(account, name)},
            upload_retention_ms=self._db.upload_retention_ms,
            **_entry(use, key),
            **self._reading(account),
        )
        if uid is None:
            return _outlook(use, places, verdict), None
        return _outlook(use, places, verdict, first=TaskUid(uid)), decode_task(uid, answers[0])

    def ended(self, uids: Sequence[TaskUid], account: str) -> tuple[TaskUid, ...]:
        """Those of the tasks that have ended or are not the account's: far cheaper than to read them."""
        distinct = list(dict.fromkeys(uids))
        some = (distinct[first : first + ENDED_AT_ONCE] for first in range(0, len(distinct), ENDED_AT_ONCE))
        answers = (self._db.run("ended", uids=list(part), account=account) for part in some)
        return tuple(TaskUid(uid) for answer in answers for uid in answer)

    def progress(self, uids: Sequence[TaskUid]) -> dict[TaskUid, Progress]:
        """How far tasks of any account are; those that are not there are left out."""
        left, found = list(dict.fromkeys(uids)), dict[TaskUid, Progress]()
        while left:
            some = left[:PROGRESS_AT_ONCE]
            answers = self._db.run("progress", uids=list(some), **self._reading(None))
            known = {uid: decode_progress(uid, answer) for uid, answer in zip(some, answers, strict=False)}
            found |= {uid: progress for uid, progress in known.items() if progress is not None}
            left = left[len(answers) :]
        return found

    def stored(self, which: str, since_ms: float = 0, *, oldest_first: bool = False) -> Iterator[Task]:
        """Tasks of all accounts as they stand, with their items, for an operator.

        Args:
            which: `open` by when they were made; `ended`, or those of which an item has `failed`, by that time.
            since_ms: the earliest such time.
            oldest_first: in the order of time, not against it.
        """
        client, start = self._db.client, 0
        if which == "open":
            with ledger_errors():
                items = {
                    *client.zrange(self._db.key("queued"), 0, -1),
                    *client.zrange(self._db.key("leases"), 0, -1),
                }
            uids = sorted({TaskUid(str(item).split(":")[0]) for item in items}, reverse=not oldest_first)
            yield from self.find([uid for uid in uids if made_at_seconds(uid) * 1_000 >= since_ms])
            return
        ends: tuple[Any, Any] = (since_ms, "+inf") if oldest_first else ("+inf", since_ms)
        while True:
            with ledger_errors():
                some = client.zrange(
                    self._db.key(which), *ends, desc=not oldest_first, byscore=True, offset=start, num=READ_AT_ONCE
                )
            if not some:
                return
            start += len(some)
            yield from self.find([TaskUid(str(uid)) for uid in some])

    def ended_since(self, since_ms: float) -> int:
        """How many tasks of all accounts have ended since, for an operator."""
        with ledger_errors():
            return int(self._db.client.zcount(self._db.key("ended"), since_ms, "+inf"))

    def find(self, uids: Sequence[TaskUid]) -> Iterator[Task]:
        """Tasks of any account, with their items, for an operator; those that are not there are left out."""
        left = list(uids)
        while left:
            answers = self._db.run("read", uids=list(left[:READ_AT_ONCE]), open_items=True, **self._reading(None))
            found = (decode_task(uid, answer) for uid, answer in zip(left, answers, strict=False))
            yield from (task for task in found if task is not None)
            left = left[len(answers) :]

    def trails(self, task: Task) -> list[dict[str, Any]]:
        """What `decode_trail` says of a task's items, in their order, for an operator."""
        with ledger_errors(), self._db.client.pipeline(transaction=False) as pipeline:
            for item in task.items:
                pipeline.hmget(self._db.key(f"item:{item_name(task.uid, item.index)}"), TRAIL_FIELDS)
            return list(map(decode_trail, pipeline.execute()))

    def retry(self, task: Task, caps: AccountCaps) -> int:
        """Have items of a task wait again that failed through no fault of their pictures, at an operator's word.

        Returns:
            How many: 0 where none may be retried.

        Raises:
            SubmissionRefused: the account's credits do not suffice, or the queue is full; nothing has changed.
        """
        verdict, *facts = self._db.run_once("retry", uid=task.uid, **self._admission(task.account, caps, None))
        if verdict != "retried":
            raise refusal_of(verdict, facts)
        return int(facts[0])

    def kept(self, uid: TaskUid, index: int, account: str) -> Kept | None:
        """What a finished item of the account's left for corrections; None where nothing is kept."""
        answer = self._db.run(
            "kept_item", uid=uid, item=item_name(uid, index), account=account, retention_ms=self._db.retention_ms
        )
        if answer is None:
            return None
        spec, source, mask, background = answer
        return Kept(
            spec=decode_spec(spec),
            source=BlobKey.parse(source),
            mask=BlobKey.parse(mask),
            background=BlobKey.parse(background) if background else None,
        )

    def unfinished(self, account: str) -> tuple[TaskUid, ...]:
        """The account's tasks that have not ended, oldest first."""
        with ledger_errors():
            uids = self._db.client.zrange(self._db.key(f"unfinished:{account}"), 0, -1)
        return tuple(TaskUid(str(uid)) for uid in uids)

    def terminate(self, uid: TaskUid, account: str) -> bool:
        """End every item that has not ended as `Terminated`, releasing its price; running claims lose their token.

        Items that are done stay booked. A task that has ended already stays as it is.

        Returns:
            False when the task does not exist or belongs to another account.
        """
        return self._terminate(uid, account)

    def leave(self, uid: TaskUid, account: str) -> bool:
        """Learn that one of those that joined a task waits for it no more.

        Returns:
            Whether it was the last one, and nothing was begun, so that the task is terminated: always False of a
            task that goes by no `Joining`.
        """
        return self._terminate(uid, account, leaves=True)

    def _terminate(self, uid: TaskUid, account: str, **how: Json) -> bool:
        return bool(
            self._db.run_once(
                "terminate",
                uid=uid,
                account=account,
                error=encode_error(Terminated("the task was terminated").facts()),
                retention_ms=self._db.retention_ms,
                terminated_retention_ms=milliseconds(self._db.limits.terminated_retention_seconds),
                source_ms=self._db.source_ms,
                **how,
            )
        )

    def _admission(self, account: str, caps: AccountCaps, idempotency: Repeats | None) -> dict[str, Json]:
        """What decides whether an account may have something new."""
        limits = self._db.limits
        return {
            "account": account,
            "account_cap": limits.account_queue_cap if caps.queue is None else caps.queue,
            "total_cap": limits.total_queue_cap,
            "pace_ms": milliseconds(PACE_SECONDS),
            **upload_caps(caps, limits),
            **repeats_of(account, idempotency, self._db),
        }

    def _in_order(
        self, uids: Sequence[TaskUid], found: dict[TaskUid, Task | None], account: str
    ) -> tuple[Task | None, ...]:
        """The tasks in the order of the ids; those that are not found yet are read."""
        left = [uid for uid in dict.fromkeys(uids) if uid not in found]
        while left:
            some = left[:READ_AT_ONCE]
            answers = self._db.run("read", uids=list(some), **self._reading(account))
            found |= {uid: decode_task(uid, answer) for uid, answer in zip(some, answers, strict=False)}
            left = left[len(answers) :]
        return tuple(found[uid] for uid in uids)

    def _reading(self, account: str | None) -> dict[str, Json]:
        """What the scripts that read tasks take."""
        return {
            "account": account,
            "retention_ms": self._db.retention_ms,
            "task_fields": list(TASK_FIELDS),
            "item_fields": list(ITEM_FIELDS),
            "read_at_most": READ_AT_ONCE,
        }


def _item(item: NewItem) -> dict[str, Json]:
    """A new item as CREATE takes it."""
    fields: dict[str, Json] = {
        "lane": item.lane,
        "spec": encode_spec(item.spec),
        "source": str(item.source),
        "price": item.price,
        "urgent": item.urgent or None,
        "url": item.source_url,
        "keep": item.keep,
        "rate": None if item.rate is None else encode_rate(item.rate),
        "background": None if item.background is None else str(item.background),
        "mask": None if item.mask is None else str(item.mask),
        "background_url": item.background_url,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _entry(use: RateUse | None, key: KnownKey | None) -> dict[str, Json]:
    """A request as the scripts count it; nothing of one that was counted before."""
    if use is None:
        return {}
    known = {} if key is None else {"key": key.name, "version": key.version}
    return {"entry": {"rate": encode_rate(use), **known}}


def _outlook(
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
