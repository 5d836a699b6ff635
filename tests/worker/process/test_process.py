"""Workers as processes that die, hang and grow, over a real server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.record import ItemState
from tests.servers.redis_server import redis_server
from tests.waiting import eventually
from tests.worker.process.crew import Crew, Worker, crew
from tests.worker.process.harmful_worker import DIES_PX, HANGS_PX, LEAKS_PX, SLOW_PX

FINE_PX = 40
NOT_YET_SECONDS = "300"
"""So long that whatever happens in a test did not come from this time-out."""


Ready = tuple[Crew, Worker]


@pytest.fixture(scope="class")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """A worker that survives its children."""
    with redis_server() as url, crew(url, tmp_path_factory.mktemp("crew"), CUTGATE_LEASE_SECONDS="60") as team:
        yield team, team.start_ready()


class TestDeath:
    def test_the_item_reruns_at_once(self, ready: Ready) -> None:
        team, worker = ready
        gone = len(worker.log("child_gone"))
        uid = team.submit(SLOW_PX)
        eventually(lambda: team.item(uid).state is ItemState.RUNNING)
        os.kill(worker.child_pid(), signal.SIGKILL)
        assert eventually(lambda: team.item(uid).attempts == 2) < 5
        eventually(lambda: team.ended(uid))
        assert team.item(uid).state is ItemState.DONE
        assert [entry["items"] for entry in worker.log("child_gone")][gone:] == [1]

    def test_a_picture_that_kills_every_worker_fails_at_last(self, ready: Ready) -> None:
        team, _ = ready
        uid = team.submit(DIES_PX, FINE_PX)
        eventually(lambda: team.ended(uid))
        poison, fine = team.items(uid)
        assert (poison.state, poison.attempts) == (ItemState.FAILED, 3)
        assert poison.error is not None
        assert poison.error.kind == "worker_lost"
        assert "died in each of 3 attempts" in poison.error.message
        assert fine.state is ItemState.DONE

    def test_an_idle_child_is_missed_at_once(self, own_url: str, tmp_path: Path) -> None:
        with crew(own_url, tmp_path, CUTGATE_BEAT_SECONDS=NOT_YET_SECONDS) as team:
            worker = team.start_ready()
            (first,) = team.presence.alive()
            os.kill(worker.child_pid(), signal.SIGKILL)
            assert eventually(lambda: first not in team.presence.alive()) < 5
            eventually(lambda: len(team.presence.alive()) == 1)


class TestHang:
    def test_native_code_that_keeps_the_interpreters_lock(self, own_url: str, tmp_path: Path) -> None:
        limits = {"CUTGATE_JOB_TIMEOUT_SECONDS": "2", "CUTGATE_LEASE_SECONDS": "2"}
        with crew(own_url, tmp_path, **limits) as team:
            worker = team.start_ready()
            uid = team.submit(HANGS_PX, FINE_PX)
            assert eventually(lambda: team.ended(uid)) < 15
            hung, fine = team.items(uid)
            assert (hung.state, hung.attempts) == (ItemState.FAILED, 1)
            assert hung.error is not None
            assert hung.error.kind == "timed_out"
            assert fine.state is ItemState.DONE
            assert worker.process.poll() is None


class TestGrowth:
    def test_a_child_that_grew_too_large_is_replaced_between_items(self, own_url: str, tmp_path: Path) -> None:
        with crew(own_url, tmp_path, CUTGATE_MAX_WORKER_BYTES=str(300 * 2**20)) as team:
            worker = team.start_ready()
            uid = team.submit(*[LEAKS_PX] * 3)
            eventually(lambda: team.ended(uid))
            assert {(item.state, item.attempts) for item in team.items(uid)} == {(ItemState.DONE, 1)}
            eventually(lambda: len(worker.log("child_gone")) == 1)
            (entry,) = worker.log("worker_too_large")
            assert entry["resident_bytes"] > entry["limit_bytes"] == 300 * 2**20


class TestUpkeep:
    def test_a_lost_workers_item_is_taken_over(self, own_url: str, tmp_path: Path) -> None:
        with crew(own_url, tmp_path, CUTGATE_LEASE_SECONDS="1") as team:
            uid = team.submit(FINE_PX)
            assert team.ledger.claim([team.lane], "lost", new_token()) is not None
            team.start_ready()
            eventually(lambda: team.ended(uid))
            item = team.item(uid)
            assert (item.state, item.attempts) == (ItemState.DONE, 2)

    def test_blobs_without_a_record_go(self, own_url: str, tmp_path: Path) -> None:
        with crew(own_url, tmp_path) as team:
            old = team.leave_orphan(made_days_ago=2)
            young = team.leave_orphan(made_days_ago=0)
            team.start_ready()
            eventually(lambda: old not in set(team.blobs.tasks()))
            assert young in set(team.blobs.tasks())
