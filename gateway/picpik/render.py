"""Records as PICPIK's clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from gateway.picpik.errors import NOT_FOUND_CODE, TaskRow, task_row_for
from gateway.query import Tasks
from jobs.ids import TaskUid
from jobs.record import Item, Task, TaskStatus

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Members: TypeAlias = "dict[str, Json]"
"""Members of an answer."""

_STATUSES: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.QUEUING: "Queuing",
    TaskStatus.RUNNING: "Running",
    TaskStatus.FINISHED: "Finished",
    TaskStatus.ERROR: "Error",
}
_NO_ERROR: Final = TaskRow(0, "")


def task_detail(uid: TaskUid, task: Task | None, tasks: Tasks, base_url: str) -> Members:
    """An entry of `TaskDetailList`; it has all its members, whatever the state.

    Args:
        uid: the id that was asked for.
        task: what stands under it for this account; None where nothing does.
        tasks: knows the paths of results.
        base_url: scheme and host in front of them.
    """
    if task is None:
        return _entry(uid, "", "Error", [], 0, TaskRow(NOT_FOUND_CODE, f"Task [{uid}] not found"))
    urls: list[Json] = []
    if task.status is TaskStatus.FINISHED:
        urls = [_url(item, task, tasks, base_url) for item in task.items]
    return _entry(uid, task.origin, _STATUSES[task.status], urls, task.booked, _error(task))


def _url(item: Item, task: Task, tasks: Tasks, base_url: str) -> str:
    return "" if item.result is None else base_url + tasks.result_path(task, item.result)


def _error(task: Task) -> TaskRow:
    """The first failed picture's error, once the task has ended."""
    if task.status not in {TaskStatus.FINISHED, TaskStatus.ERROR}:
        return _NO_ERROR
    return next((task_row_for(item.error.kind) for item in task.items if item.error), _NO_ERROR)


def _entry(uid: str, action: str, status: str, urls: list[Json], points: int, error: TaskRow) -> Members:
    return {
        "TaskUID": uid,
        "Action": action,
        "Status": status,
        "ImgList": urls,
        "Seed": 0,
        "TxtList": [],
        "ConsumeApiPoint": points,
        "ErrorCode": error.error_code,
        "ErrorMassage": error.message,
        "ErrorMessage": error.message,
    }
