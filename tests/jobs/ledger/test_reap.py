"""REAP: lost workers, times that are over, hints that are missing."""

from pathlib import Path

import pytest

from cutgate.jobs.answers import Balance, Reaped
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState
from tests.jobs.build import ERROR, LANE, OTHER_LANE, OTHER_SPEC, Ledger, run_at_once
from tests.jobs.every_script import WORKER
from tests.ledgers import fresh_presence, hints_of, lose_hints, spent_sources
from tests.servers.redis_server import redis_server


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(total_queue_cap=2 * BATCH, account_queue_cap=2 * BATCH)


class TestLapsedLeases:
    def test_the_item_waits_again_and_the_attempt_is_counted(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        ledger.clock.advance(seconds=16)
        assert ledger.upkeep.reap() == Reaped(requeued=1)
        item = ledger.item(claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 1)
        assert ledger.next_claim().attempt == 2

    def test_a_live_claim_stays(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        for _ in range(4):
            ledger.clock.advance(seconds=10)
            assert ledger.upkeep.reap() == Reaped()
            assert ledger.claims.renew(claim)

    def test_who_comes_late_is_refused(self, ledger: Ledger) -> None:
        late, other = ledger.claimed_items(item_count=2)
        ledger.clock.advance(seconds=16)
        ledger.upkeep.reap()
        assert not ledger.claims.renew(late)
        assert not ledger.done(late)
        assert not ledger.claims.fail(other, ERROR)
        assert not ledger.claims.give_back(other)
        assert ledger.waiting(LANE) == 2

    def test_a_picture_whose_workers_die_fails_at_last(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        ledger.submit(price=4)
        answers = []
        for _ in range(3):
            claim = ledger.next_claim()
            ledger.clock.advance(seconds=16)
            answers.append(ledger.upkeep.reap())
        assert answers == [Reaped(requeued=1), Reaped(requeued=1), Reaped(worker_lost=1)]
        assert spent_sources(ledger) == {claim.source}
        assert ledger.error(claim).kind == "worker_lost"
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert ledger.waiting(LANE) == 0

    def test_a_batch_at_a_time(self, ledger: Ledger) -> None:
        ledger.claimed_items(item_count=BATCH + 5)
        ledger.clock.advance(seconds=16)
        assert [ledger.upkeep.reap() for _ in range(3)] == [
            Reaped(requeued=BATCH),
            Reaped(requeued=5),
            Reaped(),
        ]


class TestHardDeadlines:
    def test_who_holds_on_until_then_has_failed(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        claim = ledger.claimed(price=4)
        for _ in range(11):
            ledger.clock.advance(seconds=10)
            assert ledger.claims.renew(claim)
            assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=11)
        assert ledger.upkeep.reap() == Reaped(too_slow=1)
        assert (ledger.error(claim).kind, ledger.item(claim).attempts) == ("timed_out", 1)
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert not ledger.done(claim)

    def test_who_fell_silent_before_is_lost_however_late_it_is_seen(self, ledger: Ledger) -> None:
        ledger.claimed()
        ledger.clock.advance(seconds=1_000)
        assert ledger.upkeep.reap() == Reaped(requeued=1)


class TestQueueAge:
    def test_who_waits_too_long_has_failed(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        old = ledger.submit(item_count=2, price=4)
        ledger.clock.advance(seconds=1_700)
        young = ledger.submit()
        ledger.clock.advance(seconds=1_901)
        assert ledger.upkeep.reap() == Reaped(too_late=2)
        assert spent_sources(ledger) == {item.source for item in old.items}
        task = ledger.task(old.uid)
        assert [item.error and item.error.kind for item in task.items] == ["timed_out"] * 2
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=1)
        assert ledger.tasks.unfinished("alice") == (young.uid,)
        assert ledger.next_claim().task == young.uid

    def test_who_goes_back_waits_anew(self, ledger: Ledger) -> None:
        ledger.submit()
        ledger.clock.advance(seconds=3_599)
        ledger.claims.give_back(ledger.next_claim())
        ledger.clock.advance(seconds=3_599)
        assert ledger.upkeep.reap() == Reaped()


class TestMissingHints:
    @pytest.mark.parametrize("count", [1, 5, 200])
    def test_a_lane_that_lost_all_of_them_gets_some(self, ledger: Ledger, count: int) -> None:
        ledger.submit(item_count=count)
        lose_hints(ledger)
        ledger.clock.advance(seconds=6)
        sent = min(count, 32)
        assert ledger.upkeep.reap() == Reaped(hints={LANE: sent})
        assert hints_of(ledger) == [LANE] * sent
        assert ledger.upkeep.reap() == Reaped()

    def test_one_is_enough(self, ledger: Ledger) -> None:
        """Who follows it leaves another."""
        ledger.submit(item_count=5)
        lose_hints(ledger, 4)
        ledger.clock.advance(seconds=6)
        assert ledger.upkeep.reap() == Reaped()

    def test_who_took_the_last_one_is_given_time(self, ledger: Ledger) -> None:
        ledger.submit()
        lose_hints(ledger)
        ledger.clock.advance(seconds=4)
        assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=2)
        assert ledger.upkeep.reap() == Reaped(hints={LANE: 1})

    def test_lane_by_lane(self, ledger: Ledger) -> None:
        ledger.submit(item_count=2)
        ledger.submit(spec=OTHER_SPEC)
        assert ledger.lanes() == tuple(sorted([LANE, OTHER_LANE]))
        lose_hints(ledger)
        ledger.clock.advance(seconds=6)
        assert ledger.upkeep.reap() == Reaped(hints={LANE: 2, OTHER_LANE: 1})

    def test_running_items_need_none(self, ledger: Ledger) -> None:
        ledger.claimed()
        lose_hints(ledger)
        ledger.clock.advance(seconds=6)
        assert ledger.upkeep.reap() == Reaped()


def test_of_many_at_once_one_takes_all_back(ledger: Ledger) -> None:
    ledger.claimed_items(item_count=3)
    ledger.clock.advance(seconds=16)
    answers = run_at_once(8, lambda _: ledger.upkeep.reap())
    assert sorted(answer.requeued for answer in answers) == [0] * 7 + [3]


@pytest.mark.parametrize("_", range(5))
def test_a_finish_at_the_same_moment(ledger: Ledger, _: int) -> None:
    """Either the item is done, or it waits again and the old result is refused."""
    claim = ledger.claimed()
    ledger.clock.advance(seconds=16)
    finished, reaped = run_at_once(2, lambda n: ledger.upkeep.reap() if n else ledger.done(claim))
    assert reaped == (Reaped() if finished else Reaped(requeued=1))
    assert ledger.waiting(LANE) == (0 if finished else 1)


def test_nothing_to_do(ledger: Ledger) -> None:
    assert ledger.lanes() == ()
    assert ledger.upkeep.reap() == Reaped()


class TestNeedlessHints:
    """Items that end while they wait leave their hints behind."""

    def test_of_a_lane_that_nobody_offers_they_go(self, ledger: Ledger) -> None:
        tasks = [ledger.submit() for _ in range(3)]
        for task in tasks[1:]:
            ledger.tasks.terminate(task.uid, "alice")
        assert hints_of(ledger) == [LANE] * 3
        ledger.upkeep.reap()
        assert hints_of(ledger) == [LANE]
        ledger.tasks.terminate(tasks[0].uid, "alice")
        ledger.upkeep.reap()
        assert hints_of(ledger) == []

    def test_a_lane_that_a_worker_offers_is_left_alone(self, ledger: Ledger) -> None:
        presence = fresh_presence(ledger.clock, ledger.key_prefix)
        presence.announce(WORKER, ttl_seconds=20)
        ledger.tasks.terminate(ledger.submit().uid, "alice")
        ledger.upkeep.reap()
        assert hints_of(ledger) == [LANE]
        ledger.clock.advance(seconds=61)
        ledger.upkeep.reap()
        assert hints_of(ledger) == []


def test_a_server_that_may_not_be_asked_about_itself_is_reaped_all_the_same(binary: Path) -> None:
    with redis_server(binary=binary) as url, connect(url) as client:
        client.acl_setuser(
            "default", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-info"]
        )
        ledger = Ledger(client)
        ledger.claimed()
        ledger.clock.advance(seconds=16)
        assert ledger.upkeep.reap() == Reaped(requeued=1)
        ledger.server.require_room()
