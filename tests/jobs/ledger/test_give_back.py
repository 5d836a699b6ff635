"""GIVE_BACK: an item goes back to its old place, by its worker or by the worker's parent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Balance, Leftovers, TakenBack
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, ItemState, TaskStatus
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, LANE, MakeLedger, claim_next, item_of, new_task, result_of


class TestByTheWorker:
    def test_the_item_waits_again_and_the_attempt_is_not_counted(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        assert ledger.give_back(claim)
        assert ledger.waiting(LANE) == 1
        item = item_of(ledger, claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 0)
        assert claim_next(ledger).attempt == 1

    def test_any_number_of_times(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(max_attempts=1))
        ledger.create(new_task())
        for _ in range(5):
            assert ledger.give_back(claim_next(ledger))
        assert ledger.waiting(LANE) == 1

    def test_the_price_stays_reserved_and_the_task_runs(self, ledger: RedisLedger) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(price=4))
        claim = claim_next(ledger)
        ledger.give_back(claim)
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=4)
        task = ledger.get(claim.task, "alice")
        assert task is not None
        assert task.status is TaskStatus.RUNNING

    def test_the_old_place(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=12))
        first, second = claim_next(ledger), claim_next(ledger)
        ledger.give_back(second)
        ledger.give_back(first)
        assert [claim_next(ledger).index for _ in range(12)] == list(range(12))

    def test_nobody_is_overtaken(self, ledger: RedisLedger) -> None:
        """The account that was served stands behind those that wait, and its item in front of its others."""
        mine, others = new_task(item_count=3), new_task(account="bob", item_count=3)
        ledger.create(mine)
        ledger.create(others)
        ledger.give_back(claim_next(ledger))
        claims = [claim_next(ledger) for _ in range(6)]
        assert [claim.index for claim in claims if claim.task == mine.uid] == [0, 1, 2]
        assert [claim.task for claim in claims] == [others.uid, mine.uid] * 3

    def test_a_repeat_answers_as_the_first_time(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        assert ledger.give_back(claim)
        assert ledger.give_back(claim)
        assert (ledger.waiting(LANE), item_of(ledger, claim).attempts) == (1, 0)
        again = claim_next(ledger)
        assert ledger.give_back(claim)
        assert ledger.renew(again)

    def test_the_old_token_has_lost_the_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        ledger.give_back(claim)
        assert not ledger.renew(claim)
        assert not ledger.finish(claim, result_of(claim))
        assert not ledger.fail(claim, ERROR)
        assert ledger.waiting(LANE) == 1

    def test_a_foreign_token_and_an_ended_item(self, ledger: RedisLedger) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        assert not ledger.give_back(replace(claim, token=new_token()))
        ledger.finish(claim, result_of(claim))
        assert not ledger.give_back(claim)
        assert item_of(ledger, claim).state is ItemState.DONE


def claim_as(ledger: RedisLedger, owner: str) -> Claim:
    claim = ledger.claim([LANE], owner, new_token())
    assert claim is not None
    return claim


class TestByItsOwner:
    @pytest.mark.parametrize(("died", "attempts"), [(False, 0), (True, 1)])
    def test_everything_that_the_worker_held(self, ledger: RedisLedger, died: bool, attempts: int) -> None:
        ledger.create(new_task(item_count=4))
        held = [claim_as(ledger, "gone"), claim_as(ledger, "gone")]
        other = claim_as(ledger, "alive")
        assert ledger.give_back_owned("gone", died=died).items == 2
        items = [item_of(ledger, claim) for claim in held]
        assert [(item.state, item.attempts) for item in items] == [(ItemState.QUEUED, attempts)] * 2
        assert ledger.renew(other)
        assert [claim_next(ledger).index for _ in range(3)] == [0, 1, 3]

    def test_nothing(self, ledger: RedisLedger) -> None:
        assert ledger.give_back_owned("nobody", died=True).items == 0

    def test_what_has_ended_is_not_given_back(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(item_count=3))
        done, failed, back = (claim_as(ledger, "gone") for _ in range(3))
        ledger.finish(done, result_of(done))
        ledger.fail(failed, ERROR)
        ledger.give_back(back)
        assert ledger.give_back_owned("gone", died=True).items == 0
        assert ledger.waiting(LANE) == 1

    def test_a_picture_that_kills_its_workers_fails_at_last(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(max_attempts=3))
        ledger.grant("alice", 10)
        ledger.create(new_task(price=4))
        for attempt in (1, 2, 3):
            claim = claim_as(ledger, "gone")
            assert claim.attempt == attempt
            taken = ledger.give_back_owned("gone", died=True)
            assert taken.items == 1
            assert taken.left == Leftovers(poisoned=(claim.source,) if attempt == 3 else ())
        item = item_of(ledger, claim)
        assert (item.state, item.error and item.error.kind) == (ItemState.FAILED, "worker_lost")
        assert item.error is not None
        assert "died in each of 3 attempts" in item.error.message
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert not ledger.fail(claim, ERROR)

    def test_orderly_stops_do_not_use_up_attempts(self, make_ledger: MakeLedger) -> None:
        ledger = make_ledger(LedgerLimits(max_attempts=1))
        ledger.create(new_task())
        for _ in range(3):
            claim_as(ledger, "gone")
            ledger.give_back_owned("gone", died=False)
        assert ledger.waiting(LANE) == 1

    @pytest.mark.parametrize("died", [False, True])
    def test_what_was_held_until_the_hard_deadline_fails(
        self, make_ledger: MakeLedger, clock: ManualClock, died: bool
    ) -> None:
        ledger = make_ledger(LedgerLimits(lease_seconds=15, job_timeout_seconds=20))
        ledger.create(new_task(item_count=2))
        silent, hung = claim_as(ledger, "gone"), claim_as(ledger, "gone")
        clock.advance(seconds=10)
        assert ledger.renew(hung)
        clock.advance(seconds=11)
        taken = ledger.give_back_owned("gone", died=died)
        assert taken == TakenBack(items=2, left=Leftovers(sources=(hung.source,)))
        item = item_of(ledger, hung)
        assert (item.state, item.error and item.error.kind) == (ItemState.FAILED, "timed_out")
        assert item_of(ledger, silent).state is ItemState.QUEUED
