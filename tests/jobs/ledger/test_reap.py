"""REAP: lost workers, times that are over, hints that are missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate.jobs.answers import Balance, Reaped
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, ItemState, Phase
from cutgate.jobs.redis_client import connect
from tests.jobs.build import LANE, OTHER_LANE, OTHER_SPEC, Ledger
from tests.jobs.every_script import WORKER
from tests.ledgers import fresh_presence, hints_of, kept_sources, lose_hints
from tests.servers.redis_server import redis_server, restart


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(total_queue_cap=2 * BATCH, account_queue_cap=2 * BATCH)


class TestLapsedLeases:
    def test_a_picture_whose_workers_die_fails_at_last(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        ledger.submit(price=4)
        answers = []
        for _ in range(3):
            claim = ledger.next_claim()
            for _ in range(4):
                ledger.clock.advance(seconds=4)
                reaped = ledger.upkeep.reap()
            answers.append(reaped)
        assert answers == [Reaped(requeued=1), Reaped(requeued=1), Reaped(worker_lost=1)]
        assert kept_sources(ledger, claim.task) == {claim.source}
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
            assert ledger.claims.renew(claim, Phase.COMPUTING)
            assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=11)
        assert ledger.upkeep.reap() == Reaped(too_slow=1)
        assert (ledger.error(claim).kind, ledger.item(claim).attempts) == ("timed_out", 1)
        assert ledger.strikes("alice") == 1
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert not ledger.done(claim)

    @pytest.mark.parametrize("phase", [Phase.READING, Phase.WRITING])
    def test_who_waits_for_the_storage_until_then_is_not_to_blame(self, ledger: Ledger, phase: Phase) -> None:
        claim = ledger.claimed()
        for told in (Phase.COMPUTING, phase, *[phase] * 9):
            ledger.clock.advance(seconds=10)
            assert ledger.claims.renew(claim, told)
        ledger.clock.advance(seconds=11)
        assert ledger.upkeep.reap() == Reaped(requeued=1)
        assert (ledger.item(claim).state, ledger.item(claim).attempts) == (ItemState.QUEUED, 0)
        assert ledger.strikes("alice") == 0

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
        assert kept_sources(ledger, old.uid) == {item.source for item in old.items}
        task = ledger.task(old.uid)
        assert [item.error and item.error.kind for item in task.items] == ["waited_too_long"] * 2
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


# What only the Redis ledger's upkeep has: a server that restarts.


@pytest.fixture
def restarted(own_url: str) -> Iterator[Ledger]:
    with connect(own_url) as client:
        yield Ledger(client, LedgerLimits(max_attempts=1))


class TestRestart:
    @pytest.fixture
    def claim(self, restarted: Ledger, own_url: str) -> Claim:
        """One from before the server stopped."""
        restarted.upkeep.reap()
        claim = restarted.claimed()
        restart(own_url)
        return claim

    def test_what_lapsed_meanwhile_is_renewed(self, restarted: Ledger, claim: Claim) -> None:
        restarted.clock.advance(seconds=16)
        assert restarted.upkeep.reap() == Reaped(renewed=1)
        assert restarted.item(claim).attempts == 1
        assert restarted.done(claim)

    def test_within_one_lease_only(self, restarted: Ledger, claim: Claim) -> None:
        """Who is silent for a whole lease after the server came back is dead."""
        restarted.clock.advance(seconds=16)
        assert restarted.upkeep.reap() == Reaped(renewed=1)
        for _ in range(2):
            restarted.clock.advance(seconds=7)
            assert restarted.upkeep.reap() == Reaped()
        restarted.clock.advance(seconds=2)
        assert restarted.upkeep.reap() == Reaped(worker_lost=1)

    def test_what_has_no_time_left_starts_anew(self, restarted: Ledger, claim: Claim) -> None:
        restarted.clock.advance(seconds=500)
        assert restarted.upkeep.reap() == Reaped(requeued=1)
        item = restarted.item(claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 0)

    def test_the_first_reaper_ever_has_seen_no_restart(self, restarted: Ledger) -> None:
        restarted.claimed()
        restarted.clock.advance(seconds=16)
        assert restarted.upkeep.reap() == Reaped(worker_lost=1)


def test_what_is_remembered_for_a_repeat_is_small(restarted: Ledger) -> None:
    restarted.submit(item_count=100)
    restarted.upkeep.reap()
    (name,) = restarted.client.scan_iter(match="*:answer:*")
    assert 0 < restarted.client.pttl(name) <= 60_000
    assert restarted.client.strlen(name) < 100
