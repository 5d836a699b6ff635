"""The ledger in this process's memory, for tests of what stands on it.

It passes the behaviour suite that the Redis store passes, and keeps records as encoded bytes as that one does:
what cannot be stored there cannot be stored here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import override

from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ledger.encoding import (
    decode_request,
    decode_spec,
    decode_task,
    encode_error,
    encode_result,
    milliseconds,
)
from cutgate.jobs.ledger.endings import TERMINATED, TOO_SLOW
from cutgate.jobs.ledger.figures import LaneFigures, LedgerFigures
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.memory.create import accept, check
from cutgate.jobs.ledger.memory.errands import MemoryErrands
from cutgate.jobs.ledger.memory.uploads import MemoryUploads
from cutgate.jobs.ledger.store import Balance, Created, LedgerStore
from cutgate.jobs.ledger.upkeep import Leftovers, TakenBack
from cutgate.jobs.record import Claim, ErrorFacts, Idempotency, ItemState, NewTask, Result, Task
from cutgate.jobs.spec import Lane


class MemoryLedger(MemoryErrands, MemoryUploads, LedgerStore):
    """The ledger in memory; one lock makes each move one step."""

    @override
    def create(self, task: NewTask) -> Created:
        with self._lock:
            if task.uid in self._state.tasks:
                return Created(uid=task.uid, repeated=False)
            if task.idempotency is not None:
                first = self._state.repeated(task.account, task.idempotency)
                if first is not None:
                    return Created(uid=first, repeated=True)
            check(self._state, task)
            accept(self._state, task)
            return Created(uid=task.uid, repeated=False)

    @override
    def claim(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None:
        with self._lock:
            if token not in self._state.claims:
                name = self._next_item(lanes)
                if name is None:
                    return None
                self._hold(name, owner, token)
            return self._claim_of(token)

    def _next_item(self, lanes: Sequence[Lane]) -> str | None:
        """Take the next item from its queue, and send its account to the end of the line."""
        for lane in lanes:
            line = self._state.lines[lane]
            if line:
                account = next(iter(line))
                first, *others = line.pop(account)
                if others:
                    line[account] = others
                return first
        return None

    def _hold(self, name: str, owner: str, token: str) -> None:
        state, now_ms = self._state, self._state.now_ms()
        hard_deadline_ms = now_ms + milliseconds(self._limits.job_timeout_seconds)
        state.items.update(
            name,
            state=ItemState.RUNNING,
            token=token,
            owner=owner,
            claimed_at_ms=now_ms,
            hard_deadline_ms=hard_deadline_ms,
        )
        state.items.add(name, "attempts", 1)
        self._extend_lease(name, hard_deadline_ms)
        state.tasks.update(name.split(":")[0], started=1)
        state.claims[token] = name

    def _claim_of(self, token: str) -> Claim:
        name = self._state.claims[token]
        fields, (uid, index) = self._state.items.read(name), name.split(":")
        return Claim(
            token=token,
            owner=fields["owner"],
            task=TaskUid(uid),
            index=int(index),
            account=fields["account"],
            spec=decode_spec(fields["spec"]),
            source=BlobKey.parse(fields["source"]),
            attempt=int(fields["attempts"]),
            deadline_in_seconds=(int(fields["hard_deadline_ms"]) - self._state.now_ms()) / 1000,
            waited_seconds=(int(fields["claimed_at_ms"]) - int(fields["queued_at_ms"])) / 1000,
            request=decode_request(self._state.tasks.read(uid).get("request")),
        )

    def _extend_lease(self, name: str, hard_deadline_ms: int) -> None:
        lease_until_ms = self._state.now_ms() + milliseconds(self._limits.lease_seconds)
        self._state.items.update(name, lease_until_ms=min(lease_until_ms, hard_deadline_ms))

    @override
    def renew(self, claim: Claim) -> bool:
        with self._lock:
            name = item_name(claim.task, claim.index)
            if self._state.claims.get(claim.token) != name:
                return False
            hard_deadline_ms = int(self._state.items.read(name)["hard_deadline_ms"])
            if self._state.now_ms() >= hard_deadline_ms:
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
            name = item_name(claim.task, claim.index)
            fields = self._state.items.read(name)
            if fields.get("token") != claim.token:
                return False
            if fields["state"] != ItemState.RUNNING:
                return fields["state"] == state
            self._state.end_item(name, state, outcome)
            self._state.keep_pace(fields["account"])
            return True

    @override
    def give_back(self, claim: Claim) -> bool:
        with self._lock:
            name = item_name(claim.task, claim.index)
            if self._state.items.read(name).get("given_back") == claim.token:
                return True
            if self._state.claims.get(claim.token) != name:
                return False
            self._state.requeue(name, counts=False)
            self._state.items.update(name, given_back=claim.token)
            return True

    @override
    def give_back_owned(self, owner: str, *, died: bool) -> TakenBack:
        with self._lock:
            running = self._state.in_order("lease_until_ms", self._state.claims.values())
            held = [name for name in running if self._state.items.read(name)["owner"] == owner]
            for name in held:
                if self._state.held_to_the_end(name):
                    self._state.fail_item(name, TOO_SLOW)
                elif died:
                    self._state.lose_worker(name)
                else:
                    self._state.requeue(name, counts=False)
            return TakenBack(items=len(held), left=self._state.take_leftovers())

    @override
    def terminate(self, uid: TaskUid, account: str) -> Leftovers | None:
        with self._lock:
            if not self._state.visible(uid, account):
                return None
            for name in self._state.item_names(uid):
                if not ItemState(self._state.items.read(name)["state"]).final:
                    self._state.fail_item(name, TERMINATED)
            return self._state.take_leftovers()

    @override
    def get(self, uid: TaskUid, account: str) -> Task | None:
        return self.get_many([uid], account)[0]

    @override
    def get_many(self, uids: Sequence[TaskUid], account: str) -> tuple[Task | None, ...]:
        with self._lock:
            return tuple(self._task(uid) if self._state.visible(uid, account) else None for uid in uids)

    def _task(self, uid: TaskUid) -> Task:
        items = [self._state.items.read(name) for name in self._state.item_names(uid)]
        return decode_task(uid, self._state.tasks.read(uid), items)

    @override
    def recall(self, account: str, idempotency: Idempotency) -> TaskUid | None:
        with self._lock:
            return self._state.repeated(account, idempotency)

    @override
    def named(self, account: str, key: str) -> TaskUid | None:
        with self._lock:
            first = self._state.remembered(account, key)
            return first and first[0]

    @override
    def unfinished(self, account: str) -> tuple[TaskUid, ...]:
        with self._lock:
            tasks = ((uid, self._state.tasks.read(uid)) for uid in self._state.tasks)
            # Records stand in the order in which they were made, which is that of acceptance.
            return tuple(
                TaskUid(uid)
                for uid, fields in tasks
                if fields["account"] == account and "ended_at_ms" not in fields
            )

    @override
    def grant(self, account: str, credit_count: int) -> Balance:
        with self._lock:
            self._state.accounts[account]["granted"] += credit_count
            return self._state.credits_of(account)

    @override
    def balance(self, account: str) -> Balance | None:
        with self._lock:
            return self._state.credits_of(account) if self._state.metered(account) else None

    @override
    def booked(self, account: str) -> int:
        with self._lock:
            return self._state.accounts[account]["booked"]

    @override
    def waiting(self, lane: Lane) -> int:
        with self._lock:
            return len(self._state.waiting(lane))

    @override
    def figures(self) -> LedgerFigures:
        with self._lock:
            return LedgerFigures(
                lanes=tuple(map(self._figures_of, sorted(self._state.lanes))),
                running=len(self._state.claims),
                booked=sum(counts["booked"] for counts in self._state.accounts.values()),
            )

    def _figures_of(self, lane: Lane) -> LaneFigures:
        waiting = self._state.in_order("number", self._state.waiting(lane))
        age_ms = 0
        if waiting:
            task = self._state.tasks.read(waiting[0].split(":")[0])
            age_ms = self._state.now_ms() - int(task["created_at_ms"])
        return LaneFigures(lane=lane, waiting=len(waiting), oldest_seconds=age_ms / 1_000)

    @override
    def ping(self) -> None:
        """Memory always answers."""
