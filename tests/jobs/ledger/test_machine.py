"""Every move in every order, beside a model of the rules: no item ends twice or is lost, and all counters balance.

Every picture is fetched by one courier at most, and every delivery is made.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cutgate.jobs import record
from cutgate.jobs.answers import Balance, Usage
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.record import (
    AccountCaps,
    Claim,
    Errand,
    ErrandKind,
    ErrorFacts,
    Item,
    ItemState,
    NewTask,
    Task,
    Upload,
)
from tests.jobs.build import DELIVERIES, ENDED, ERROR, LANE, URL, Ledger, new_task, new_upload
from tests.jobs.ledger.model import LIMITS, Model, ModelItem
from tests.ledgers import fresh_prefix, hints_of, lose_hints, server, stored_item

GRANTED = 1_000
BLAMELESS = BlobMissing("the picture is gone").facts()
GRACE = 7
"""Seconds after which lost hints are noticed."""
OWNERS = ("worker-1", "worker-2")
ACCOUNTS = ("alice", "bob")


class LedgerMachine(RuleBasedStateMachine):
    """Callers, workers, their parents, couriers and a reaper, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(server(), LIMITS, key_prefix=fresh_prefix())
        self.model = Model()
        self.stored: dict[str, Task] = {}
        self.tasks: list[NewTask] = []
        self.claims: list[Claim] = []
        self.errands: list[Errand] = []
        self.fetches: dict[tuple[str, int], Errand] = {}
        self.kept: dict[tuple[str, int], Upload] = {}
        self.delivered: set[str] = set()
        self.retried: Counter[str] = Counter()
        """Failed items of each account that were retried."""
        for account in ACCOUNTS:
            self.ledger.accounts.grant(account, GRANTED)

    @initialize(accounts=st.lists(st.sampled_from(ACCOUNTS), max_size=6))
    def begin_with_a_queue(self, accounts: list[str]) -> None:
        for account in accounts:
            self._accept(new_task(account=account, item_count=2))

    @rule(
        account=st.sampled_from(ACCOUNTS),
        item_count=st.integers(1, 3),
        price=st.integers(0, 3),
        source=st.sampled_from([{}, {}, {"source_url": URL}, {"source_url": URL, "keep": True}]),
        deliveries=st.sampled_from([(), DELIVERIES]),
        urgent=st.booleans(),
    )
    def create(self, source: dict[str, Any], **facts: Any) -> None:
        self._accept(new_task(**facts, **source))

    def _accept(self, task: NewTask) -> None:
        self.ledger.tasks.create(task)
        self.tasks.append(task)
        fetched = task.items[0].source_url is None
        state = ItemState.QUEUED if fetched else ItemState.FETCHING
        items = [ModelItem(task.account, state, self.model.now, each.urgent) for each in task.items]
        self.model.items |= {(task.uid, index): item for index, item in enumerate(items)}
        if fetched:
            self.model.enter(items)

    @rule(owner=st.sampled_from(OWNERS), count=st.integers(1, 4))
    def claim(self, owner: str, count: int) -> None:
        for _ in range(count):
            claim = self.ledger.claims.take([LANE], owner, new_token())
            assert (claim is None) == (not self.model.line)
            if claim is not None:
                assert 1 <= claim.attempt <= LIMITS.max_attempts
                self.claims.append(claim)
                self.model.claim(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        assert self.ledger.claims.renew(claim, record.Phase.COMPUTING) == self.model.renew(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), error=st.sampled_from([None, None, ERROR, BLAMELESS]))
    def end(self, data: st.DataObject, error: ErrorFacts | None) -> None:
        """An item ends by one claim, and never again by another."""
        claim = data.draw(st.sampled_from(self.claims))
        accepted = self.ledger.claims.fail(claim, error) if error else self.ledger.done(claim)
        state = ItemState.FAILED if error else ItemState.DONE
        assert accepted == self.model.end(claim, state, blameless=error is BLAMELESS)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        assert self.ledger.claims.give_back(claim) == self.model.give_back(claim)

    @rule(owner=st.sampled_from(OWNERS), died=st.booleans())
    def give_back_owned(self, owner: str, died: bool) -> None:
        held = [item for item in self.model.running() if item.owner == owner]
        assert self.ledger.claims.give_back_owned(owner, died=died) == len(held)
        self.model.take_back(held, counts=died)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def terminate(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        assert self.ledger.tasks.terminate(task.uid, task.account)
        self.model.terminate(task)

    @precondition(lambda self: any(item.blameless for item in self.model.items.values()))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """What failed through no fault of its picture is worked on, charged and delivered as if it were new."""
        failed = {uid for (uid, _), item in self.model.items.items() if item.blameless}
        task = data.draw(st.sampled_from([task for task in self.tasks if task.uid in failed]))
        stored = self.ledger.task(task.uid, task.account)
        retried = self.ledger.tasks.retry(stored, AccountCaps())
        assert retried == self.model.retry(task)
        self.retried[task.account] += retried
        if stored.ended_at_ms is not None:
            self.tasks.append(self.tasks.pop(self.tasks.index(task)))
            self.errands = [
                each for each in self.errands if each.task != task.uid or each.kind is ErrandKind.FETCH
            ]
            self.delivered = {errand for errand in self.delivered if not errand.startswith(task.uid)}

    @rule()
    def take_errand(self) -> None:
        """A picture is fetched while its item waits for it; what a task makes due is due after its end."""
        errand = self.ledger.errands.take("courier-1", new_token())
        if errand is not None:
            if errand.kind is ErrandKind.FETCH:
                assert self.ledger.item(errand).state is ItemState.FETCHING
            else:
                assert self.ledger.task(errand.task, errand.account).ended_at_ms is not None
                assert errand.id not in self.delivered
            self.errands.append(errand)

    @precondition(lambda self: self.errands)
    @rule(data=st.data(), fetched=st.booleans())
    def end_errand(self, data: st.DataObject, fetched: bool) -> None:
        """A picture comes from one courier, and never again from another."""
        errand = data.draw(st.sampled_from(self.errands))
        if errand.kind is not ErrandKind.FETCH:
            if self.ledger.errands.done(errand):
                self.delivered.add(errand.id)
        elif self._bring(errand) if fetched else self.ledger.errands.fetch_failed(errand, ERROR):
            item = self.model.items[errand.task, errand.index]
            if item.state is ItemState.FETCHING and fetched and not errand.keep:
                self.model.enter([item])
            elif item.state is ItemState.FETCHING:
                item.end(ItemState.DONE if fetched else ItemState.FAILED)
            assert self.fetches.setdefault((errand.task, errand.index), errand) == errand

    @precondition(lambda self: self.errands)
    @rule(data=st.data(), seconds=st.sampled_from([0, 500, 3_000]))
    def postpone(self, data: st.DataObject, seconds: int) -> None:
        self.ledger.errands.postpone(data.draw(st.sampled_from(self.errands)), seconds)

    # No sum of them is a lease or a pause: a millisecond must not decide what has lapsed.
    @rule(seconds=st.sampled_from([101, 703, 2_111, 9_011]))
    def let_time_pass(self, seconds: int) -> None:
        self.ledger.clock.advance(seconds)
        self.model.now += seconds

    @rule(count=st.sampled_from([1, None]))
    def lose_hints(self, count: int | None) -> None:
        lose_hints(self.ledger, count)

    @rule()
    def reap(self) -> None:
        self.ledger.upkeep.reap()
        self.model.reap()
        self.ledger.clock.advance(GRACE)
        self.model.now += GRACE
        self.ledger.upkeep.reap()
        self.model.reap()
        assert bool(hints_of(self.ledger)) or not self.ledger.waiting(LANE), "items wait that nobody is told of"

    @invariant()
    def everything_holds(self) -> None:
        self._read()
        self.items_are_as_the_rules_want_them()
        self.everything_balances()
        self.what_was_fetched_is_what_is_worked_on()
        self.what_was_kept_is_an_upload()

    def _read(self) -> None:
        """See each task as it stands now."""
        for account in ACCOUNTS:
            uids = [task.uid for task in self.tasks if task.account == account]
            read = [task for uid in uids if (task := self.ledger.tasks.get(uid, account)) is not None]
            listed = self.ledger.tasks.get_many([task.uid for task in read], account)
            assert listed == tuple(map(_as_listed, read))
            self.stored |= {task.uid: task for task in read}

    def items_are_as_the_rules_want_them(self) -> None:
        for task in self.tasks:
            for index, item in enumerate(self._items_of(task)):
                wanted = self.model.items[task.uid, index]
                assert (item.state, item.attempts) == (wanted.state, wanted.attempts)

    def everything_balances(self) -> None:
        waiting = in_all = 0
        for account in ACCOUNTS:
            tasks = [task for task in self.tasks if task.account == account]
            items = [item for task in tasks for item in self._items_of(task)]
            used = sum(item.price for item in items if item.state is ItemState.DONE)
            reserved = sum(item.price for item in items if item.state not in ENDED)
            assert self.ledger.accounts.balance(account) == Balance(granted=GRANTED, used=used, reserved=reserved)
            ends = Counter(item.state for item in items)
            failed = ends[ItemState.FAILED] + self.retried[account]
            usage = Usage(done=ends[ItemState.DONE], failed=failed, credits=used)
            assert self.ledger.used(account) == usage
            still_open = [
                task.uid for task in tasks if not all(item.state in ENDED for item in self._items_of(task))
            ]
            assert self.ledger.tasks.unfinished(account) == tuple(still_open)
            waiting += sum(item.state is ItemState.QUEUED for item in items)
            still_open_items = sum(item.state not in ENDED for item in items)
            assert self._counted(f"account:{account}", "open") == still_open_items
            in_all += still_open_items
        assert self.ledger.waiting(LANE) == waiting
        assert self._counted("totals", "open") == in_all
        ended = [uid for uid, task in self.stored.items() if task.ended_at_ms is not None]
        assert self.ledger.client.zcard(self.ledger.database.key("ended")) == len(ended)

    def _counted(self, name: str, field: str) -> int:
        return int(self.ledger.client.hget(self.ledger.database.key(name), field) or 0)

    def what_was_fetched_is_what_is_worked_on(self) -> None:
        for (uid, index), errand in self.fetches.items():
            item = self.stored[uid].items[index]
            if errand.keep:
                assert item.state in ENDED
                assert (item.state is ItemState.DONE) == ((uid, index) in self.kept)
            else:
                assert item.state in ENDED or stored_item(self.ledger, TaskUid(uid), index).source == errand.source

    def what_was_kept_is_an_upload(self) -> None:
        for (uid, index), upload in self.kept.items():
            assert self.stored[uid].items[index].result == upload.as_result()
            assert self.ledger.uploads.use(upload.uid, upload.account) == upload

    def teardown(self) -> None:
        """Whatever happened, a courier and a worker that live bring everything to its end."""
        for _ in range(LIMITS.max_attempts):
            self.ledger.clock.advance(LIMITS.lease_seconds + 1)
            self.ledger.upkeep.reap()
        self._run_errands()
        while (claim := self.ledger.claims.take([LANE], OWNERS[0], new_token())) is not None:
            assert self.ledger.done(claim)
        self._read()
        assert all(item.state in ENDED for task in self.tasks for item in self._items_of(task))
        self.everything_balances()
        self._run_errands()
        deliveries = sum(len(task.deliveries) for task in self.tasks)
        assert (len(self.delivered), self.ledger.errands.due()) == (deliveries, 0)

    def _run_errands(self) -> None:
        """Do all there is to do for a courier, once every lease and every pause is over."""
        self.ledger.clock.advance(5_000)
        while (errand := self.ledger.errands.take("courier-1", new_token())) is not None:
            if errand.kind is ErrandKind.FETCH:
                assert self._bring(errand)
            else:
                assert self.ledger.errands.done(errand)
                assert errand.id not in self.delivered
                self.delivered.add(errand.id)

    def _bring(self, errand: Errand) -> bool:
        """Let a picture be here; of two that are brought for one item the first is kept."""
        if not errand.keep:
            return self.ledger.errands.fetched(errand)
        upload = new_upload(account=errand.account)
        counts = self.ledger.errands.kept(errand, upload)
        if counts:
            self.kept.setdefault((errand.task, errand.index), upload)
        return counts

    def _items_of(self, task: NewTask) -> tuple[Item, ...]:
        return self.stored[task.uid].items


def _as_listed(task: Task) -> Task:
    """As a task is read among many."""
    return replace(task, items=()) if task.ended_at_ms is None else task


def test_every_move_in_every_order() -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate],  # a failure is told at once: to make it shorter takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
