"""Who is alive, over every implementation."""

from __future__ import annotations

from dataclasses import replace

from jobs.presence import Presence, WorkerPresence
from jobs.testing import ManualClock
from tests.test_jobs.build import LANE

WORKER = WorkerPresence(
    owner="host-1:4711",
    lane=LANE,
    model="isnet-general-use",
    engine="onnxruntime 1.31.0",
    provider="CPUExecutionProvider",
    numbers="fp32",
    threads=4,
)


def test_nobody(presence: Presence) -> None:
    assert presence.alive() == ()


def test_who_announces_itself_is_alive_by_owner(presence: Presence) -> None:
    other = replace(WORKER, owner="a-host:1")
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(other, ttl_seconds=10)
    assert presence.alive() == (other, WORKER)


def test_the_silent_are_gone(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (WORKER,)
    clock.advance(seconds=5)
    assert presence.alive() == ()


def test_announcing_again_prolongs_and_replaces(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    presence.announce(replace(WORKER, threads=8), ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (replace(WORKER, threads=8),)


def test_who_leaves_is_gone_at_once(presence: Presence) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    presence.leave(WORKER.owner)
    presence.leave("nobody")
    assert presence.alive() == ()


def test_one_silent_worker_takes_no_other_along(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=5)
    other = replace(WORKER, owner="a-host:1")
    presence.announce(other, ttl_seconds=50)
    clock.advance(seconds=20)
    assert presence.alive() == (other,)
