"""Places to wait: what a call takes that must have its answer at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.wait import NoPlaceToWait, Waits
from cutgate.jobs.ids import TaskUid, parse_task_uid
from cutgate.jobs.record import Task, TaskStatus
from cutgate.jobs.urls import ResultPaths
from tests.gateway.harness import ACCOUNT, Harness

LONG_SECONDS = 20.0
SOON_SECONDS = 2.0


def waits_of(gateway: Harness, at_once: int) -> Waits:
    paths = ResultPaths(gateway.settings.master_key_bytes())
    return Waits(Tasks(store=gateway.store, paths=paths, retention_seconds=1), gateway.events, at_once)


def submit(gateway: Harness) -> TaskUid:
    return parse_task_uid(gateway.submit())


def statuses(found: tuple[Task | None, ...]) -> list[TaskStatus]:
    return [cast("Task", task).status for task in found]


def test_no_place_is_told_before_anything_is_done(gateway: Harness) -> None:
    waits = waits_of(gateway, at_once=1)
    with waits.place(), pytest.raises(NoPlaceToWait), waits.place():
        raise AssertionError("there was a place")
    with waits.place():
        pass


def test_a_place_is_free_again_after_an_error(gateway: Harness) -> None:
    waits = waits_of(gateway, at_once=1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), waits.place():
            raise ZeroDivisionError


def test_both_ways_of_waiting_share_the_places(gateway: Harness) -> None:
    waits = waits_of(gateway, at_once=1)
    uid = submit(gateway)
    with waits.place():
        started_at = time.monotonic()
        assert statuses(waits.find(ACCOUNT, [uid], LONG_SECONDS)) == [TaskStatus.QUEUING]
        assert time.monotonic() - started_at < SOON_SECONDS


def test_it_waits_for_one_of_its_tasks(gateway: Harness) -> None:
    waits = waits_of(gateway, at_once=1)
    uids = [submit(gateway), submit(gateway)]

    def wait() -> tuple[Task | None, ...]:
        with waits.place() as place:
            return place.find(ACCOUNT, uids, LONG_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(wait)
        gateway.finish_one()
        found = future.result(SOON_SECONDS)
    assert statuses(found) == [TaskStatus.FINISHED, TaskStatus.QUEUING]


def test_the_time_is_kept(gateway: Harness) -> None:
    uids = [submit(gateway), submit(gateway)]
    with waits_of(gateway, at_once=1).place() as place:
        found = place.find(ACCOUNT, uids, 0.1)
    assert statuses(found) == [TaskStatus.QUEUING, TaskStatus.QUEUING]
