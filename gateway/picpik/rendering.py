"""Records as PICPIK's clients read them: in answers, and in callbacks."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from cutgate.gateway.picpik.answers import GenerateTask, ListedGenerateTask, TaskDetail
from cutgate.gateway.picpik.errors import NOT_FOUND_CODE, TERMINATED, TIMED_OUT, TaskRow, task_row_for
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.answers import Progress
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task, TaskStatus

SINGLE: Final = "RemoveBackground"
BATCH: Final = "RemoveBackgroundsInBatch"
REFINE: Final = "RefineTask"
"""The actions that make tasks; those of the second hold several pictures."""

_TASK_TYPE: Final = "TaskRemoveBackground"
_ERROR: Final = "Error"
_STATUSES: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.QUEUING: "Queuing",
    TaskStatus.RUNNING: "Running",
    TaskStatus.FINISHED: "Finished",
    TaskStatus.ERROR: _ERROR,
}
_NO_ERROR: Final = TaskRow("", 0)


def detail_of(uid: TaskUid, task: Task | None, tasks: Tasks, base_url: str) -> TaskDetail:
    """An entry of `ListTasksDetails`: the task that stands under an id for this account, or that none does."""
    error = TaskRow(f"Task [{uid}] not found", NOT_FOUND_CODE) if task is None else _error(task)
    results = [item.result for item in task.items] if task and task.status is TaskStatus.FINISHED else []
    return TaskDetail(
        task_uid=uid,
        action=task.origin if task else "",
        # A batch that was terminated is an error, although what it has finished is charged and shown.
        status=_ERROR if task is None or error == TERMINATED else _STATUSES[task.status],
        img_list=[base_url + tasks.result_path(task, result) if task and result else "" for result in results],
        confidence_list=[result.confidence if result else None for result in results],
        consume_api_point=task.booked if task else 0,
        error_code=error.error_code,
        error_massage=error.message,
        error_message=error.message,
    )


def event_of(uid: TaskUid, progress: Progress | None, tasks: Tasks, base_url: str) -> bytes:
    """An event that tells how far a task is: the entry of `ListTasksDetails`, with `Place` or `Phase`."""
    detail = detail_of(uid, None if progress is None else progress.task, tasks, base_url)
    entry = detail.model_dump(by_alias=True, exclude_none=True)
    if progress is not None and progress.task.status is TaskStatus.QUEUING:
        entry["Place"] = progress.place
    if progress is not None and progress.task.status is TaskStatus.RUNNING:
        entry["Phase"] = progress.phase
    return b"event: task\ndata: " + json.dumps(entry).encode() + b"\n\n"


def generate_task(detail: TaskDetail) -> GenerateTask:
    """The answer of `GetGenerateTaskDetail`."""
    return GenerateTask(
        task_type=_TASK_TYPE if detail.action else "",
        task_status=detail.status,
        final_picture_urls=detail.img_list,
        task_error_msg=detail.error_message,
        task_error_code=detail.error_code,
    )


def listed_generate_task(detail: TaskDetail) -> ListedGenerateTask:
    """An entry of `ListGenerateTaskDetail`."""
    return ListedGenerateTask(task_uid=detail.task_uid, **generate_task(detail).model_dump())


def renderers(tasks: Tasks, base_url: str) -> Mapping[str, Callable[[Task], bytes]]:
    """The bodies of callbacks, by the action that made the task: its entry of `ListTasksDetails`."""

    def body(task: Task) -> bytes:
        entry = detail_of(task.uid, task, tasks, base_url)
        return json.dumps(entry.model_dump(by_alias=True, exclude_none=True)).encode()

    return dict.fromkeys((SINGLE, BATCH, REFINE), body)


def _error(task: Task) -> TaskRow:
    """What went wrong with a task that has ended."""
    failed = {item.index: task_row_for(item.error.kind) for item in task.items if item.error}
    if not failed or task.ended_at_ms is None:
        return _NO_ERROR
    if TERMINATED in failed.values():
        return TERMINATED
    if task.origin != BATCH:
        return next(iter(failed.values()))
    indices: dict[TaskRow, list[int]] = {}
    for index, row in failed.items():
        indices.setdefault(row, []).append(index)
    message = "; ".join(f"RawImages {places}: {row.message}" for row, places in indices.items())
    all_timed_out = task.status is TaskStatus.ERROR and set(indices) == {TIMED_OUT}
    return TaskRow(message, TIMED_OUT.error_code) if all_timed_out else TaskRow(message)
