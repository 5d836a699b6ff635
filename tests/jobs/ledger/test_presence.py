"""Who is alive."""

from dataclasses import replace

from cutgate.jobs.ports import Presence
from tests.fakes import ManualClock
from tests.jobs import every_script
from tests.jobs.build import LANE, OTHER_LANE

WORKER = replace(every_script.WORKER, owner="host-1:4711")


def test_who_announces_itself_is_alive_by_owner(presence: Presence) -> None:
    assert presence.alive() == ()
    other = replace(WORKER, owner="a-host:1")
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(other, ttl_seconds=10)
    assert presence.alive() == (other, WORKER)


def test_announcing_again_prolongs_and_replaces(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    presence.announce(replace(WORKER, threads=8), ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (replace(WORKER, threads=8),)
    clock.advance(seconds=5)
    assert presence.alive() == ()


def test_one_silent_worker_takes_no_other_along(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=5)
    other = replace(WORKER, owner="a-host:1")
    presence.announce(other, ttl_seconds=50)
    clock.advance(seconds=20)
    assert presence.alive() == (other,)


def test_a_worker_of_several_lanes_is_alive_in_each(presence: Presence, clock: ManualClock) -> None:
    other = replace(WORKER, lane=OTHER_LANE, model="u2netp")
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (neighbour, other, WORKER):
        presence.announce(worker, ttl_seconds=10)
    assert presence.alive() == (WORKER, other, neighbour)
    clock.advance(seconds=6)
    presence.announce(other, ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (other,)


def test_who_leaves_is_gone_from_every_lane(presence: Presence) -> None:
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (WORKER, replace(WORKER, lane=OTHER_LANE), neighbour):
        presence.announce(worker, ttl_seconds=10)
    presence.leave(WORKER.owner)
    presence.leave("nobody")
    assert presence.alive() == (neighbour,)


def test_a_lane_counts_as_offered_for_a_while(presence: Presence, clock: ManualClock) -> None:
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
