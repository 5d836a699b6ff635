"""Who is alive."""

import json
import time
from dataclasses import asdict, replace

import pytest
from redis import Redis

from cutgate.jobs.ledger.redis.presence import RedisPresence
from tests.fakes import ManualClock
from tests.jobs import every_script
from tests.jobs.build import LANE, OTHER_LANE

WORKER = replace(every_script.WORKER, owner="host-1:4711")


def test_who_announces_itself_is_alive_by_owner(presence: RedisPresence) -> None:
    assert presence.alive() == ()
    other = replace(WORKER, owner="a-host:1")
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(other, ttl_seconds=10)
    assert presence.alive() == (other, WORKER)


def test_announcing_again_prolongs_and_replaces(presence: RedisPresence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    presence.announce(replace(WORKER, threads=8), ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (replace(WORKER, threads=8),)
    clock.advance(seconds=5)
    assert presence.alive() == ()


def test_one_silent_worker_takes_no_other_along(presence: RedisPresence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=5)
    other = replace(WORKER, owner="a-host:1")
    presence.announce(other, ttl_seconds=50)
    clock.advance(seconds=20)
    assert presence.alive() == (other,)


def test_a_worker_of_several_lanes_is_alive_in_each(presence: RedisPresence, clock: ManualClock) -> None:
    other = replace(WORKER, lane=OTHER_LANE, model="u2netp")
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (neighbour, other, WORKER):
        presence.announce(worker, ttl_seconds=10)
    assert presence.alive() == (WORKER, other, neighbour)
    clock.advance(seconds=6)
    presence.announce(other, ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (other,)


def test_who_leaves_is_gone_from_every_lane(presence: RedisPresence) -> None:
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (WORKER, replace(WORKER, lane=OTHER_LANE), neighbour):
        presence.announce(worker, ttl_seconds=10)
    presence.leave(WORKER.owner)
    presence.leave("nobody")
    assert presence.alive() == (neighbour,)


def test_a_lane_counts_as_offered_for_a_while(presence: RedisPresence, clock: ManualClock) -> None:
    assert presence.offered(within_seconds=60) == frozenset()
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(replace(WORKER, lane=OTHER_LANE), ttl_seconds=10)
    presence.leave(WORKER.owner)
    clock.advance(seconds=50)
    presence.announce(WORKER, ttl_seconds=10)
    assert presence.offered(within_seconds=60) == {LANE, OTHER_LANE}
    clock.advance(seconds=20)
    assert presence.offered(within_seconds=60) == {LANE}
    assert presence.offered(within_seconds=1) == frozenset()


class TestRollingUpgrade:
    """Workers of the version before announced one lane each, under their names alone."""

    @pytest.fixture
    def announced_before(self, client: Redis, key_prefix: str, clock: ManualClock) -> None:
        until_ms = time.time() * 1_000 + clock.offset_ms() + 10_000
        client.hset(f"{key_prefix}workers", WORKER.owner, json.dumps(asdict(WORKER)))
        client.zadd(f"{key_prefix}workers_until", {WORKER.owner: until_ms})

    @pytest.mark.usefixtures("announced_before")
    def test_old_announcements_are_read_and_end(self, presence: RedisPresence, clock: ManualClock) -> None:
        assert presence.alive() == (WORKER,)
        assert presence.offered(within_seconds=60) == {LANE}
        clock.advance(seconds=11)
        assert presence.alive() == ()

    def test_the_version_before_reads_new_ones(
        self, presence: RedisPresence, client: Redis, key_prefix: str
    ) -> None:
        """It takes every value of the hash for one worker with one lane."""
        presence.announce(WORKER, ttl_seconds=10)
        (text,) = client.hvals(f"{key_prefix}workers")
        assert json.loads(text) == asdict(WORKER)
