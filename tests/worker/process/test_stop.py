"""Workers as processes that start and stop, over a real server that comes and goes."""

from pathlib import Path
from urllib.parse import urlsplit

from cutgate.jobs.record import ItemState
from tests.servers.redis_server import redis_server, restart
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, alone_and_together, crew, team
from tests.worker.process.harmful_worker import SLOW_PX

__all__ = ["team"]


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
        assert worker.stop() < 40
        assert worker.process.returncode == 0
        assert team.outcomes(uid) == {(ItemState.QUEUED, 0)}
        assert team.presence.alive() == ()
        team.start_ready(CUTGATE_STOP_GRACE_SECONDS="60")
        assert eventually(lambda: team.ended(uid)) < 15
        assert team.outcomes(uid) == {(ItemState.DONE, 1)}

    def test_a_rolling_restart_loses_nothing(self, team: Crew) -> None:
        crew_now = [team.start_ready(), team.start_ready()]
        uid = team.submit(*[SLOW_PX, *[FINE_PX] * 9] * 3)
        for worker in crew_now:
            worker.stop()
            assert worker.process.returncode == 0
            team.start_ready()
        eventually(lambda: team.ended(uid))
        assert team.outcomes(uid) == {(ItemState.DONE, 1)}


class TestRefusal:
    def test_a_child_that_dies_while_it_loads(self, team: Crew) -> None:
        assert "while it was loading" in team.start("dies-loading").refusal()["reason"]

    def test_a_server_that_evicts(self, tmp_path: Path) -> None:
        with redis_server("--maxmemory-policy", "allkeys-lru") as url, crew(url, tmp_path) as team:
            assert "noeviction" in team.start().refusal()["reason"]


class TestServer:
    def test_it_may_come_later(self, own_url: str, team: Crew, tmp_path: Path) -> None:
        later = tmp_path / "later.sock"
        worker = team.start(CUTGATE_REDIS_URL=f"unix://{later}")
        eventually(lambda: len(worker.log("waiting_for_service")) == 1)
        later.symlink_to(urlsplit(own_url).path)
        uid = team.submit(FINE_PX)
        eventually(lambda: team.ended(uid))
        assert team.item(uid).state is ItemState.DONE
        assert len(worker.log("waiting_for_service")) == 1

    def test_it_may_start_anew_meanwhile(self, own_url: str, team: Crew) -> None:
        team.start_ready()
        uid = team.submit(SLOW_PX, FINE_PX)
        eventually(lambda: team.item(uid).state is ItemState.RUNNING)
        restart(own_url)
        eventually(lambda: team.ended(uid))
        assert team.outcomes(uid) == {(ItemState.DONE, 1)}
