"""What the memory ledger knows, and the steps that its moves have in common.

Its place is that of `lua/shared.lua` beside the scripts: nothing here takes the lock, every move does.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from cutgate.jobs.errors import IdempotencyConflict, WorkerLost
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ledger.encoding import decode_deliveries, encode_error, milliseconds
from cutgate.jobs.ledger.endings import worker_lost
from cutgate.jobs.ledger.keys import idempotency_name, item_name
from cutgate.jobs.ledger.memory.errand_records import ErrandRecords, fetch_name
from cutgate.jobs.ledger.memory.events import MemoryTaskEvents
from cutgate.jobs.ledger.memory.pace import Pace
from cutgate.jobs.ledger.memory.records import Records
from cutgate.jobs.ledger.store import Balance, LedgerLimits
from cutgate.jobs.ledger.upkeep import Leftovers
from cutgate.jobs.record import Delivery, ErrorFacts, Idempotency, ItemState
from cutgate.jobs.spec import Lane


class LedgerState:
    """Records, accounts, claims and lines."""

    def __init__(self, limits: LedgerLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.tasks = Records()
        self.items = Records()
        self.errands = ErrandRecords()
        self.uploads = Records()
        self.accounts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.idempotency: dict[str, tuple[TaskUid, str, int]] = {}
        self.claims: dict[str, str] = {}
        """Token → running item."""
        self.lines: defaultdict[Lane, dict[str, list[str]]] = defaultdict(dict)
        """Per lane the accounts in the order of their turn, and for each its items in the order of acceptance."""
        self.lanes: set[Lane] = set()
        """Every lane that an item ever waited in."""
        self.accepted = 0
        self.pace = Pace()
        self.paces: defaultdict[str, Pace] = defaultdict(Pace)
        """Of each account."""
        self.events = MemoryTaskEvents()
        self._left: list[BlobKey] = []
        self._poisoned: list[BlobKey] = []
        self._clock = clock

    def now_ms(self) -> int:
        """The ledger's clock."""
        return milliseconds(self._clock())

    def metered(self, account: str) -> bool:
        """Whether the account was ever granted credits."""
        return "granted" in self.accounts[account]

    def credits_of(self, account: str) -> Balance:
        """The account's credits; all 0 where it is not metered."""
        counts = self.accounts[account]
        return Balance(granted=counts["granted"], used=counts["used"], reserved=counts["reserved"])

    def visible(self, uid: TaskUid, account: str) -> bool:
        """Whether an account can see a task: not marked as hidden, and not past its retention, swept or not."""
        fields = self.tasks.read(uid)
        if fields.get("account") != account or "hidden" in fields:
            return False
        retention_ms = milliseconds(self.limits.retention_seconds)
        return "ended_at_ms" not in fields or self.now_ms() - int(fields["ended_at_ms"]) < retention_ms

    def remembered(self, account: str, key: str) -> tuple[TaskUid, str] | None:
        """The task that an idempotency key stands for, and the digest of its content.

        None when there is none to be seen.
        """
        name = idempotency_name(account, key)
        if name not in self.idempotency:
            return None
        uid, content_digest, until_ms = self.idempotency[name]
        gone = until_ms <= self.now_ms() or not self.visible(uid, account)
        return None if gone else (uid, content_digest)

    def repeated(self, account: str, idempotency: Idempotency) -> TaskUid | None:
        """The task that an idempotency key stands for; None when there is none to be seen.

        Raises:
            IdempotencyConflict: the key was used before with other content.
        """
        first = self.remembered(account, idempotency.key)
        if first is None:
            return None
        uid, content_digest = first
        if content_digest != idempotency.content_digest:
            raise IdempotencyConflict("the idempotency key was used before with other content")
        return uid

    def enter_queue(self, name: str) -> None:
        """Put an item where a claim finds it, at its place by acceptance."""
        fields = self.items.read(name)
        self.lanes.add(Lane(fields["lane"]))
        line = self.lines[Lane(fields["lane"])].setdefault(fields["account"], [])
        insort(line, name, key=lambda item: int(self.items.read(item)["number"]))

    def leave_queue(self, name: str) -> None:
        """Take an item away from where a claim finds it; its account leaves the line with its last item."""
        fields = self.items.read(name)
        accounts = self.lines[Lane(fields["lane"])]
        accounts[fields["account"]].remove(name)
        if not accounts[fields["account"]]:
            del accounts[fields["account"]]

    def waiting(self, lane: Lane | None = None) -> list[str]:
        """The items that wait, in one lane or in all."""
        lanes = self.lines.values() if lane is None else [self.lines[lane]]
        return [name for line in lanes for names in line.values() for name in names]

    def in_order(self, time_field: str, names: Iterable[str], until_ms: float = math.inf) -> list[str]:
        """Items by one of their times, up to and with a moment."""
        times = sorted((int(self.items.read(name)[time_field]), name) for name in names)
        return [name for time_ms, name in times if time_ms <= until_ms]

    def deliveries(self, uid: TaskUid) -> tuple[Delivery, ...]:
        """What a task's end makes due."""
        return decode_deliveries(self.tasks.read(uid)["deliveries"])

    def item_names(self, uid: TaskUid) -> list[str]:
        """The items of a task in order."""
        return [item_name(uid, index) for index in range(int(self.tasks.read(uid)["item_count"]))]

    def end_item(self, name: str, state: ItemState, outcome: Mapping[str, str]) -> None:
        """End an item for good, once it has left its queue.

        Done: its reserved credits are booked; failed: they are released.
        """
        fields, now_ms, uid = self.items.read(name), self.now_ms(), TaskUid(name.split(":")[0])
        self.items.update(name, state=state, ended_at_ms=now_ms, **outcome)
        self.claims.pop(fields.get("token", ""), None)
        done, reserved = state is ItemState.DONE, int(fields["reserved"])
        self.accounts[fields["account"]].update(
            open=-1,
            reserved=-reserved,
            used=reserved if done else 0,
            booked=int(fields["price"]) if done else 0,
        )
        self.tasks.add(uid, "done_count", int(done))
        if self.tasks.add(uid, "open_count", -1) == 0:
            self.tasks.update(uid, ended_at_ms=now_ms)
            self.errands.add_deliveries(uid, fields["account"], self.deliveries(uid), now_ms)
        self.events.tell(uid)

    def keep_pace(self, account: str) -> None:
        """Count an item that a worker ended."""
        for pace in (self.pace, self.paces[account]):
            pace.keep(self.now_ms())

    def fail_item(self, name: str, error: ErrorFacts) -> None:
        """Fail an item that is fetched, waits or runs, without its worker or courier.

        A late answer with the old token is refused. The source is noted for `take_leftovers`, unless it is still
        to be fetched.
        """
        fields = self.items.read(name)
        if fields["state"] == ItemState.FETCHING:
            self.errands.remove(fetch_name(name))
        else:
            if fields["state"] == ItemState.QUEUED:
                self.leave_queue(name)
            sources = self._poisoned if error.kind == WorkerLost.kind else self._left
            sources.append(BlobKey.parse(fields["source"]))
        self.end_item(name, ItemState.FAILED, {"error": encode_error(error)})
        self.items.remove(name, "token")

    def take_leftovers(self) -> Leftovers:
        """The sources of the items that the present move failed."""
        left = Leftovers(sources=tuple(self._left), poisoned=tuple(self._poisoned))
        self._left.clear()
        self._poisoned.clear()
        return left

    def requeue(self, name: str, *, counts: bool) -> None:
        """Put a running item back to its old place. The attempt is taken off again unless it counts."""
        del self.claims[self.items.read(name)["token"]]
        self.items.remove(name, "token")
        self.items.update(name, state=ItemState.QUEUED, queued_at_ms=self.now_ms())
        if not counts:
            self.items.add(name, "attempts", -1)
        self.enter_queue(name)

    def held_to_the_end(self, name: str) -> bool:
        """Whether a running item's worker held on until the hard deadline: it was alive, and hung."""
        fields = self.items.read(name)
        lease_until_ms, hard_deadline_ms = int(fields["lease_until_ms"]), int(fields["hard_deadline_ms"])
        return hard_deadline_ms <= min(lease_until_ms, self.now_ms())

    def lose_worker(self, name: str) -> bool:
        """Take a running item from a worker that died; False when it is not tried again."""
        if int(self.items.read(name)["attempts"]) >= self.limits.max_attempts:
            self.fail_item(name, worker_lost(self.limits.max_attempts))
            return False
        self.requeue(name, counts=True)
        return True
