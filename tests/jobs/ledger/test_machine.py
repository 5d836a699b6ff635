"""Every move in every order, over every ledger: no item ends twice, none is lost, and all counters balance.

Every picture is fetched by one courier at most, and every delivery is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.errands import Errand, ErrandKind
from cutgate.jobs.ledger.store import Balance, LedgerStore
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, Delivery, Item, ItemState, NewTask, Upload
from tests.fakes import ManualClock
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, new_task, new_upload, result_of
from tests.ledgers import FreshLedger

GRANTED = 1_000
LIMITS = LedgerLimits(
    lease_seconds=1_000,
    job_timeout_seconds=2_500,
    queue_timeout_seconds=9_000,
    max_attempts=3,
    source_max_age_seconds=1e9,
    retention_seconds=1e9,
    errand_lease_seconds=1_000,
    account_errand_cap=2,
)
OWNERS = ("worker-1", "worker-2")
ACCOUNTS = ("alice", "bob")

MakeOnClock: TypeAlias = Callable[[ManualClock], LedgerStore]


class LedgerMachine(RuleBasedStateMachine):
    """Callers, workers, their parents, couriers and a reaper, in any order."""

    def __init__(self, make: MakeOnClock) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.ledger = make(self.clock)
        self.tasks: list[NewTask] = []
        self.claims: list[Claim] = []
        self.ends: dict[tuple[str, int], Claim] = {}
        self.errands: list[Errand] = []
        self.fetches: dict[tuple[str, int], Errand] = {}
        self.kept: dict[tuple[str, int], Upload] = {}
        self.delivered: set[str] = set()
        for account in ACCOUNTS:
            self.ledger.grant(account, GRANTED)

    @rule(
        account=st.sampled_from(ACCOUNTS),
        item_count=st.integers(1, 3),
        price=st.integers(0, 3),
        source=st.sampled_from([(None, False), (URL, False), (URL, True)]),
        deliveries=st.sampled_from([(), DELIVERIES]),
    )
    def create(
        self,
        account: str,
        item_count: int,
        price: int,
        source: tuple[str | None, bool],
        deliveries: tuple[Delivery, ...],
    ) -> None:
        source_url, keep = source
        task = new_task(
            account=account,
            item_count=item_count,
            price=price,
            source_url=source_url,
            keep=keep,
            deliveries=deliveries,
        )
        self.ledger.create(task)
        self.tasks.append(task)

    @rule(owner=st.sampled_from(OWNERS))
    def claim(self, owner: str) -> None:
        claim = self.ledger.claim([LANE], owner, new_token())
        if claim is not None:
            assert 1 <= claim.attempt <= LIMITS.max_attempts
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        self.ledger.renew(self._any_claim(data))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), done=st.booleans())
    def end(self, data: st.DataObject, done: bool) -> None:
        """An item ends by one claim, and never again by another."""
        claim = self._any_claim(data)
        accepted = self.ledger.finish(claim, result_of(claim)) if done else self.ledger.fail(claim, ERROR)
        if accepted:
            assert self.ends.setdefault((claim.task, claim.index), claim) == claim

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        self.ledger.give_back(self._any_claim(data))

    @rule(owner=st.sampled_from(OWNERS), died=st.booleans())
    def give_back_owned(self, owner: str, died: bool) -> None:
        self.ledger.give_back_owned(owner, died=died)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def terminate(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        assert self.ledger.terminate(task.uid, task.account)
        assert all(item.state.final for item in self._items_of(task))

    @rule()
    def take_errand(self) -> None:
        """A picture is fetched while its item waits for it; what a task makes due is due after its end."""
        errand = self.ledger.take_errand("courier-1", new_token())
        if errand is not None:
            task = self.ledger.get(errand.task, errand.account)
            assert task is not None
            if errand.kind is ErrandKind.FETCH:
                assert task.items[errand.index].state is ItemState.FETCHING
            else:
                assert task.ended_at_ms is not None
                assert errand.id not in self.delivered
            self.errands.append(errand)

    @precondition(lambda self: self.errands)
    @rule(data=st.data(), fetched=st.booleans())
    def end_errand(self, data: st.DataObject, fetched: bool) -> None:
        """A picture comes from one courier, and never again from another."""
        errand = self._any_errand(data)
        if errand.kind is not ErrandKind.FETCH:
            if self.ledger.errand_done(errand):
                self.delivered.add(errand.id)
        elif self._bring(errand) if fetched else self.ledger.fetch_failed(errand, ERROR):
            assert self.fetches.setdefault((errand.task, errand.index), errand) == errand

    @precondition(lambda self: self.errands)
    @rule(data=st.data(), seconds=st.sampled_from([0, 500, 3_000]))
    def postpone(self, data: st.DataObject, seconds: int) -> None:
        self.ledger.postpone(self._any_errand(data), seconds)

    @rule(seconds=st.sampled_from([100, 700, 2_100]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(under_way=st.integers(0, 3))
    def reap(self, under_way: int) -> None:
        reaped = self.ledger.reap("reaper-1", {LANE: under_way})
        assert reaped is not None
        assert reaped.hints.get(LANE, 0) <= max(0, self.ledger.waiting(LANE) - under_way)

    @invariant()
    def credits_balance(self) -> None:
        for account in ACCOUNTS:
            items = [item for task in self.tasks if task.account == account for item in self._items_of(task)]
            used = sum(item.price for item in items if item.state is ItemState.DONE)
            reserved = sum(item.price for item in items if not item.state.final)
            assert self.ledger.balance(account) == Balance(granted=GRANTED, used=used, reserved=reserved)

    @invariant()
    def counts_balance(self) -> None:
        items = [item for task in self.tasks for item in self._items_of(task)]
        assert self.ledger.waiting(LANE) == sum(item.state is ItemState.QUEUED for item in items)
        for account in ACCOUNTS:
            open_tasks = [
                task.uid
                for task in self.tasks
                if task.account == account and not all(item.state.final for item in self._items_of(task))
            ]
            assert self.ledger.unfinished(account) == tuple(open_tasks)

    @invariant()
    def what_was_fetched_is_what_is_worked_on(self) -> None:
        for (uid, index), errand in self.fetches.items():
            task = self.ledger.get(TaskUid(uid), errand.account)
            assert task is not None
            item = task.items[index]
            if errand.keep:
                assert item.state.final
                assert (item.state is ItemState.DONE) == ((uid, index) in self.kept)
            else:
                assert item.state is ItemState.FAILED or item.source == errand.source

    @invariant()
    def what_was_kept_is_an_upload(self) -> None:
        for (uid, index), upload in self.kept.items():
            task = self.ledger.get(TaskUid(uid), upload.account)
            assert task is not None
            assert task.items[index].result == upload.as_result()
            assert self.ledger.use_upload(upload.uid, upload.account) == upload

    def teardown(self) -> None:
        """Whatever happened, a courier and a worker that live bring everything to its end."""
        for _ in range(LIMITS.max_attempts):
            self.clock.advance(LIMITS.lease_seconds + 1)
            self.ledger.reap("reaper-1", {})
        self._run_errands()
        while (claim := self.ledger.claim([LANE], OWNERS[0], new_token())) is not None:
            assert self.ledger.finish(claim, result_of(claim))
        assert self.ledger.waiting(LANE) == 0
        assert all(item.state.final for task in self.tasks for item in self._items_of(task))
        for account in ACCOUNTS:
            assert self.ledger.unfinished(account) == ()
        self.credits_balance()
        self._run_errands()
        deliveries = sum(len(task.deliveries) for task in self.tasks)
        assert (len(self.delivered), self.ledger.errands_due()) == (deliveries, 0)

    def _run_errands(self) -> None:
        """Do all there is to do for a courier, once every lease and every pause is over."""
        self.clock.advance(5_000)
        while (errand := self.ledger.take_errand("courier-1", new_token())) is not None:
            if errand.kind is ErrandKind.FETCH:
                assert self._bring(errand)
            else:
                assert self.ledger.errand_done(errand)
                assert errand.id not in self.delivered
                self.delivered.add(errand.id)

    def _bring(self, errand: Errand) -> bool:
        """Let a picture be here; of two that are brought for one item the first is kept."""
        if not errand.keep:
            return self.ledger.fetched(errand) is not None
        upload = new_upload(account=errand.account)
        counts = self.ledger.kept(errand, upload)
        if counts:
            self.kept.setdefault((errand.task, errand.index), upload)
        return counts

    def _any_errand(self, data: st.DataObject) -> Errand:
        """One that is held, or one of old."""
        return data.draw(st.sampled_from(self.errands))

    def _any_claim(self, data: st.DataObject) -> Claim:
        """One that holds, or one of old."""
        return data.draw(st.sampled_from(self.claims))

    def _items_of(self, task: NewTask) -> tuple[Item, ...]:
        stored = self.ledger.get(task.uid, task.account)
        assert stored is not None
        return stored.items


def test_every_move_in_every_order() -> None:
    class Machine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(lambda clock: FreshLedger(LIMITS, clock))

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
