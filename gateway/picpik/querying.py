"""Handlers of the actions that show or end tasks, and of those about the account."""

from collections.abc import Sequence
from typing import Final

from cutgate.gateway.accounts.accounts import UNMETERED_CREDITS
from cutgate.gateway.picpik import answers
from cutgate.gateway.picpik.caller import Caller
from cutgate.gateway.picpik.errors import Refused
from cutgate.gateway.picpik.fields import MAX_WAIT_SECONDS
from cutgate.gateway.picpik.rendering import detail_of, event_of, generate_task, listed_generate_task
from cutgate.gateway.picpik.requests import ListGenerateTaskDetail, ListTasksDetails, OneTask, Plain
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.waiting.callers import Wait
from cutgate.gateway.waiting.streams import Follow
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import logs
from cutgate.jobs.record import Task

_NAMED: Final = 16
"""The tasks of a request that its lines name."""


def list_tasks_details(
    request: ListTasksDetails, caller: Caller, parts: Parts
) -> answers.TaskDetails | Wait[answers.TaskDetails] | Follow:
    """Show tasks in the order of the request, at once or when one of them has ended, or tell how they go on."""
    _bind(request.uids)

    def show(found: Sequence[Task | None]) -> answers.TaskDetails:
        return answers.TaskDetails(task_detail_list=_details(request.uids, found, caller, parts))

    found = parts.tasks.find(caller.account.name, request.uids, caller.entry)
    if caller.wants_events and all(found) and parts.waiting.has_place(caller.account.name):
        seconds = request.wait_seconds or MAX_WAIT_SECONDS
        return Follow(request.uids, seconds, lambda uid, how: event_of(uid, how, parts.tasks, caller.base_url))
    has_news = any(task is None or task.ended_at_ms is not None for task in found)
    waits = request.wait_seconds and not (has_news or caller.wants_events)
    if not waits or not parts.waiting.has_place(caller.account.name):
        return show(found)
    return Wait(
        request.uids, request.wait_seconds, lambda: show(parts.tasks.find(caller.account.name, request.uids))
    )


def list_running_tasks(_: Plain, caller: Caller, parts: Parts) -> answers.TaskIds:
    """List the account's tasks that have not ended, oldest first."""
    return answers.TaskIds(task_uid_list=list(parts.store.tasks.unfinished(caller.account.name)))


def terminate_task(request: OneTask, caller: Caller, parts: Parts) -> answers.Answer:
    """End a task."""
    logs.bind(task_uid=request.uid)
    if not parts.store.tasks.terminate(request.uid, caller.account.name):
        raise _unknown_task()
    return answers.Answer()


def get_generate_task_detail(request: OneTask, caller: Caller, parts: Parts) -> answers.GenerateTask:
    """Show one task with the names of the older interface."""
    logs.bind(task_uid=request.uid)
    [task] = parts.tasks.find(caller.account.name, [request.uid], caller.entry)
    if task is None:
        raise _unknown_task()
    return generate_task(detail_of(request.uid, task, parts.tasks, caller.base_url))


def list_generate_task_detail(
    request: ListGenerateTaskDetail, caller: Caller, parts: Parts
) -> answers.GenerateTasks:
    """Show tasks with the names of the older interface."""
    _bind(request.uids)
    found = parts.tasks.find(caller.account.name, request.uids, caller.entry)
    details = _details(request.uids, found, caller, parts)
    return answers.GenerateTasks(task_detail_list=[listed_generate_task(detail) for detail in details])


def get_credit_balance(_: Plain, caller: Caller, parts: Parts) -> answers.CreditBalance:
    """Show the account's credits."""
    [(balance, booked)] = parts.store.accounts.credits([caller.account.name])
    if balance is None:
        return answers.CreditBalance(total_credits=UNMETERED_CREDITS, used_credits=booked, metered=False)
    return answers.CreditBalance(total_credits=balance.granted, used_credits=balance.used)


def list_models(_request: Plain, _caller: Caller, _parts: Parts) -> answers.ModelLists:
    """Show that there are no models for generating images."""
    return answers.ModelLists()


def _bind(uids: Sequence[TaskUid]) -> None:
    """Have the request's lines say which tasks it is about."""
    if len(uids) == 1:
        logs.bind(task_uid=uids[0])
    else:
        logs.bind(task_uids=list(uids[:_NAMED]))


def _details(
    uids: Sequence[TaskUid], found: Sequence[Task | None], caller: Caller, parts: Parts
) -> list[answers.TaskDetail]:
    return [detail_of(uid, task, parts.tasks, caller.base_url) for uid, task in zip(uids, found, strict=True)]


def _unknown_task() -> Refused:
    return Refused("not_available", "there is no such task, or its results have expired", name="TaskUID")
