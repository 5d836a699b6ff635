"""The ledger in Redis or Valkey. `cutgate.jobs.ledger.keys` lists the keys."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from redis.exceptions import NoPermissionError

from cutgate.jobs.errors import DecodingStopped, LedgerFull, LedgerUnavailable, Terminated, TimedOut
from cutgate.jobs.ids import BlobKey, TaskUid, made_at_seconds
from cutgate.jobs.ledger.answers import Allowance, Balance, Created, LaneFigures, LedgerFigures, Memory, Outlook
from cutgate.jobs.ledger.encoding import (
    decode_allowance,
    decode_request,
    decode_spec,
    encode_deliveries,
    encode_error,
    encode_rate,
    encode_request,
    encode_result,
    encode_spec,
    milliseconds,
)
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.redis.client import Json, ledger_errors
from cutgate.jobs.ledger.redis.errands import RedisErrands
from cutgate.jobs.ledger.redis.reads import RedisReads, entry_of, outlook_of
from cutgate.jobs.ledger.redis.uploads import RedisUploads, upload_caps
from cutgate.jobs.ledger.refusals import refusal_of
from cutgate.jobs.record import (
    AccountCaps,
    Claim,
    ErrorFacts,
    ItemState,
    KnownKey,
    NewItem,
    NewTask,
    RateUse,
    Repeats,
    Result,
)
from cutgate.jobs.spec import Lane

ROOM_SECONDS: Final = 1.0
"""How long what the server said of its memory counts."""
HARMFUL: Final = frozenset({TimedOut.kind, DecodingStopped.kind})
"""Kinds of errors with which an item has cost its worker more than its size is worth."""
PACE_SECONDS: Final = 120.0
"""An end of this age counts for 1/e of a fresh one in the pace that a full queue tells who has to wait."""


class RedisLedger(RedisErrands, RedisUploads, RedisReads):
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
        arguments: dict[str, Json] = {
            "uid": task.uid,
            "origin": task.origin,
            "memo": task.memo,
            "made_at_ms": milliseconds(made_at_seconds(task.uid)),
            "source_max_age_ms": milliseconds(self._limits.source_max_age_seconds),
            "items": [_item(item) for item in task.items],
        }
        if request := encode_request(task.request):
            arguments["request"] = request
        if task.deliveries:
            arguments["deliveries"] = encode_deliveries(task.deliveries)
        verdict, *facts = self._scripts.run(
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
        """What `create` or `keep_upload` would answer as things stand, before anything is written. They decide.

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
        places, verdict, *facts = self._scripts.run(
            "look", **arguments, **entry_of(use, key), **self._admission(account, caps, idempotency)
        )
        match verdict:
            case "admitted" | "too_often" | "changed":
                return outlook_of(use, places, verdict)
            case "repeated":
                return outlook_of(use, places, verdict, first=TaskUid(facts[0]))
            case _:
                return outlook_of(use, places, verdict, refusal=partial(refusal_of, verdict, facts))

    def take(self, use: RateUse) -> Allowance:
        """Count a use of a rate, if there is room for it."""
        return decode_allowance(use, self._scripts.run("take", rate=encode_rate(use)))

    def _admission(self, account: str, caps: AccountCaps, idempotency: Repeats | None) -> dict[str, Json]:
        """What decides whether an account may have something new."""
        limits = self._limits
        return {
            "account": account,
            "account_cap": limits.account_queue_cap if caps.queue is None else caps.queue,
            "total_cap": limits.total_queue_cap,
            "pace_ms": milliseconds(PACE_SECONDS),
            **upload_caps(caps, limits),
            **self._repeats(account, idempotency),
        }

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
        name, account, spec, source, attempt, left_ms, waited_ms, background, request = answer
        uid, index = name.split(":")
        return Claim(
            token=token,
            owner=owner,
            task=TaskUid(uid),
            index=int(index),
            account=account,
            spec=decode_spec(spec),
            source=BlobKey.parse(source),
            background=None if background is None else BlobKey.parse(background),
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
            self._run_once(
                "terminate",
                uid=uid,
                account=account,
                error=encode_error(Terminated("the task was terminated").facts()),
                retention_ms=self._retention_ms,
                terminated_retention_ms=milliseconds(self._limits.terminated_retention_seconds),
                source_ms=self._source_ms,
                **how,
            )
        )

    def grant(self, account: str, credit_count: int) -> Balance:
        """Add credits to an account. An account that was never granted any is not metered."""
        granted, used, reserved = self._run_once("grant", account=account, credit_count=credit_count)
        return Balance(granted=granted, used=used, reserved=reserved)

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        with ledger_errors():
            return self._client.zcard(f"{self._prefix}lane:{lane}")

    def figures(self) -> LedgerFigures:
        """Count what waits, runs and is booked, looking at one item of each account that waits."""
        running, booked, done, lanes = self._scripts.run("figures")
        return LedgerFigures(
            lanes=tuple(
                LaneFigures(lane=Lane(lane), waiting=waiting, oldest_seconds=age_ms / 1_000)
                for lane, waiting, age_ms in lanes
            ),
            running=running,
            booked=booked,
            done=done,
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
    if item.urgent:
        fields["urgent"] = True
    if item.source_url is not None:
        fields |= {"url": item.source_url, "keep": item.keep}
    if item.background is not None:
        fields["background"] = str(item.background)
    if item.background_url is not None:
        fields["background_url"] = item.background_url
    return fields
