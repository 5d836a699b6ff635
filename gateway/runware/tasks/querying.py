"""Handlers of the tasks that show other tasks, and the account."""

import uuid
from typing import Final

from cutgate.gateway.runware.messages.errors import Refused
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.rendering import StoredRequest
from cutgate.gateway.runware.messages.requests import AccountManagement, Plain
from cutgate.gateway.runware.tasks.context import TaskContext
from cutgate.jobs.record import Task

POLL_SECONDS: Final = 1.0
"""How long a poll waits for the end of its task. One client polls every 2 s without waiting for the answer, and
loses answers if polls overlap. Another one sleeps for 30 s after `processing`, so a poll waits at all."""
_ORGANIZATIONS: Final = uuid.UUID("8f2f7c4e-93b1-4b7a-9a86-4a4b1d0f6f52")
"""Names organizations by their accounts."""


def get_response(_request: Plain, _task: JsonObject, context: TaskContext) -> Outcome | Pending:
    """Show a task's state. The answer waits a moment for the task to end."""
    found = _find(context)

    def give_up() -> Outcome:
        return context.rendering.progress(found, context.task_uuid)

    outcome = context.result(found)
    if outcome is not None:
        return outcome
    if not context.caller.take_place():
        return give_up()
    return Pending(
        echo=context.echo(),
        account=found.account,
        uid=found.uid,
        wait_seconds=min(POLL_SECONDS, context.parts.settings.runware_sync_seconds),
        settle=context.result,
        give_up=give_up,
        is_result=False,
    )


def get_task_details(_request: Plain, _task: JsonObject, context: TaskContext) -> Outcome:
    """Show what was asked for in a task, and what was answered."""
    found, rendering = _find(context), context.rendering
    outcome = rendering.result(found, context.caller.base_url) or rendering.progress(found)
    request = StoredRequest.of(found).request
    return Outcome(item=context.echo() | {"request": [request], "response": outcome.message()})


def account_management(request: AccountManagement, _task: JsonObject, context: TaskContext) -> Outcome:
    """Show the account: one organization, without a team."""
    name, store = context.account.name, context.parts.store
    [(balance, booked)] = store.accounts.credits([name])
    available = 0 if balance is None else balance.available
    usage = {"metered": balance is not None, "usedCredits": booked}
    if balance is not None:
        usage |= {"grantedCredits": balance.granted, "availableCredits": available}
    return Outcome(
        item=context.echo()
        | {
            "operation": request.operation,
            "organizationUUID": str(uuid.uuid5(_ORGANIZATIONS, name)),
            "organizationName": name,
            "balance": context.rendering.usd(available),
            "team": [],
            "apiKeys": [],
            "usage": usage,
        }
    )


def _find(context: TaskContext) -> Task:
    found = context.parts.tasks.named(context.account.name, context.key, context.entry)
    if found is None:
        raise Refused("unknown_task")
    return found
