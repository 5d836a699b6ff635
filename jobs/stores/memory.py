"""The ledger in this process's memory, for tests of what stands on it.

It passes the behaviour suite that the Redis store passes, and keeps records as encoded bytes as that one does:
what cannot be stored there cannot be stored here.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from jobs.errors import IdempotencyConflict, InsufficientCredits, QueueFull, SourceExpired
from jobs.ids import BlobKey, TaskUid, made_at_seconds
from jobs.record import Claim, ErrorFacts, ItemState, NewTask, Result, Task
from jobs.spec import Lane
from jobs.store import Balance, Created, LedgerLimits, LedgerStore
from jobs.stores.codec import (
    decode_spec,
    decode_task,
    encode_error,
    encode_result,
    encode_spec,
    milliseconds,
)
from jobs.stores.keys import idempotency_name, item_name
from jobs.stores.memory_records import Records


class MemoryLedger(LedgerStore):
    """The ledger in memory; one lock makes each move one step."""

    def __init__(self, limits: LedgerLimits, clock: Callable[[], float] = time.time) -> None:
        """Start empty.

        Args:
            limits: what the moves keep to.
            clock: the ledger's clock, Unix time in seconds; `jobs.testing.ManualClock` in tests.
        """
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._tasks = Records()
        self._items = Records()
        self._accounts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._idempotency: dict[str, tuple[TaskUid, str, int]] = {}
        self._claims: dict[str, str] = {}
        # Per lane the accounts in the order of their turn, and for each its items in the order of acceptance.
        self._lines: defaultdict[Lane, dict[str, list[str]]] = defaultdict(dict)
        self._accepted = 0

    @override
    def create(self, task: NewTask) -> Created:
        with self._lock:
            if task.uid in self._tasks:
                return Created(uid=task.uid, repeated=False)
            first = self._first_of(task)
            if first is not None:
                return Created(uid=first, repeated=True)
            self._check(task)
            self._store(task)
            return Created(uid=task.uid, repeated=False)

    def _first_of(self, task: NewTask) -> TaskUid | None:
        """The task that used this one's idempotency key before."""
        if task.idempotency is None:
            return None
        name = idempotency_name(task.account, task.idempotency.key)
        if name not in self._idempotency:
            return None
        uid, content_digest, until_ms = self._idempotency[name]
        if until_ms <= self._now_ms():
            return None
        if content_digest != task.idempotency.content_digest:
            raise IdempotencyConflict("the idempotency key was used before with other content")
        return uid

    def _check(self, task: NewTask) -> None:
        """Raise unless the task can be accepted."""
        limits, available = self._limits, self._credits(task.account).available
        price = sum(item.price for item in task.items)
        if self._metered(task.account) and price > available:
            raise InsufficientCredits(available, price)
        account_open = self._accounts[task.account]["open"]
        account_cap = limits.account_queue_cap if task.account_cap is None else task.account_cap
        if account_open + len(task.items) > account_cap:
            raise QueueFull("account", account_open, account_cap)
        total_open = sum(account["open"] for account in self._accounts.values())
        if total_open + len(task.items) > limits.total_queue_cap:
            raise QueueFull("service", total_open, limits.total_queue_cap)
        age_ms = self._now_ms() - milliseconds(made_at_seconds(task.uid))
        if age_ms > milliseconds(limits.source_max_age_seconds):
            raise SourceExpired("the pictures were uploaded too long ago; send them again")

    def _store(self, task: NewTask) -> None:
        now_ms, account = self._now_ms(), self._accounts[task.account]
        for index, item in enumerate(task.items):
            name = item_name(task.uid, index)
            reserved = item.price if self._metered(task.account) else 0
            self._accepted += 1
            self._items.update(
                name,
                state=ItemState.QUEUED,
                account=task.account,
                lane=item.lane,
                spec=encode_spec(item.spec),
                source=str(item.source),
                price=item.price,
                reserved=reserved,
                number=self._accepted,
                attempts=0,
                queued_at_ms=now_ms,
                hinted_at_ms=now_ms,
            )
            self._lines[item.lane].setdefault(task.account, []).append(name)
            account["reserved"] += reserved
        account["open"] += len(task.items)
        self._tasks.update(
            task.uid,
            account=task.account,
            origin=task.origin,
            created_at_ms=now_ms,
            item_count=len(task.items),
            open_count=len(task.items),
            done_count=0,
            started=0,
        )
        if task.idempotency is not None:
            until_ms = now_ms + milliseconds(self._limits.idempotency_seconds)
            name = idempotency_name(task.account, task.idempotency.key)
            self._idempotency[name] = (task.uid, task.idempotency.content_digest, until_ms)

    @override
    def claim(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None:
        with self._lock:
            if token not in self._claims:
                name = self._next_item(lanes)
                if name is None:
                    return None
                self._hold(name, owner, token)
            return self._claim_of(token)

    def _next_item(self, lanes: Sequence[Lane]) -> str | None:
        """Take the next item from its queue, and send its account to the end of the line."""
        for lane in lanes:
            line = self._lines[lane]
            if line:
                account = next(iter(line))
                first, *others = line.pop(account)
                if others:
                    line[account] = others
                return first
        return None

    def _hold(self, name: str, owner: str, token: str) -> None:
        now_ms = self._now_ms()
        hard_deadline_ms = now_ms + milliseconds(self._limits.job_timeout_seconds)
        self._items.update(
            name,
            state=ItemState.RUNNING,
            token=token,
            owner=owner,
            claimed_at_ms=now_ms,
            hard_deadline_ms=hard_deadline_ms,
        )
        self._items.add(name, "attempts", 1)
        self._extend_lease(name, hard_deadline_ms)
        self._tasks.update(name.split(":")[0], started=1)
        self._claims[token] = name

    def _claim_of(self, token: str) -> Claim:
        name = self._claims[token]
        fields, (uid, index) = self._items.read(name), name.split(":")
        return Claim(
            token=token,
            owner=fields["owner"],
            task=TaskUid(uid),
            index=int(index),
            spec=decode_spec(fields["spec"]),
            source=BlobKey.parse(fields["source"]),
            attempt=int(fields["attempts"]),
            deadline_in_seconds=(int(fields["hard_deadline_ms"]) - self._now_ms()) / 1000,
        )

    def _extend_lease(self, name: str, hard_deadline_ms: int) -> None:
        lease_until_ms = self._now_ms() + milliseconds(self._limits.lease_seconds)
        self._items.update(name, lease_until_ms=min(lease_until_ms, hard_deadline_ms))

    @override
    def renew(self, claim: Claim) -> bool:
        with self._lock:
            name = item_name(claim.task, claim.index)
            if self._claims.get(claim.token) != name:
                return False
            hard_deadline_ms = int(self._items.read(name)["hard_deadline_ms"])
            if self._now_ms() >= hard_deadline_ms:
                return False
            self._extend_lease(name, hard_deadline_ms)
            return True

    @override
    def finish(self, claim: Claim, result: Result) -> bool:
        return self._end(claim, ItemState.DONE, {"result": encode_result(result)})

    @override
    def fail(self, claim: Claim, error: ErrorFacts) -> bool:
        return self._end(claim, ItemState.FAILED, {"error": encode_error(error)})

    def _end(self, claim: Claim, state: ItemState, outcome: Mapping[str, str]) -> bool:
        with self._lock:
            name, now_ms = item_name(claim.task, claim.index), self._now_ms()
            fields = self._items.read(name)
            if fields.get("token") != claim.token:
                return False
            if fields["state"] != ItemState.RUNNING:
                return fields["state"] == state
            self._items.update(name, state=state, ended_at_ms=now_ms, **outcome)
            del self._claims[claim.token]
            done, reserved, account = state is ItemState.DONE, int(fields["reserved"]), fields["account"]
            self._accounts[account].update(open=-1, reserved=-reserved, used=reserved if done else 0)
            self._tasks.add(claim.task, "done_count", int(done))
            if self._tasks.add(claim.task, "open_count", -1) == 0:
                self._tasks.update(claim.task, ended_at_ms=now_ms)
            return True

    @override
    def get(self, uid: TaskUid, account: str) -> Task | None:
        with self._lock:
            task = self._tasks.read(uid)
            if task.get("account") != account:
                return None
            names = (item_name(uid, index) for index in range(int(task["item_count"])))
            return decode_task(uid, task, [self._items.read(name) for name in names])

    @override
    def grant(self, account: str, credit_count: int) -> Balance:
        with self._lock:
            self._accounts[account]["granted"] += credit_count
            return self._credits(account)

    @override
    def balance(self, account: str) -> Balance | None:
        with self._lock:
            return self._credits(account) if self._metered(account) else None

    def _metered(self, account: str) -> bool:
        return "granted" in self._accounts[account]

    def _credits(self, account: str) -> Balance:
        counts = self._accounts[account]
        return Balance(granted=counts["granted"], used=counts["used"], reserved=counts["reserved"])

    @override
    def waiting(self, lane: Lane) -> int:
        with self._lock:
            return sum(len(items) for items in self._lines[lane].values())

    @override
    def ping(self) -> None:
        """Memory always answers."""

    def _now_ms(self) -> int:
        return milliseconds(self._clock())
