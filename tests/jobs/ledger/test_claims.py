"""CLAIM, RENEW, FINISH and FAIL: who holds an item, for how long, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.answers import Balance
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, TaskStatus
from tests.fakes import ManualClock
from tests.jobs.build import (
    ERROR,
    LANE,
    OTHER_LANE,
    OTHER_SPEC,
    MakeLedger,
    claim_next,
    item_of,
    new_task,
    result_of,
    run_at_once,
)


class TestClaim:
    def test_it_hands_over_the_item(self, ledger: RedisLedger) -> None:
        task = new_task()
        ledger.create(task)
        claim = ledger.claim([LANE], "worker-7", "token-1234")
        assert claim is not None
        assert (claim.task, claim.index, claim.attempt) == (task.uid, 0, 1)
        assert (claim.owner, claim.token) == ("worker-7", "token-1234")
        assert (claim.spec, claim.source) == (task.items[0].spec, task.items[0].source)
        assert claim.deadline_in_seconds == LedgerLimits().job_timeout_seconds
        assert ledger.waiting(LANE) == 0
        item = item_of(ledger, claim)
        assert (item.state, item.attempts) == (ItemState.RUNNING, 1)

    def test_nothing_waits(self, ledger: RedisLedger) -> None:
        assert ledger.claim([LANE], "worker-1", new_token()) is None
        assert ledger.claim([], "worker-1", new_token()) is None

    def test_only_its_lanes(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(spec=OTHER_SPEC))
        assert ledger.claim([LANE], "worker-1", new_token()) is None
        assert ledger.claim([LANE, OTHER_LANE], "worker-1", new_token()) is not None

    def test_lanes_in_order_of_preference(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        preferred = new_task(spec=OTHER_SPEC)
        ledger.create(preferred)
        claim = ledger.claim([OTHER_LANE, LANE], "worker-1", new_token())
        assert claim is not None
        assert claim.task == preferred.uid

    def test_a_repeat_has_the_same_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=2))
        token = new_token()
        first, again = ledger.claim([LANE], "w", token), ledger.claim([LANE], "w", token)
        assert first is not None
        assert again is not None
        assert again.deadline_in_seconds == pytest.approx(first.deadline_in_seconds, abs=5)
        assert replace(again, deadline_in_seconds=first.deadline_in_seconds) == first
        assert item_of(ledger, first).attempts == 1
        assert ledger.waiting(LANE) == 1

    def test_only_one_of_two_wins(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claims = run_at_once(2, lambda _: ledger.claim([LANE], "worker-1", new_token()))
        assert [claim is not None for claim in claims].count(True) == 1

    def test_many_at_once_share_no_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=12))
        claims = run_at_once(20, lambda _: ledger.claim([LANE], "worker-1", new_token()))
        assert sorted(claim.index for claim in claims if claim is not None) == list(range(12))

    def test_a_lapsed_lease_is_the_reapers(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        claim_next(ledger)
        clock.advance(seconds=1_000)
        assert ledger.claim([LANE], "worker-2", new_token()) is None


class TestRenew:
    LIMITS = LedgerLimits(lease_seconds=15, job_timeout_seconds=60)

    def test_a_live_claim(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        assert ledger.renew(claim)
        assert ledger.renew(claim)

    def test_after_its_lease_lapsed(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(self.LIMITS)
        ledger.create(new_task())
        claim = claim_next(ledger)
        clock.advance(seconds=40)
        assert ledger.renew(claim)
        assert ledger.finish(claim, result_of(claim))

    def test_not_past_the_hard_deadline(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(self.LIMITS)
        ledger.create(new_task())
        claim = claim_next(ledger)
        for _ in range(5):
            clock.advance(seconds=10)
            assert ledger.renew(claim)
        clock.advance(seconds=10)
        assert not ledger.renew(claim)

    def test_a_foreign_token(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=2))
        claim, other = claim_next(ledger), claim_next(ledger)
        assert not ledger.renew(replace(claim, token=new_token()))
        assert not ledger.renew(replace(claim, index=other.index))

    def test_an_ended_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        ledger.finish(claim, result_of(claim))
        assert not ledger.renew(claim)

    def test_a_repeated_claim_says_what_is_left(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(self.LIMITS)
        ledger.create(new_task())
        token = new_token()
        ledger.claim([LANE], "worker-1", token)
        clock.advance(seconds=20)
        again = ledger.claim([LANE], "worker-1", token)
        assert again is not None
        assert again.deadline_in_seconds == pytest.approx(40, abs=5)


class TestEnd:
    def test_finish_keeps_the_result_and_books(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(price=3))
        claim = claim_next(ledger)
        assert ledger.finish(claim, result_of(claim))
        item = item_of(ledger, claim)
        assert (item.state, item.result, item.error) == (ItemState.DONE, result_of(claim), None)
        assert ledger.balance("alice") == Balance(granted=10, used=3, reserved=0)
        task = ledger.get(claim.task, "alice")
        assert task is not None
        assert task.booked == 3

    def test_fail_keeps_the_error_and_releases(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(price=3))
        claim = claim_next(ledger)
        assert ledger.fail(claim, ERROR)
        item = item_of(ledger, claim)
        assert (item.state, item.result, item.error) == (ItemState.FAILED, None, ERROR)
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)

    def test_what_was_done_is_counted_of_every_account(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=3, price=3))
        done, failed, again = claim_next(ledger), claim_next(ledger), claim_next(ledger)
        assert ledger.booked("alice") == 0
        ledger.finish(done, result_of(done))
        ledger.finish(done, result_of(done))
        ledger.fail(failed, ERROR)
        assert ledger.booked("alice") == 3
        assert ledger.balance("alice") is None
        # What was done before the account was metered is not charged afterwards.
        assert ledger.grant("alice", 10) == Balance(granted=10, used=0, reserved=0)
        ledger.finish(again, result_of(again))
        assert (ledger.booked("alice"), ledger.booked("bob")) == (6, 0)

    def test_repeats_answer_as_the_first_time_and_book_once(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(item_count=2))
        done, failed = claim_next(ledger), claim_next(ledger)
        assert [ledger.finish(done, result_of(done)) for _ in range(3)] == [True] * 3
        assert [ledger.fail(failed, ERROR) for _ in range(3)] == [True] * 3
        assert ledger.balance("alice") == Balance(granted=10, used=1, reserved=0)
        task = ledger.get(done.task, "alice")
        assert task is not None
        assert task.status is TaskStatus.FINISHED

    def test_an_end_is_final(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=2))
        done, failed = claim_next(ledger), claim_next(ledger)
        ledger.finish(done, result_of(done))
        ledger.fail(failed, ERROR)
        assert not ledger.fail(done, ERROR)
        assert not ledger.finish(failed, result_of(failed))
        assert item_of(ledger, done).state is ItemState.DONE
        assert item_of(ledger, failed).state is ItemState.FAILED

    def test_a_foreign_token_has_no_effect(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 1)
        ledger.create(new_task())
        claim = claim_next(ledger)
        foreign = replace(claim, token=new_token())
        assert not ledger.finish(foreign, result_of(foreign))
        assert not ledger.fail(foreign, ERROR)
        assert item_of(ledger, claim).state is ItemState.RUNNING
        assert ledger.balance("alice") == Balance(granted=1, used=0, reserved=1)

    def test_the_old_token_is_refused_when_another_ended_the_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        ledger.finish(claim, result_of(claim))
        late = replace(claim, token=new_token())
        assert not ledger.finish(late, result_of(late))
        assert item_of(ledger, claim).result == result_of(claim)

    def test_an_unknown_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = replace(claim_next(ledger), index=7)
        assert not ledger.finish(claim, result_of(claim))

    def test_only_one_of_two_ends_counts(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 1)
        ledger.create(new_task())
        claim = claim_next(ledger)
        ends = run_at_once(2, lambda n: ledger.finish(claim, result_of(claim)) if n else ledger.fail(claim, ERROR))
        assert ends.count(True) == 1


class TestStatus:
    def test_it_follows_the_items(self, ledger: RedisLedger) -> None:
        task = new_task(item_count=2)
        ledger.create(task)
        seen = [self.status(ledger, task.uid)]
        first = claim_next(ledger)
        seen.append(self.status(ledger, task.uid))
        ledger.finish(first, result_of(first))
        seen.append(self.status(ledger, task.uid))
        second = claim_next(ledger)
        ledger.fail(second, ERROR)
        seen.append(self.status(ledger, task.uid))
        assert seen == [
            (TaskStatus.QUEUING, False),
            (TaskStatus.RUNNING, False),
            (TaskStatus.RUNNING, False),
            (TaskStatus.FINISHED, True),
        ]

    def test_error_when_no_item_is_done(self, ledger: RedisLedger) -> None:
        task = new_task(item_count=2)
        ledger.create(task)
        for _ in range(2):
            ledger.fail(claim_next(ledger), ERROR)
        assert self.status(ledger, task.uid) == (TaskStatus.ERROR, True)

    @staticmethod
    def status(ledger: RedisLedger, uid: TaskUid) -> tuple[TaskStatus, bool]:
        task = ledger.get(uid, "alice")
        assert task is not None
        return task.status, task.ended_at_ms is not None
