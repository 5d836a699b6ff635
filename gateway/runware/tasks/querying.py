"""Handlers of the tasks that show other tasks."""

from __future__ import annotations

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.memo import Memo
from cutgate.gateway.runware.messages.reading import read_fields
from cutgate.gateway.runware.messages.requests import Plain
from cutgate.gateway.runware.tasks.accepting import key_of
from cutgate.gateway.runware.tasks.services import Asked, Caller, Services
from cutgate.jobs.record import Task


def get_response(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome | Pending:
    """Show how a task ended, or that it has not, after waiting for it a moment where there is a place."""
    read_fields(Plain, task)
    found = _find(asked, caller, services)

    def settle(now: Task | None) -> Outcome | None:
        if now is None:
            raise faults.TaskUnknown
        return services.rendering.result(now, caller.base_url, asked.task_uuid)

    def give_up() -> Outcome:
        return services.rendering.progress(found, asked.task_uuid)

    outcome = settle(found)
    if outcome is not None:
        return outcome
    if not caller.take_place():
        return give_up()
    return Pending(
        echo=asked.echo(),
        account=found.account,
        uid=found.uid,
        wait_seconds=services.poll_seconds,
        settle=settle,
        give_up=give_up,
        is_result=False,
    )


def get_task_details(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome:
    """Show what was asked for in a task, and what was answered."""
    read_fields(Plain, task)
    found = _find(asked, caller, services)
    outcome = services.rendering.result(found, caller.base_url) or services.rendering.progress(found)
    return Outcome(item=asked.echo() | {"request": [Memo.of(found).request], "response": outcome.message()})


def _find(asked: Asked, caller: Caller, services: Services) -> Task:
    found = services.tasks.named(caller.account.name, key_of(asked.task_uuid))
    if found is None:
        raise faults.TaskUnknown
    return found
