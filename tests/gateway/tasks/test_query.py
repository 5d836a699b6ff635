"""Tasks by the name of their request, and how long the paths of results are good."""

from __future__ import annotations

import pytest

from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.jobs.ids import TaskUid, parse_task_uid
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.record import Task
from cutgate.jobs.spec import CutoutSpec
from cutgate.jobs.urls import ResultPaths
from tests.fakes import InlineQueue
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, Harness

RETENTION_SECONDS = 1_000


def tasks_of(gateway: Harness) -> Tasks:
    paths = ResultPaths(gateway.settings.master_key_bytes())
    return Tasks(store=gateway.store, paths=paths, retention_seconds=RETENTION_SECONDS)


def submit(gateway: Harness, key: str) -> TaskUid:
    part = Submissions(
        store=gateway.store,
        blobs=gateway.blobs,
        queue=InlineQueue(gateway.hints.append),
        limits=SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500),
        price=1,
        offers=Offers(presence=gateway.presence, own=gateway.settings.choice, memory_seconds=1),
    )
    draft = Draft(source=pictures.BASE64_8X8, spec=CutoutSpec(model=gateway.settings.model))
    return part.submit(ACCOUNT, "Cut", [draft], key, memo="what was asked")


def found(gateway: Harness, uid: str) -> Task:
    (task,) = tasks_of(gateway).find(ACCOUNT, [parse_task_uid(uid)])
    assert task is not None
    return task


def test_a_task_is_found_by_the_name_of_its_request(gateway: Harness) -> None:
    uid = submit(gateway, "key")
    named = tasks_of(gateway).named(ACCOUNT, "key")
    assert named is not None
    assert (named.uid, named.memo) == (uid, "what was asked")


def test_a_name_counts_for_its_account_only(gateway: Harness) -> None:
    submit(gateway, "key")
    assert tasks_of(gateway).named("stranger", "key") is None
    assert tasks_of(gateway).named(ACCOUNT, "another") is None


@pytest.mark.parametrize(("ttl_seconds", "good_seconds"), [(None, 1_000), (60, 60), (5_000, 1_000)])
def test_a_path_is_good_for_the_retention_or_less(
    gateway: Harness, ttl_seconds: float | None, good_seconds: int
) -> None:
    uid = gateway.submit()
    result = gateway.finish_one()
    task = found(gateway, uid)
    assert task.ended_at_ms is not None
    path = tasks_of(gateway).result_path(task, result, ttl_seconds)
    assert path == tasks_of(gateway).result_path(task, result, ttl_seconds)
    assert path.split("/")[3] == str(int(task.ended_at_ms / 1_000 + good_seconds))


def test_a_task_that_has_not_ended_has_no_path(gateway: Harness) -> None:
    first, second = gateway.submit(), gateway.submit()
    result = gateway.finish_one()
    assert found(gateway, first).ended_at_ms is not None
    with pytest.raises(ValueError, match="not ended"):
        tasks_of(gateway).result_path(found(gateway, second), result)
