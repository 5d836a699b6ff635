"""Workers as processes that start, stop, die, hang and grow, over a real server that comes and goes."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.record import ItemState
from tests.servers.redis_server import redis_server, restart
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, alone_and_together, crew, team
from tests.worker.process.harmful_worker import DIES_PX, HANGS_PX, LEAKS_PX, SLOW_PX

__all__ = ["team"]

NOT_YET_SECONDS = "120"
"""So long that whatever happens in a test did not come from this time-out."""
GROWN_BYTES = 300 * 2**20


def alive_of(team: Crew) -> set[str]:
    """The processes that are announced, each in several lanes."""
    return {worker.owner for worker in team.presence.alive()}


@alone_and_together(CUTGATE_LEASE_SECONDS=NOT_YET_SECONDS)
def test_a_dead_child_is_missed_and_all_that_it_held_reruns_at_once(team: Crew, at_once: int) -> None:
    worker = team.start_ready()
    uid = team.submit(*[SLOW_PX] * at_once)
    eventually(lambda: team.all_running(uid))
    os.kill(worker.child_pid(), signal.SIGKILL)
    eventually(lambda: [entry["items"] for entry in worker.log("child_gone")] == [at_once])
    # A new child has to start first, which takes 5 s on a busy machine; the lease would take 120.
    eventually(lambda: any(item.attempts == 2 for item in team.items(uid)))
    eventually(lambda: team.ended(uid))
    assert team.outcomes(uid) == {(ItemState.DONE, 2)}
    # One that was idle is missed as well, by presence and health check.
    second, file = alive_of(team), AliveFile(team.folder / "alive")
    eventually(lambda: file.fault() is None)
    os.kill(worker.child_pid(), signal.SIGKILL)
    eventually(lambda: file.fault() is not None)
    eventually(lambda: len(alive_of(team)) == 1 and not second & alive_of(team))
    eventually(lambda: file.fault() is None)


@alone_and_together(CUTGATE_LEASE_SECONDS=NOT_YET_SECONDS)
def test_a_picture_that_kills_every_worker_fails_at_last_and_alone(team: Crew, at_once: int) -> None:
    team.start_ready()
    uid = team.submit(SLOW_PX, DIES_PX, SLOW_PX, FINE_PX)
    eventually(lambda: team.ended(uid), seconds=60)
    first, poison, *others = team.items(uid)
    assert {item.state for item in (first, *others)} == {ItemState.DONE}
    assert (poison.state, poison.attempts) == (ItemState.FAILED, 3)
    assert poison.error is not None
    assert poison.error.kind == "worker_lost"
    assert "died in each of 3 attempts" in poison.error.message


@pytest.mark.long
@alone_and_together(CUTGATE_JOB_TIMEOUT_SECONDS="2", CUTGATE_LEASE_SECONDS="2")
def test_native_code_that_keeps_the_interpreters_lock(team: Crew, at_once: int) -> None:
    worker = team.start_ready()
    uid = team.submit(HANGS_PX)
    eventually(lambda: team.ended(uid))
    assert team.outcomes(uid) == {(ItemState.FAILED, 1)}
    error = team.item(uid).error
    assert error is not None
    assert error.kind == "timed_out"
    fine = team.submit(FINE_PX)
    eventually(lambda: team.ended(fine))
    assert team.item(fine).state is ItemState.DONE
    # Of one at a time, Celery's own time limit makes an end.
    assert len(worker.log("child_hangs")) == (at_once > 1)
    assert worker.process.poll() is None


@alone_and_together(CUTGATE_MAX_WORKER_BYTES=str(GROWN_BYTES))
def test_a_child_that_grew_too_large_is_replaced_after_its_work(team: Crew, at_once: int) -> None:
    worker = team.start_ready()
    uid = team.submit(SLOW_PX, *[LEAKS_PX] * 4, SLOW_PX)
    eventually(lambda: team.ended(uid))
    assert team.outcomes(uid) == {(ItemState.DONE, 1)}
    eventually(lambda: worker.log("child_gone"))
    assert {entry["items"] for entry in worker.log("child_gone")} == {0}
    entry = worker.log("worker_too_large")[0]
    assert entry["resident_bytes"] > entry["limit_bytes"] == GROWN_BYTES


class TestStop:
    @alone_and_together()
    def test_what_runs_is_finished_and_what_waits_is_left(self, team: Crew, at_once: int) -> None:
        worker = team.start_ready()
        running, waiting = team.submit(*[SLOW_PX] * at_once), team.submit(FINE_PX)
        eventually(lambda: team.all_running(running))
        worker.stop()
        assert worker.process.returncode == 0
        assert team.outcomes(running) == {(ItemState.DONE, 1)}
        assert team.outcomes(waiting) == {(ItemState.QUEUED, 0)}
        assert team.presence.alive() == ()

    @alone_and_together(CUTGATE_STOP_GRACE_SECONDS="0.3")
    def test_past_its_grace_it_is_given_back(self, team: Crew, at_once: int) -> None:
        worker = team.start_ready()
        uid = team.submit(*[SLOW_PX] * at_once)
        eventually(lambda: team.all_running(uid))
        worker.stop()
        assert worker.process.returncode == 0
        assert team.outcomes(uid) == {(ItemState.QUEUED, 0)}
        assert team.presence.alive() == ()


class TestRefusal:
    def test_a_child_that_dies_while_it_loads(self, team: Crew) -> None:
        assert "while it was loading" in team.start("dies-loading").refusal()["reason"]

    @pytest.mark.long
    def test_a_server_that_evicts(self, tmp_path: Path) -> None:
        with redis_server("--maxmemory-policy", "allkeys-lru") as url, crew(url, tmp_path) as team:
            assert "noeviction" in team.start().refusal()["reason"]


@pytest.mark.long
class TestServer:
    @pytest.mark.parametrize("team", [{"CUTGATE_LEASE_SECONDS": "1"}], indirect=True)
    def test_it_may_come_later_with_what_a_worker_lost(self, own_url: str, team: Crew, tmp_path: Path) -> None:
        uid, later = team.submit(FINE_PX), tmp_path / "later.sock"
        assert team.ledger.claims.take([team.lane], "lost", new_token()) is not None
        worker = team.start(CUTGATE_REDIS_URL=f"unix://{later}")
        eventually(lambda: len(worker.log("waiting_for_service")) == 1)
        later.symlink_to(urlsplit(own_url).path)
        eventually(lambda: team.ended(uid))
        assert team.outcomes(uid) == {(ItemState.DONE, 2)}
        assert len(worker.log("waiting_for_service")) == 1

    def test_it_may_start_anew_meanwhile(self, own_url: str, team: Crew) -> None:
        team.start_ready()
        uid = team.submit(SLOW_PX, FINE_PX)
        eventually(lambda: team.item(uid).state is ItemState.RUNNING)
        restart(own_url)
        eventually(lambda: team.ended(uid))
        assert team.outcomes(uid) == {(ItemState.DONE, 1)}
