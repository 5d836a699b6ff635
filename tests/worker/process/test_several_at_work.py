"""A worker as a process that does several items at once: it dies, hangs, grows and stops, over a real server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import ItemState
from tests.waiting import eventually
from tests.worker.process.crew import Crew, crew
from tests.worker.process.harmful_worker import DIES_PX, HANGS_PX, LEAKS_PX, SLOW_PX

pytestmark = pytest.mark.long

FINE_PX = 40
TOGETHER = {"CUTGATE_ITEMS_AT_ONCE": "3", "CUTGATE_PICTURES_PER_RUN": "3", "CUTGATE_LEASE_SECONDS": "60"}


@pytest.fixture
def team(own_url: str, tmp_path: Path) -> Iterator[Crew]:
    with crew(own_url, tmp_path, **TOGETHER) as made:
        yield made


def outcomes(team: Crew, uid: TaskUid) -> set[tuple[ItemState, int]]:
    return {(item.state, item.attempts) for item in team.items(uid)}


def all_running(team: Crew, uid: TaskUid) -> bool:
    return {item.state for item in team.items(uid)} == {ItemState.RUNNING}


def test_all_that_a_dead_child_held_reruns_at_once(team: Crew) -> None:
    worker = team.start_ready()
    uid = team.submit(*[SLOW_PX] * 3)
    eventually(lambda: all_running(team, uid))
    os.kill(worker.child_pid(), signal.SIGKILL)
    eventually(lambda: [entry["items"] for entry in worker.log("child_gone")] == [3], seconds=5)
    eventually(lambda: team.ended(uid))
    assert outcomes(team, uid) == {(ItemState.DONE, 2)}


def test_a_picture_that_kills_takes_no_other_with_it(team: Crew) -> None:
    team.start_ready()
    uid = team.submit(SLOW_PX, DIES_PX, SLOW_PX, FINE_PX)
    eventually(lambda: team.ended(uid), seconds=60)
    items = team.items(uid)
    assert [item.state for item in items] == [ItemState.DONE, ItemState.FAILED, ItemState.DONE, ItemState.DONE]
    assert items[1].error is not None
    assert items[1].error.kind == "worker_lost"
    assert items[1].attempts == 3


def test_native_code_that_hangs(own_url: str, tmp_path: Path) -> None:
    limits = {"CUTGATE_JOB_TIMEOUT_SECONDS": "2", "CUTGATE_LEASE_SECONDS": "2"}
    with crew(own_url, tmp_path, **TOGETHER | limits) as team:
        worker = team.start_ready()
        uid = team.submit(HANGS_PX)
        eventually(lambda: team.ended(uid), seconds=15)
        hung = team.item(uid)
        assert (hung.state, hung.attempts) == (ItemState.FAILED, 1)
        assert hung.error is not None
        assert hung.error.kind == "timed_out"
        fine = team.submit(FINE_PX)
        eventually(lambda: team.ended(fine), seconds=15)
        assert team.item(fine).state is ItemState.DONE
        assert len(worker.log("child_hangs")) == 1
        assert worker.process.poll() is None


def test_a_child_that_grew_too_large_ends_what_is_under_way(own_url: str, tmp_path: Path) -> None:
    with crew(own_url, tmp_path, **TOGETHER, CUTGATE_MAX_WORKER_BYTES=str(300 * 2**20)) as team:
        worker = team.start_ready()
        uid = team.submit(SLOW_PX, *[LEAKS_PX] * 4, SLOW_PX)
        eventually(lambda: team.ended(uid))
        assert outcomes(team, uid) == {(ItemState.DONE, 1)}
        eventually(lambda: len(worker.log("child_gone")) >= 1)
        assert {entry["items"] for entry in worker.log("child_gone")} == {0}


def test_what_is_under_way_is_finished_at_a_stop(team: Crew) -> None:
    worker = team.start_ready()
    uid = team.submit(*[SLOW_PX] * 3)
    more = team.submit(FINE_PX)
    eventually(lambda: all_running(team, uid))
    worker.stop()
    assert worker.process.returncode == 0
    assert outcomes(team, uid) == {(ItemState.DONE, 1)}
    assert outcomes(team, more) == {(ItemState.QUEUED, 0)}
    assert team.presence.alive() == ()


def test_past_the_grace_all_of_it_is_given_back(team: Crew) -> None:
    worker = team.start_ready(CUTGATE_STOP_GRACE_SECONDS="0.3")
    uid = team.submit(*[SLOW_PX] * 2)
    eventually(lambda: all_running(team, uid))
    assert worker.stop() < 10
    assert worker.process.returncode == 0
    assert outcomes(team, uid) == {(ItemState.QUEUED, 0)}
    assert team.presence.alive() == ()
