"""What a callback says in PICPIK's terms: what a poll would have said."""

from __future__ import annotations

import json

import pytest

from cutgate.gateway.picpik.rendering import renderers
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.ids import parse_task_uid
from cutgate.jobs.record import Task
from cutgate.jobs.urls import ResultPaths
from tests.gateway.harness import ACCOUNT, Harness
from tests.jobs.build import ERROR

BASE_URL = "http://localhost"


@pytest.mark.parametrize("ends_well", [True, False])
@pytest.mark.parametrize("action", ["RemoveBackground", "RemoveBackgroundsInBatch"])
def test_it_is_the_entry_of_a_poll(gateway: Harness, action: str, ends_well: bool) -> None:
    gateway = gateway
    uid = gateway.submit() if action == "RemoveBackground" else gateway.submit_batch(1)
    if ends_well:
        gateway.finish_one()
    else:
        gateway.fail_one(ERROR)
    settings = gateway.settings
    tasks = Tasks(
        store=gateway.store,
        paths=ResultPaths(settings.master_key_bytes()),
        retention_seconds=settings.retention_seconds,
    )
    task = gateway.store.get(parse_task_uid(uid), ACCOUNT)
    assert isinstance(task, Task)
    render = renderers(tasks, BASE_URL)[action]
    assert json.loads(render(task)) == gateway.detail(uid)
    assert render(task) == render(task)
