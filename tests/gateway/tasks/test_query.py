"""Tasks by the name of their request, and how long the paths of results are good."""

from __future__ import annotations

import pytest

from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.urls import ResultPaths
from tests.gateway.harness import there
from tests.gateway.use_cases import INLINE, House


@pytest.fixture
def house() -> House:
    return House()


def tasks_of(house: House) -> Tasks:
    return Tasks(store=house.store, paths=ResultPaths(bytes(32)), retention_seconds=1_000)


def test_a_task_is_found_by_the_name_of_its_request_and_its_account(house: House) -> None:
    task = house.submit(INLINE, key="key", memo="what was asked")
    tasks = tasks_of(house)
    named = there(tasks.named("a", "key"))
    assert (named.uid, named.memo) == (task.uid, "what was asked")
    assert tasks.named("stranger", "key") is None
    assert tasks.named("a", "another") is None


@pytest.mark.parametrize(("ttl_seconds", "good_seconds"), [(None, 1_000), (60, 60), (5_000, 1_000)])
def test_a_path_is_good_for_the_retention_or_less(
    house: House, ttl_seconds: float | None, good_seconds: int
) -> None:
    uid = house.submit(INLINE).uid
    house.finish_one()
    [task] = tasks_of(house).find("a", [uid])
    ended_at_ms, result = there(there(task).ended_at_ms), there(there(task).items[0].result)
    path = tasks_of(house).result_path(there(task), result, ttl_seconds)
    assert path == tasks_of(house).result_path(there(task), result, ttl_seconds)
    assert path.split("/")[3] == str(int(ended_at_ms / 1_000 + good_seconds))
    with pytest.raises(ValueError, match="not ended"):
        tasks_of(house).result_path(house.submit(INLINE), result)
