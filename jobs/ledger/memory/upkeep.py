"""The memory ledger's upkeep."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from cutgate.jobs.ids import TaskUid, made_at_seconds
from cutgate.jobs.ledger.encoding import milliseconds
from cutgate.jobs.ledger.endings import TOO_LATE, TOO_SLOW
from cutgate.jobs.ledger.memory.events import MemoryErrandEvents, MemoryTaskEvents
from cutgate.jobs.ledger.memory.records import Records
from cutgate.jobs.ledger.memory.state import LedgerState
from cutgate.jobs.ledger.store import LedgerLimits
from cutgate.jobs.ledger.upkeep import BATCH, REAPER_HOLD_SECONDS, Reaped, Upkeep
from cutgate.jobs.spec import Lane


class MemoryUpkeep(Upkeep):
    """The part of the memory ledger that no caller waits for, and what all of its moves need."""

    def __init__(self, limits: LedgerLimits, clock: Callable[[], float] = time.time) -> None:
        """Start empty.

        Args:
            limits: what the moves keep to.
            clock: the ledger's clock, Unix time in seconds; `cutgate.jobs.testing.ManualClock` in tests.
        """
        self._limits = limits
        self._lock = threading.Lock()
        self._state = LedgerState(limits, clock)
        self._reaper = ("", 0)

    @property
    def events(self) -> MemoryTaskEvents:
        """News of this ledger's tasks."""
        return self._state.events

    @property
    def errand_events(self) -> MemoryErrandEvents:
        """News of this ledger's errands."""
        return self._state.errands.events

    @override
    def lanes(self) -> tuple[Lane, ...]:
        with self._lock:
            return tuple(sorted(self._state.lanes))

    @override
    def reap(self, holder: str, pending: Mapping[Lane, int]) -> Reaped | None:
        """As the protocol says. A process's memory never restarts, so no lapse is renewed."""
        with self._lock:
            now_ms = self._state.now_ms()
            reaper, until_ms = self._reaper
            if reaper != holder and now_ms < until_ms:
                return None
            self._reaper = (holder, now_ms + milliseconds(REAPER_HOLD_SECONDS))
            lapsed = self._state.in_order("lease_until_ms", self._state.claims.values(), now_ms)
            taken_back = Counter(self._take_back(name) for name in lapsed[:BATCH])
            queued_before_ms = now_ms - milliseconds(self._limits.queue_timeout_seconds)
            waiting = self._state.waiting() + self._state.errands.fetches()
            too_late = self._state.in_order("queued_at_ms", waiting, queued_before_ms)[:BATCH]
            for name in too_late:
                self._state.fail_item(name, TOO_LATE)
            hints = {lane: self._hint_missing(lane, under_way) for lane, under_way in pending.items()}
            return Reaped(
                requeued=taken_back["requeued"],
                worker_lost=taken_back["worker_lost"],
                too_slow=taken_back["too_slow"],
                too_late=len(too_late),
                hints={lane: count for lane, count in hints.items() if count},
                left=self._state.take_leftovers(),
            )

    def _take_back(self, name: str) -> str:
        """Take a running item from its worker, and say what became of it."""
        if self._state.held_to_the_end(name):
            self._state.fail_item(name, TOO_SLOW)
            return "too_slow"
        return "requeued" if self._state.lose_worker(name) else "worker_lost"

    def _hint_missing(self, lane: Lane, under_way: int) -> int:
        """Count the hints that a lane is missing, and mark them as sent."""
        now_ms, names = self._state.now_ms(), self._state.waiting(lane)
        hinted_before_ms = now_ms - milliseconds(self._limits.hint_grace_seconds)
        due = self._state.in_order("hinted_at_ms", names, hinted_before_ms)
        missing = due[: max(0, min(len(names) - under_way, BATCH))]
        for name in missing:
            self._state.items.update(name, hinted_at_ms=now_ms)
        return len(missing)

    @override
    def hide_expired(self) -> tuple[TaskUid, ...]:
        with self._lock:
            limits = self._limits
            uids = self._hide(self._state.tasks, "ended_at_ms", limits.retention_seconds)
            for uid in uids:
                self._state.errands.remove_deliveries(uid, self._state.deliveries(uid))
            return uids + self._hide(self._state.uploads, "used_at_ms", limits.upload_retention_seconds)

    def _hide(self, records: Records, time_field: str, retention_seconds: float) -> tuple[TaskUid, ...]:
        """Mark what is past its retention, at most a batch, by one of its times."""
        until_ms = self._state.now_ms() - milliseconds(retention_seconds)
        times = sorted(
            (int(fields[time_field]), TaskUid(uid))
            for uid in records
            if time_field in (fields := records.read(uid))
        )
        uids = tuple(uid for time_ms, uid in times if time_ms <= until_ms)[:BATCH]
        for uid in uids:
            records.update(uid, hidden=1)
        return uids

    @override
    def forget(self, uid: TaskUid) -> None:
        with self._lock:
            if "hidden" in self._state.tasks.read(uid):
                for name in self._state.item_names(uid):
                    self._state.items.delete(name)
                self._state.tasks.delete(uid)
            if "hidden" in self._state.uploads.read(uid):
                self._state.uploads.delete(uid)

    @override
    def unrecorded(self, uids: Sequence[TaskUid], older_than_seconds: float) -> tuple[TaskUid, ...]:
        with self._lock:
            made_before_ms = self._state.now_ms() - milliseconds(older_than_seconds)
            old = (uid for uid in uids if milliseconds(made_at_seconds(uid)) < made_before_ms)
            return tuple(uid for uid in old if uid not in self._state.tasks and uid not in self._state.uploads)
