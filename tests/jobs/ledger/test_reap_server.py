"""What only the Redis ledger's upkeep has: a server that restarts."""

from collections.abc import Iterator

import pytest

from cutgate.jobs.answers import Reaped
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, ItemState
from tests.jobs.build import Ledger
from tests.servers.redis_server import restart


@pytest.fixture
def ledger(own_url: str) -> Iterator[Ledger]:
    with connect(own_url) as client:
        yield Ledger(client, LedgerLimits(max_attempts=1))


class TestRestart:
    @pytest.fixture
    def claim(self, ledger: Ledger, own_url: str) -> Claim:
        """One from before the server stopped."""
        ledger.upkeep.reap()
        claim = ledger.claimed()
        restart(own_url)
        return claim

    def test_what_lapsed_meanwhile_is_renewed(self, ledger: Ledger, claim: Claim) -> None:
        ledger.clock.advance(seconds=16)
        assert ledger.upkeep.reap() == Reaped(renewed=1)
        assert ledger.item(claim).attempts == 1
        assert ledger.done(claim)

    def test_within_one_lease_only(self, ledger: Ledger, claim: Claim) -> None:
        """Who is silent for a whole lease after the server came back is dead."""
        ledger.clock.advance(seconds=16)
        assert ledger.upkeep.reap() == Reaped(renewed=1)
        ledger.clock.advance(seconds=14)
        assert ledger.upkeep.reap() == Reaped()
        ledger.clock.advance(seconds=2)
        assert ledger.upkeep.reap() == Reaped(worker_lost=1)

    def test_what_has_no_time_left_starts_anew(self, ledger: Ledger, claim: Claim) -> None:
        ledger.clock.advance(seconds=500)
        assert ledger.upkeep.reap() == Reaped(requeued=1)
        item = ledger.item(claim)
        assert (item.state, item.attempts) == (ItemState.QUEUED, 0)

    def test_the_first_reaper_ever_has_seen_no_restart(self, ledger: Ledger) -> None:
        ledger.claimed()
        ledger.clock.advance(seconds=16)
        assert ledger.upkeep.reap() == Reaped(worker_lost=1)


def test_what_is_remembered_for_a_repeat_is_small(ledger: Ledger) -> None:
    ledger.submit(item_count=100)
    ledger.upkeep.reap()
    (name,) = ledger.client.scan_iter(match="*:answer:*")
    assert 0 < ledger.client.pttl(name) <= 60_000
    assert ledger.client.strlen(name) < 100
