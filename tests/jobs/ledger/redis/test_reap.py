"""What only the Redis ledger's upkeep has: a server that restarts, and a reaper's hold that expires."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cutgate.jobs.ledger.answers import Leftovers, Reaped
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.upkeep import REAPER_HOLD_SECONDS
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState
from tests.fakes import ManualClock
from tests.jobs.build import LANE, claim_next, item_of, new_task, result_of
from tests.servers.redis_server import restart

LIMITS = LedgerLimits(lease_seconds=15, job_timeout_seconds=120, max_attempts=1)


@pytest.fixture
def ledger(own_url: str, clock: ManualClock) -> Iterator[RedisLedger]:
    with connect(own_url) as client:
        yield RedisLedger(client, LIMITS, clock_offset_ms=clock.offset_ms)


class TestRestart:
    def test_what_lapsed_meanwhile_is_renewed(self, ledger: RedisLedger, own_url: str, clock: ManualClock) -> None:
        ledger.reap("reaper", {})
        ledger.create(new_task())
        claim = claim_next(ledger)
        restart(own_url)
        clock.advance(seconds=16)
        assert ledger.reap("reaper", {}) == Reaped(renewed=1)
        assert item_of(ledger, claim).attempts == 1
        assert ledger.finish(claim, result_of(claim))

    def test_within_one_lease_only(self, ledger: RedisLedger, own_url: str, clock: ManualClock) -> None:
        """Who is silent for a whole lease after the server came back is dead."""
        ledger.reap("reaper", {})
        ledger.create(new_task())
        claim = claim_next(ledger)
        restart(own_url)
        clock.advance(seconds=16)
        assert ledger.reap("reaper", {}) == Reaped(renewed=1)
        clock.advance(seconds=14)
        assert ledger.reap("reaper", {}) == Reaped()
        clock.advance(seconds=2)
        assert ledger.reap("reaper", {}) == Reaped(worker_lost=1, left=Leftovers(poisoned=(claim.source,)))

    def test_what_has_no_time_left_starts_anew(
        self, ledger: RedisLedger, own_url: str, clock: ManualClock
    ) -> None:
        ledger.reap("reaper", {})
        ledger.create(new_task())
        claim = claim_next(ledger)
        restart(own_url)
        clock.advance(seconds=500)
        assert ledger.reap("reaper", {}) == Reaped(requeued=1)
        item = item_of(ledger, claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 0)

    def test_the_first_reaper_ever_has_seen_no_restart(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task())
        claim = claim_next(ledger)
        clock.advance(seconds=16)
        assert ledger.reap("reaper", {}) == Reaped(worker_lost=1, left=Leftovers(poisoned=(claim.source,)))


def test_a_reapers_hold_expires(ledger: RedisLedger, own_url: str) -> None:
    assert ledger.reap("one", {}) is not None
    assert ledger.reap("two", {}) is None
    with connect(own_url) as client:
        (name,) = client.scan_iter(match="*:reaper")
        left_ms = client.pttl(name)
        assert 0 < left_ms <= 1000 * REAPER_HOLD_SECONDS
        client.pexpire(name, 1)
    time.sleep(0.01)
    assert ledger.reap("two", {}) is not None
    assert ledger.reap("one", {}) is None


def test_what_is_remembered_for_a_repeat_is_small(ledger: RedisLedger, own_url: str) -> None:
    ledger.create(new_task(item_count=100))
    with connect(own_url) as client:
        ledger.reap("reaper", {LANE: 0})
        (name,) = client.scan_iter(match="*:answer:*")
        assert 0 < client.pttl(name) <= 60_000
        assert client.strlen(name) < 100
