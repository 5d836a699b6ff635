"""CREATE: what is accepted, what is refused, what a repeat costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    ModelNotOffered,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
)
from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.answers import Balance, Created
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Idempotency, ItemState, NewItem, NewTask, TaskStatus
from tests.fakes import ManualClock
from tests.jobs.build import (
    ERROR,
    LANE,
    OTHER_LANE,
    SPEC,
    MakeLedger,
    claim_next,
    new_task,
    result_of,
    run_at_once,
)


def test_a_task_is_stored_as_it_was_given(ledger: RedisLedger, clock: ManualClock) -> None:
    task = new_task(item_count=3, price=2)
    assert ledger.create(task) == Created(uid=task.uid, repeated=False)
    stored = ledger.get(task.uid, "alice")
    assert stored is not None
    assert (stored.uid, stored.account, stored.origin) == (task.uid, "alice", "test")
    assert (stored.status, stored.ended_at_ms, stored.booked) == (TaskStatus.QUEUING, None, 0)
    assert stored.created_at_ms == pytest.approx(clock() * 1000, abs=60_000)
    assert [item.source for item in stored.items] == [item.source for item in task.items]
    assert {(item.state, item.attempts, item.price, item.spec) for item in stored.items} == {
        (ItemState.QUEUED, 0, 2, SPEC)
    }
    assert [item.index for item in stored.items] == [0, 1, 2]
    assert (ledger.waiting(LANE), ledger.waiting(OTHER_LANE)) == (3, 0)


def test_text_is_kept_in_every_script(ledger: RedisLedger) -> None:
    task = new_task(account='a:b/"ç"\\ 鍵', idempotency=Idempotency(key="clé / 1", content_digest="x y"))
    ledger.create(task)
    assert ledger.get(task.uid, 'a:b/"ç"\\ 鍵') is not None
    again = new_task(account=task.account, idempotency=task.idempotency)
    assert ledger.create(again) == Created(uid=task.uid, repeated=True)


def test_a_foreign_account_sees_nothing(ledger: RedisLedger) -> None:
    task = new_task(account="alice")
    ledger.create(task)
    assert ledger.get(task.uid, "bob") is None
    assert ledger.get(new_task_uid(), "alice") is None


def test_a_repeat_of_a_task_changes_nothing(ledger: RedisLedger) -> None:
    ledger.grant("alice", 5)
    task = new_task(item_count=2)
    first, again = ledger.create(task), ledger.create(task)
    assert first == again == Created(uid=task.uid, repeated=False)
    assert ledger.balance("alice") == Balance(granted=5, used=0, reserved=2)
    assert ledger.waiting(LANE) == 2


class TestCredits:
    def test_an_account_without_a_grant_is_not_metered(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(price=1_000_000))
        assert ledger.balance("alice") is None

    def test_the_price_is_reserved(self, ledger: RedisLedger) -> None:
        assert ledger.grant("alice", 10) == Balance(granted=10, used=0, reserved=0)
        ledger.create(new_task(item_count=3, price=2))
        balance = ledger.balance("alice")
        assert balance == Balance(granted=10, used=0, reserved=6)
        assert balance.available == 4

    def test_a_task_that_costs_too_much_is_refused_whole(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 2)
        task = new_task(item_count=3)
        with pytest.raises(InsufficientCredits) as refusal:
            ledger.create(task)
        assert (refusal.value.available, refusal.value.price) == (2, 3)
        assert ledger.get(task.uid, "alice") is None
        assert ledger.waiting(LANE) == 0
        assert ledger.balance("alice") == Balance(granted=2, used=0, reserved=0)

    def test_grants_add_up(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 2)
        assert ledger.grant("alice", 3) == Balance(granted=5, used=0, reserved=0)
        assert ledger.balance("bob") is None

    def test_what_was_accepted_before_the_first_grant_stays_free(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=2))
        ledger.grant("alice", 1)
        first, second = claim_next(ledger), claim_next(ledger)
        ledger.finish(first, result_of(first))
        ledger.fail(second, ERROR)
        assert ledger.balance("alice") == Balance(granted=1, used=0, reserved=0)

    def test_a_balance_for_ten_takes_exactly_ten_of_fifty(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 10)

        def submit(_: int) -> bool:
            try:
                ledger.create(new_task())
            except InsufficientCredits:
                return False
            return True

        assert run_at_once(50, submit).count(True) == 10
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=10)
        assert ledger.waiting(LANE) == 10


class TestIdempotency:
    KEY = Idempotency(key="order 17", content_digest="aa")

    def test_a_repeat_names_the_first_task_and_is_free(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 5)
        first = new_task(idempotency=self.KEY)
        ledger.create(first)
        assert ledger.create(new_task(idempotency=self.KEY)) == Created(uid=first.uid, repeated=True)
        assert ledger.balance("alice") == Balance(granted=5, used=0, reserved=1)
        assert ledger.waiting(LANE) == 1

    def test_a_repeat_is_answered_when_nothing_more_would_be_accepted(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(account_queue_cap=1))
        ledger.grant("alice", 1)
        first = new_task(idempotency=self.KEY)
        ledger.create(first)
        assert ledger.create(new_task(idempotency=self.KEY)).uid == first.uid

    def test_other_content_conflicts(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(idempotency=self.KEY))
        with pytest.raises(IdempotencyConflict):
            ledger.create(new_task(idempotency=replace(self.KEY, content_digest="bb")))
        assert ledger.waiting(LANE) == 1

    def test_a_key_is_the_accounts_own(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(account="alice", idempotency=self.KEY))
        assert not ledger.create(new_task(account="bob", idempotency=self.KEY)).repeated

    def test_a_refusal_stores_no_key(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 0)
        refused, accepted = new_task(idempotency=self.KEY), new_task(idempotency=self.KEY)
        with pytest.raises(InsufficientCredits):
            ledger.create(refused)
        ledger.grant("alice", 1)
        assert ledger.create(accepted) == Created(uid=accepted.uid, repeated=False)

    def test_a_key_is_forgotten_in_the_end(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(idempotency_seconds=600))
        first = new_task(idempotency=self.KEY)
        ledger.create(first)
        clock.advance(seconds=590)
        assert ledger.create(new_task(idempotency=self.KEY)).repeated
        clock.advance(seconds=11)
        assert not ledger.create(new_task(idempotency=self.KEY)).repeated

    def test_twenty_at_once_make_one_task(self, ledger: RedisLedger) -> None:
        answers = run_at_once(20, lambda _: ledger.create(new_task(idempotency=self.KEY)))
        assert len({answer.uid for answer in answers}) == 1
        assert [answer.repeated for answer in answers].count(False) == 1
        assert ledger.waiting(LANE) == 1


class TestQueueCaps:
    def test_the_accounts_cap(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(account_queue_cap=3))
        ledger.create(new_task(item_count=2))
        with pytest.raises(QueueFull) as refusal:
            ledger.create(new_task(item_count=2))
        assert (refusal.value.scope, refusal.value.queued, refusal.value.cap) == ("account", 2, 3)
        ledger.create(new_task(account="bob", item_count=3))

    def test_a_tasks_own_cap_counts_instead(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(account_queue_cap=3))
        ledger.create(replace(new_task(item_count=5), account_cap=5))
        for refused, cap in ((new_task(), 3), (replace(new_task(), account_cap=5), 5)):
            with pytest.raises(QueueFull) as refusal:
                ledger.create(refused)
            assert (refusal.value.scope, refusal.value.queued, refusal.value.cap) == ("account", 5, cap)
        ledger.create(replace(new_task(), account_cap=6))

    def test_the_cap_on_all(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(total_queue_cap=3))
        ledger.create(new_task(item_count=2))
        with pytest.raises(QueueFull) as refusal:
            ledger.create(new_task(account="bob", item_count=2))
        assert (refusal.value.scope, refusal.value.queued, refusal.value.cap) == ("service", 2, 3)

    def test_what_runs_counts_and_what_ended_does_not(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(account_queue_cap=1))
        ledger.create(new_task())
        claim = claim_next(ledger)
        with pytest.raises(QueueFull):
            ledger.create(new_task())
        ledger.finish(claim, result_of(claim))
        ledger.create(new_task())


class TestSourceAge:
    def test_old_sources_are_refused(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(source_max_age_seconds=100))
        young, old = new_task(), new_task()
        clock.advance(seconds=90)
        ledger.create(young)
        clock.advance(seconds=12)
        with pytest.raises(SourceExpired):
            ledger.create(old)
        assert ledger.get(old.uid, "alice") is None

    def test_the_repeat_of_an_accepted_task_is_not(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(source_max_age_seconds=100))
        task = new_task()
        ledger.create(task)
        clock.advance(seconds=200)
        assert ledger.create(task).uid == task.uid


def test_every_refusal_is_a_submission_refused() -> None:
    refusals = {InsufficientCredits, QueueFull, IdempotencyConflict, SourceExpired}
    before_the_ledger_is_asked = {ModelNotOffered}
    assert set(SubmissionRefused.__subclasses__()) == refusals | before_the_ledger_is_asked


class TestNewTask:
    def test_it_needs_an_item(self) -> None:
        with pytest.raises(ValueError, match="needs an item"):
            new_task(item_count=0)

    def test_its_sources_are_its_own(self) -> None:
        foreign = new_task(item_count=2).items
        with pytest.raises(ValueError, match="belongs to one item"):
            NewTask(uid=new_task_uid(), account="alice", origin="test", items=foreign)

    def test_a_source_serves_one_item(self) -> None:
        task = new_task()
        with pytest.raises(ValueError, match="belongs to one item"):
            replace(task, items=(task.items[0], NewItem(source=task.items[0].source, spec=SPEC)))

    def test_a_price_is_not_negative(self) -> None:
        with pytest.raises(ValueError, match="not negative"):
            new_task(price=-1, uid=TaskUid(new_task_uid()))
