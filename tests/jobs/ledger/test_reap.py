"""REAP: lost workers, times that are over, hints that are missing."""

from __future__ import annotations

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Balance, Leftovers, Reaped
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.upkeep import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState
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

LIMITS = LedgerLimits(
    lease_seconds=15,
    job_timeout_seconds=120,
    max_attempts=3,
    queue_timeout_seconds=3_600,
    hint_grace_seconds=5,
    total_queue_cap=2 * BATCH,
    account_queue_cap=2 * BATCH,
)
REAPER = "reaper-1"


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> RedisLedger:
    return make_ledger(LIMITS)


class TestLapsedLeases:
    def test_the_item_waits_again_and_the_attempt_is_counted(
        self, ledger: RedisLedger, clock: ManualClock
    ) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        clock.advance(seconds=16)
        assert ledger.reap(REAPER, {}) == Reaped(requeued=1)
        item = item_of(ledger, claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 1)
        assert claim_next(ledger).attempt == 2

    def test_a_live_claim_stays(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        for _ in range(4):
            clock.advance(seconds=10)
            assert ledger.reap(REAPER, {}) == Reaped()
            assert ledger.renew(claim)

    def test_who_comes_late_is_refused(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=2))
        late, other = claim_next(ledger), claim_next(ledger)
        clock.advance(seconds=16)
        ledger.reap(REAPER, {})
        assert not ledger.renew(late)
        assert not ledger.finish(late, result_of(late))
        assert not ledger.fail(other, ERROR)
        assert not ledger.give_back(other)
        assert ledger.waiting(LANE) == 2

    def test_the_old_places_and_turns(self, ledger: RedisLedger, clock: ManualClock) -> None:
        mine, others = new_task(item_count=3), new_task(account="bob", item_count=3)
        ledger.create(mine)
        ledger.create(others)
        for _ in range(3):
            claim_next(ledger)
        clock.advance(seconds=16)
        assert ledger.reap(REAPER, {}) == Reaped(requeued=3)
        claims = [claim_next(ledger) for _ in range(6)]
        for task in (mine, others):
            assert [claim.index for claim in claims if claim.task == task.uid] == [0, 1, 2]
        assert [claim.task for claim in claims] == [others.uid, mine.uid] * 3

    def test_a_picture_whose_workers_die_fails_at_last(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(price=4))
        answers = []
        for _ in range(3):
            claim = claim_next(ledger)
            clock.advance(seconds=16)
            answers.append(ledger.reap(REAPER, {}))
        poisoned = Leftovers(poisoned=(claim.source,))
        assert answers == [Reaped(requeued=1), Reaped(requeued=1), Reaped(worker_lost=1, left=poisoned)]
        item = item_of(ledger, claim)
        assert item.error is not None
        assert (item.state, item.error.kind) == (ItemState.FAILED, "worker_lost")
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert ledger.waiting(LANE) == 0

    def test_a_batch_at_a_time(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=BATCH + 5))
        for _ in range(BATCH + 5):
            claim_next(ledger)
        clock.advance(seconds=16)
        assert [ledger.reap(REAPER, {}) for _ in range(3)] == [
            Reaped(requeued=BATCH),
            Reaped(requeued=5),
            Reaped(),
        ]


class TestHardDeadlines:
    def test_who_holds_on_until_then_has_failed(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.grant("alice", 10)
        ledger.create(new_task(price=4))
        claim = claim_next(ledger)
        for _ in range(11):
            clock.advance(seconds=10)
            assert ledger.renew(claim)
            assert ledger.reap(REAPER, {}) == Reaped()
        clock.advance(seconds=11)
        assert ledger.reap(REAPER, {}) == Reaped(too_slow=1, left=Leftovers(sources=(claim.source,)))
        item = item_of(ledger, claim)
        assert item.error is not None
        assert (item.state, item.error.kind, item.attempts) == (ItemState.FAILED, "timed_out", 1)
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert not ledger.finish(claim, result_of(claim))

    def test_who_fell_silent_before_is_lost_however_late_it_is_seen(
        self, ledger: RedisLedger, clock: ManualClock
    ) -> None:
        ledger.create(new_task())
        claim_next(ledger)
        clock.advance(seconds=1_000)
        assert ledger.reap(REAPER, {}) == Reaped(requeued=1)


class TestQueueAge:
    def test_who_waits_too_long_has_failed(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.grant("alice", 10)
        old = new_task(item_count=2, price=4)
        ledger.create(old)
        clock.advance(seconds=1_700)
        young = new_task()
        ledger.create(young)
        clock.advance(seconds=1_901)
        left = Leftovers(sources=tuple(item.source for item in old.items))
        assert ledger.reap(REAPER, {}) == Reaped(too_late=2, left=left)
        task = ledger.get(old.uid, "alice")
        assert task is not None
        assert [item.error and item.error.kind for item in task.items] == ["timed_out"] * 2
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=1)
        assert ledger.unfinished("alice") == (young.uid,)
        assert claim_next(ledger).task == young.uid

    def test_who_goes_back_waits_anew(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        clock.advance(seconds=3_599)
        ledger.give_back(claim_next(ledger))
        clock.advance(seconds=3_599)
        assert ledger.reap(REAPER, {}) == Reaped()


class TestMissingHints:
    def test_the_deficit(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=5))
        clock.advance(seconds=6)
        assert ledger.reap(REAPER, {LANE: 3}) == Reaped(hints={LANE: 2})

    @pytest.mark.parametrize("under_way", [5, 6, 100])
    def test_none_where_enough_are_under_way(
        self, ledger: RedisLedger, clock: ManualClock, under_way: int
    ) -> None:
        ledger.create(new_task(item_count=5))
        clock.advance(seconds=600)
        assert ledger.reap(REAPER, {LANE: under_way}) == Reaped()

    def test_not_before_the_grace_time_is_over(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=2))
        clock.advance(seconds=3)
        ledger.create(new_task())
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped()
        clock.advance(seconds=3)
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped(hints={LANE: 2})
        clock.advance(seconds=3)
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped(hints={LANE: 1})

    def test_each_item_is_hinted_at_once_in_a_grace_time(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=3))
        clock.advance(seconds=6)
        answers = [ledger.reap(REAPER, {LANE: 0}) for _ in range(3)]
        clock.advance(seconds=6)
        answers.append(ledger.reap(REAPER, {LANE: 1}))
        assert answers == [Reaped(hints={LANE: 3}), Reaped(), Reaped(), Reaped(hints={LANE: 2})]

    def test_an_item_that_came_back_needs_its_hint_at_once(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        claim_next(ledger)
        clock.advance(seconds=16)
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped(requeued=1, hints={LANE: 1})

    def test_lane_by_lane(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=2))
        ledger.create(new_task(spec=OTHER_SPEC))
        assert ledger.lanes() == tuple(sorted([LANE, OTHER_LANE]))
        clock.advance(seconds=6)
        answer = ledger.reap(REAPER, {LANE: 1, OTHER_LANE: 0})
        assert answer == Reaped(hints={LANE: 1, OTHER_LANE: 1})

    def test_running_items_need_none(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        claim_next(ledger)
        clock.advance(seconds=6)
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped()

    def test_a_long_line_without_any(self, ledger: RedisLedger, clock: ManualClock) -> None:
        """The broker lost its messages: every sweep goes on where the one before it stopped."""
        ledger.create(new_task(item_count=BATCH + 5))
        clock.advance(seconds=6)
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped(hints={LANE: BATCH})
        assert ledger.reap(REAPER, {LANE: BATCH}) == Reaped(hints={LANE: 5})


class TestOneReaper:
    def test_others_wait_until_it_is_silent(self, ledger: RedisLedger) -> None:
        assert ledger.reap("one", {}) == Reaped()
        assert ledger.reap("two", {}) is None
        assert ledger.reap("one", {}) == Reaped()

    def test_of_many_at_once_one_reaps(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(item_count=3))
        for _ in range(3):
            claim_next(ledger)
        clock.advance(seconds=16)
        answers = run_at_once(8, lambda number: ledger.reap(f"reaper-{number}", {}))
        assert [answer for answer in answers if answer is not None] == [Reaped(requeued=3)]


@pytest.mark.parametrize("_", range(5))
def test_a_finish_at_the_same_moment(ledger: RedisLedger, clock: ManualClock, _: int) -> None:
    """Either the item is done, or it waits again and the old result is refused."""
    ledger.create(new_task())
    claim = claim_next(ledger)
    clock.advance(seconds=16)
    finished, reaped = run_at_once(
        2, lambda n: ledger.reap(REAPER, {}) if n else ledger.finish(claim, result_of(claim))
    )
    assert reaped == (Reaped() if finished else Reaped(requeued=1))
    assert ledger.waiting(LANE) == (0 if finished else 1)


def test_nothing_to_do(ledger: RedisLedger) -> None:
    assert ledger.lanes() == ()
    assert ledger.reap(new_token(), {LANE: 4}) == Reaped()
