"""The ledger in Redis or Valkey. The keys are listed in `cutgate.jobs.ledger.keys`."""

import time
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import NoPermissionError

from cutgate.jobs.errors import (
    DecodingStopped,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerFull,
    LedgerUnavailable,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
    Terminated,
    TimedOut,
)
from cutgate.jobs.ids import BlobKey, TaskUid, made_at_seconds
from cutgate.jobs.ledger.answers import Balance, Created, LaneFigures, LedgerFigures, Memory
from cutgate.jobs.ledger.encoding import (
    ITEM_FIELDS,
    TASK_FIELDS,
    decode_request,
    decode_spec,
    decode_task,
    encode_deliveries,
    encode_error,
    encode_request,
    encode_result,
    encode_spec,
    milliseconds,
)
from cutgate.jobs.ledger.keys import idempotency_name, item_name, short_digest
from cutgate.jobs.ledger.redis.client import Json, ledger_errors
from cutgate.jobs.ledger.redis.errands import RedisErrands
from cutgate.jobs.ledger.redis.upkeep import SOURCE_TOO_OLD
from cutgate.jobs.ledger.redis.uploads import RedisUploads
from cutgate.jobs.record import Claim, ErrorFacts, Idempotency, ItemState, NewItem, NewTask, Result, Task
from cutgate.jobs.spec import Lane

ROOM_SECONDS: Final = 1.0
"""How long what the server said of its memory counts."""
READ_AT_ONCE: Final = 8
"""Tasks that one script reads: 16 pictures in each take the server about a millisecond."""
ENDED_AT_ONCE: Final = 250
HARMFUL: Final = frozenset({TimedOut.kind, DecodingStopped.kind})
"""Kinds of errors with which an item has cost its worker more than its size is worth."""
PACE_SECONDS: Final = 120.0
"""An end of this age counts for 1/e of a fresh one in the pace that a full queue tells who has to wait."""


class RedisLedger(RedisErrands, RedisUploads):
    """The ledger: the one truth about tasks, items and claims.

    Every move is one Lua script, atomic, on the server's clock, and may run twice: a client that lost the reply
    sends the call again and gets the first answer. Every method raises `LedgerUnavailable` when the server does
    not answer in time.
    """

    _room_checked_at_seconds = -ROOM_SECONDS
    _is_short = False

    def create(self, task: NewTask) -> Created:
        """Accept a task: record, reservation and queue entries, all or nothing.

        A second call with the same `task.uid` answers as the first.

        Raises:
            SubmissionRefused: a subclass says why; nothing is stored, no idempotency key either.
        """
        limits = self._limits
        arguments: dict[str, Json] = {
            "uid": task.uid,
            "account": task.account,
            "origin": task.origin,
            "memo": task.memo,
            "made_at_ms": milliseconds(made_at_seconds(task.uid)),
            "account_cap": limits.account_queue_cap if task.account_cap is None else task.account_cap,
            "total_cap": limits.total_queue_cap,
            "source_max_age_ms": milliseconds(limits.source_max_age_seconds),
            "retention_ms": self._retention_ms,
            "pace_ms": milliseconds(PACE_SECONDS),
            "items": [_item(item) for item in task.items],
        }
        if request := encode_request(task.request):
            arguments["request"] = request
        if task.deliveries:
            arguments["deliveries"] = encode_deliveries(task.deliveries)
        if task.idempotency is not None:
            arguments["idempotency"] = _idempotency(task.account, task.idempotency) | {
                "lifetime_ms": milliseconds(limits.idempotency_seconds)
            }
        verdict, *facts = self._scripts.run("create", **arguments)
        if verdict not in {"created", "repeated"}:
            raise _refusal(verdict, facts)
        return Created(uid=TaskUid(facts[0]), repeated=verdict == "repeated")

    def claim(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None:
        """Take the next item of one of the lanes, in turn between the accounts that wait there.

        A second call with the same token answers with the same item while the claim holds.

        Args:
            lanes: where to look, in order of preference.
            owner: the worker process.
            token: fresh for this claim, from `cutgate.jobs.ids.new_token`.

        Returns:
            The claim, or None when nothing waits.
        """
        answer = self._scripts.run(
            "claim",
            lanes=list(lanes),
            owner=owner,
            token=token,
            lease_ms=milliseconds(self._limits.lease_seconds),
            job_timeout_ms=milliseconds(self._limits.job_timeout_seconds),
            **self._strikes(),
        )
        if answer is None:
            return None
        name, account, spec, source, attempt, left_ms, waited_ms, request = answer
        uid, index = name.split(":")
        return Claim(
            token=token,
            owner=owner,
            task=TaskUid(uid),
            index=int(index),
            account=account,
            spec=decode_spec(spec),
            source=BlobKey.parse(source),
            attempt=attempt,
            deadline_in_seconds=left_ms / 1000,
            waited_seconds=waited_ms / 1000,
            request=decode_request(request),
        )

    def renew(self, claim: Claim) -> bool:
        """Prolong the lease, never past the hard deadline; False when the item is no longer the claim's."""
        lease_ms = milliseconds(self._limits.lease_seconds)
        return self._holds("renew", claim, lease_ms=lease_ms)

    def finish(self, claim: Claim, result: Result) -> bool:
        """End the item as done and book its price; False, and no effect, when the claim no longer holds."""
        return self._end(claim, ItemState.DONE, "result", encode_result(result))

    def fail(self, claim: Claim, error: ErrorFacts) -> bool:
        """End the item as failed and release its price; False, and no effect, when the claim no longer holds.

        An error of `HARMFUL` counts against the account, and may be charged.
        """
        return self._end(claim, ItemState.FAILED, "error", encode_error(error), harmful=error.kind in HARMFUL)

    def give_back(self, claim: Claim, fault: ErrorFacts | None = None) -> bool:
        """Put the item back: to its old place, uncounted, because its worker stops in order.

        Args:
            claim: on the item.
            fault: what went wrong without being the picture's fault. The attempt counts then, the item goes behind
                all others, and when its attempts are used up it fails with this.

        Returns:
            False, and no effect, when the claim no longer holds.
        """
        return self._holds(
            "give_back",
            claim,
            fault=None if fault is None else encode_error(fault),
            max_attempts=self._limits.max_attempts,
            source_ms=self._source_ms,
        )

    def give_back_owned(self, owner: str, *, died: bool) -> int:
        """Take everything from a worker that has gone, put it back to its old place, and say how much it was.

        What the worker held on to until the hard deadline fails as `TimedOut`: it hung, and would hang again.

        Args:
            owner: the worker process.
            died: whether the attempts count: an item whose workers died `max_attempts` times fails as
                `WorkerLost`. Without it a picture that kills its worker would go round for ever.
        """
        count: int = self._run_once("give_back_owned", owner=owner, died=died, **self._endings())
        return count

    def get(self, uid: TaskUid, account: str) -> Task | None:
        """The task as it stands; None when it does not exist or belongs to another account."""
        return self.get_many([uid], account)[0]

    def get_many(self, uids: Sequence[TaskUid], account: str) -> tuple[Task | None, ...]:
        """As `get`, for each of the ids in their order, some at a time so that no other call waits for long."""
        distinct = list(dict.fromkeys(uids))
        found: dict[TaskUid, Task | None] = {}
        for first in range(0, len(distinct), READ_AT_ONCE):
            some = distinct[first : first + READ_AT_ONCE]
            answers = self._scripts.run(
                "read",
                uids=list(some),
                account=account,
                retention_ms=self._retention_ms,
                task_fields=list(TASK_FIELDS),
                item_fields=list(ITEM_FIELDS),
            )
            found |= {uid: decode_task(uid, answer) for uid, answer in zip(some, answers, strict=True)}
        return tuple(found[uid] for uid in uids)

    def ended(self, uids: Sequence[TaskUid], account: str) -> tuple[TaskUid, ...]:
        """Those of the tasks that have ended or are not the account's: far cheaper than to read them."""
        distinct = list(dict.fromkeys(uids))
        some = (distinct[first : first + ENDED_AT_ONCE] for first in range(0, len(distinct), ENDED_AT_ONCE))
        answers = (self._scripts.run("ended", uids=list(part), account=account) for part in some)
        return tuple(TaskUid(uid) for answer in answers for uid in answer)

    def recall(self, account: str, idempotency: Idempotency) -> TaskUid | None:
        """The task that an idempotency key stands for, before anything is written for a repeat; None when none.

        Raises:
            IdempotencyConflict: the key was used before with other content.
        """
        return self._recall(_idempotency(account, idempotency))

    def named(self, account: str, key: str) -> TaskUid | None:
        """The task that an idempotency key stands for, whatever its content; None when none can be seen."""
        return self._recall({"name": idempotency_name(account, key)})

    def _recall(self, idempotency: dict[str, Json]) -> TaskUid | None:
        verdict, *facts = self._scripts.run("recall", idempotency=idempotency, retention_ms=self._retention_ms)
        match verdict:
            case "known":
                return TaskUid(facts[0])
            case "none":
                return None
            case _:
                raise _refusal(verdict, facts)

    def unfinished(self, account: str) -> tuple[TaskUid, ...]:
        """The account's tasks that have not ended, oldest first."""
        with ledger_errors():
            uids = self._client.zrange(f"{self._prefix}unfinished:{account}", 0, -1)
        return tuple(TaskUid(str(uid)) for uid in uids)

    def terminate(self, uid: TaskUid, account: str) -> bool:
        """End every item that has not ended as `Terminated`, releasing its price; running claims lose their token.

        Items that are done stay booked. A task that has ended already stays as it is.

        Returns:
            False when the task does not exist or belongs to another account.
        """
        error = encode_error(Terminated("the task was terminated").facts())
        return bool(
            self._run_once(
                "terminate",
                uid=uid,
                account=account,
                error=error,
                retention_ms=self._retention_ms,
                source_ms=self._source_ms,
            )
        )

    def grant(self, account: str, credit_count: int) -> Balance:
        """Add credits to an account. An account that was never granted any is not metered."""
        granted, used, reserved = self._run_once("grant", account=account, credit_count=credit_count)
        return Balance(granted=granted, used=used, reserved=reserved)

    def balance(self, account: str) -> Balance | None:
        """The account's credits; None when it is not metered."""
        with ledger_errors():
            granted, used, reserved = self._client.hmget(
                f"{self._prefix}account:{account}", ["granted", "used", "reserved"]
            )
        if granted is None:
            return None
        return Balance(granted=int(granted), used=int(used or 0), reserved=int(reserved or 0))

    def booked(self, account: str) -> int:
        """The price of everything that was ever done for an account, metered or not."""
        with ledger_errors():
            return int(self._client.hget(f"{self._prefix}account:{account}", "booked") or 0)

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        with ledger_errors():
            return self._client.zcard(f"{self._prefix}lane:{lane}")

    def figures(self) -> LedgerFigures:
        """Count what waits, runs and is booked, looking at one item of each account that waits."""
        running, booked, lanes = self._scripts.run("figures")
        return LedgerFigures(
            lanes=tuple(
                LaneFigures(lane=Lane(lane), waiting=waiting, oldest_seconds=age_ms / 1_000)
                for lane, waiting, age_ms in lanes
            ),
            running=running,
            booked=booked,
        )

    def clock_offset_seconds(self) -> float:
        """How far the server's clock is ahead of this machine's."""
        with ledger_errors():
            seconds, microseconds = self._client.time()
        return float(seconds + microseconds / 1_000_000 - time.time())

    def memory(self) -> Memory:
        """What the server holds in memory, and how much it may."""
        with ledger_errors():
            said = self._client.info("memory")
        return Memory(used_bytes=said["used_memory"], limit_bytes=said.get("maxmemory", 0))

    def require_room(self) -> None:
        """Make sure that the server has memory for something new, by what it said within the last second.

        Raises:
            LedgerFull: it has not.
        """
        now_seconds = time.monotonic()
        if now_seconds >= self._room_checked_at_seconds + ROOM_SECONDS:
            self._is_short, self._room_checked_at_seconds = self._is_memory_short(), now_seconds
        if self._is_short:
            raise LedgerFull("the ledger's server is almost full")

    def _is_memory_short(self) -> bool:
        try:
            return self.memory().is_short
        except LedgerUnavailable as error:
            if isinstance(error.__cause__, NoPermissionError):
                return False  # a server that does not say; it refuses by itself once it is full
            raise

    def ping(self) -> None:
        """Raise `LedgerUnavailable` unless the server answers."""
        with ledger_errors():
            self._client.ping()

    def _end(self, claim: Claim, state: ItemState, outcome: str, text: str, *, harmful: bool = False) -> bool:
        return self._holds(
            "end",
            claim,
            state=state,
            outcome=outcome,
            text=text,
            pace_ms=milliseconds(PACE_SECONDS),
            source_ms=self._source_ms,
            harmful=harmful or None,
            charge_strikes=self._limits.charge_strikes,
            **self._strikes(),
        )

    def _holds(self, script: str, claim: Claim, **arguments: Json) -> bool:
        """Run a script that needs a live claim; False when it refuses."""
        name = item_name(claim.task, claim.index)
        return bool(self._scripts.run(script, item=name, token=claim.token, **arguments))


def _item(item: NewItem) -> dict[str, Json]:
    """A new item as CREATE takes it."""
    fields: dict[str, Json] = {
        "lane": item.lane,
        "spec": encode_spec(item.spec),
        "source": str(item.source),
        "price": item.price,
    }
    return fields if item.source_url is None else fields | {"url": item.source_url, "keep": item.keep}


def _idempotency(account: str, idempotency: Idempotency) -> dict[str, Json]:
    """An idempotency key as the scripts take it."""
    name = idempotency_name(account, idempotency.key)
    return {"name": name, "content_digest": short_digest(idempotency.content_digest)}


def _refusal(verdict: str, facts: Sequence[Any]) -> SubmissionRefused:
    """The error for a refusal of CREATE."""
    match (verdict, *facts):
        case ("credits", available, price):
            return InsufficientCredits(available, price)
        case ("full", scope, open_count, cap, over, ends_per_second):
            return QueueFull(scope, open_count, cap, over=over, ends_per_second=float(ends_per_second))
        case ("expired",):
            return SourceExpired(SOURCE_TOO_OLD)
        case ("conflict",):
            return IdempotencyConflict("the idempotency key was used before with other content")
        case _:
            raise ValueError(f"CREATE answered {verdict!r}")
