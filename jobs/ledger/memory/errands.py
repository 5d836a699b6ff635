"""The memory ledger's errands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.encoding import decode_request, encode_result, milliseconds
from cutgate.jobs.ledger.errands import (
    EVERY_KIND,
    Errand,
    ErrandKind,
    Errands,
    require_delivery,
    require_fetch,
    require_keepable,
    require_worked_on,
)
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.memory.upkeep import MemoryUpkeep
from cutgate.jobs.ledger.memory.uploads import record
from cutgate.jobs.ledger.uploads import Upload
from cutgate.jobs.record import ErrorFacts, ItemState, Request
from cutgate.jobs.spec import Lane


class MemoryErrands(MemoryUpkeep, Errands):
    """The part of the memory ledger that is for couriers."""

    @override
    def take_errand(self, owner: str, token: str, kinds: Sequence[ErrandKind] = EVERY_KIND) -> Errand | None:
        with self._lock:
            now_ms, errands = self._state.now_ms(), self._state.errands
            held = errands.taken_with(token)
            if held is None:
                errands.enter_lines(now_ms)
                name = errands.next_in_turn(kinds, self._limits.account_errand_cap, now_ms)
                if name is not None:
                    until_ms = now_ms + milliseconds(self._limits.errand_lease_seconds)
                    errands.take(name, owner, token, now_ms, until_ms)
                    held = errands.taken_with(token)
            return held and replace(held, request=self._request_of(held.task))

    def _request_of(self, uid: TaskUid) -> Request:
        return decode_request(self._state.tasks.read(uid).get("request"))

    @override
    def fetched(self, errand: Errand) -> Lane | None:
        require_worked_on(errand)
        with self._lock:
            name = item_name(errand.task, errand.index)
            fields = self._state.items.read(name)
            if fields.get("fetched") != errand.token:
                if not self._state.errands.holds(errand):
                    return None
                self._state.errands.remove(errand.id)
                self._state.items.update(
                    name,
                    state=ItemState.QUEUED,
                    source=str(errand.source),
                    fetched=errand.token,
                    hinted_at_ms=self._state.now_ms(),
                )
                self._state.enter_queue(name)
            return Lane(fields["lane"])

    @override
    def kept(self, errand: Errand, upload: Upload) -> bool:
        require_keepable(errand, upload)
        with self._lock:
            name = item_name(errand.task, errand.index)
            if self._state.items.read(name).get("kept") == errand.token:
                return True
            if not self._state.errands.holds(errand) or not record(self._state, upload):
                return False
            self._state.errands.remove(errand.id)
            self._state.items.update(name, kept=errand.token)
            self._state.end_item(name, ItemState.DONE, {"result": encode_result(upload.as_result())})
            return True

    @override
    def fetch_failed(self, errand: Errand, error: ErrorFacts) -> bool:
        require_fetch(errand)
        with self._lock:
            name = item_name(errand.task, errand.index)
            if self._state.items.read(name).get("fetch_failed") == errand.token:
                return True
            if not self._state.errands.holds(errand):
                return False
            self._state.items.update(name, fetch_failed=errand.token)
            self._state.fail_item(name, error)
            return True

    @override
    def postpone(self, errand: Errand, seconds: float) -> bool:
        with self._lock:
            return self._state.errands.postpone(errand, self._state.now_ms(), milliseconds(seconds))

    @override
    def errand_done(self, errand: Errand) -> bool:
        require_delivery(errand)
        with self._lock:
            if errand.id in self._state.errands and not self._state.errands.holds(errand):
                return False
            self._state.errands.remove(errand.id)
            return True

    @override
    def errands_due(self) -> int:
        with self._lock:
            return self._state.errands.due(self._state.now_ms())
