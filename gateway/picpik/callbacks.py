"""What a callback says of a task in PICPIK's terms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.picpik.rendering import View
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.record import Task


def renderers(tasks: Tasks, base_url: str) -> Mapping[str, Callable[[Task], bytes]]:
    """The bodies of callbacks, by the action that made the task: its entry of `ListTasksDetails`.

    Args:
        tasks: knows the paths of results.
        base_url: scheme and host in front of them.
    """

    def body(task: Task) -> bytes:
        entry = View.of(task.uid, task, tasks, base_url).detail()
        return json.dumps(entry.model_dump(by_alias=True, exclude_none=True)).encode()

    return dict.fromkeys(ACTIONS, body)
