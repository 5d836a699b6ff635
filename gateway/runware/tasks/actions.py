"""The tasks, one row each, and the way of a task object to its outcome: the same for every transport."""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, TypeVar

import structlog

from cutgate.gateway.accounts.rates import KeyChanged, Rate, TooOften
from cutgate.gateway.runware.messages import requests
from cutgate.gateway.runware.messages.errors import Refused, refusal
from cutgate.gateway.runware.messages.fields import MODELS
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome, Pending, shown, task_type_of
from cutgate.gateway.runware.messages.reading import read_fields, read_task_type, read_task_uuid
from cutgate.gateway.runware.messages.rendering import Rendering
from cutgate.gateway.runware.messages.requests import Fields, TaskType
from cutgate.gateway.runware.tasks.context import Caller, TaskContext
from cutgate.gateway.runware.tasks.querying import account_management, get_response, get_task_details
from cutgate.gateway.runware.tasks.storing import image_upload, media_storage
from cutgate.gateway.runware.tasks.submitting import remove_background
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs.errors import CutoutError
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.record import Task

_LOG: Final = structlog.get_logger(__name__)

_EXPECTED: Final = (Refused, TooOften, NoPlaceToWait, CutoutError)
"""What a task can run into; all else is a fault of this server."""

Answer = TypeVar("Answer")
F = TypeVar("F", bound=Fields)


@dataclass(frozen=True, slots=True)
class Action(Generic[F]):
    """What a task may hold, who answers it, and what it is counted as."""

    form: type[F]
    handle: Callable[[F, JsonObject, TaskContext], Outcome | Pending]
    rate: Rate = Rate.POLL
    by_ledger: bool = False
    """Whether the ledger counts it with the first thing that it is asked; else it is counted before that."""


ACTIONS: Final[Mapping[str, Action[Any]]] = {
    TaskType.IMAGE_BACKGROUND_REMOVAL: Action(requests.Removal, remove_background, Rate.SUBMIT, by_ledger=True),
    TaskType.REMOVE_BACKGROUND: Action(requests.Removal, remove_background, Rate.SUBMIT, by_ledger=True),
    TaskType.IMAGE_UPLOAD: Action(requests.ImageUpload, image_upload, Rate.SUBMIT),
    TaskType.MEDIA_STORAGE: Action(requests.MediaStorage, media_storage, Rate.SUBMIT),
    TaskType.GET_RESPONSE: Action(requests.Plain, get_response, by_ledger=True),
    TaskType.GET_TASK_DETAILS: Action(requests.Plain, get_task_details, by_ledger=True),
    TaskType.ACCOUNT_MANAGEMENT: Action(requests.AccountManagement, account_management),
}
"""Beside `authentication` and `ping`, which need no caller."""


class RunwareTasks:
    """Begins tasks of authenticated callers."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts; `ValueError` where settings name no model of the protocol."""
        settings = parts.settings
        if unknown := {name for name, _ in settings.runware_models} - set(MODELS):
            raise ValueError(f"runware_models names {', '.join(sorted(unknown))}; known are {', '.join(MODELS)}")
        self.parts = parts
        self.rendering = Rendering(
            tasks=parts.tasks,
            blobs=parts.blobs,
            usd_per_credit=settings.usd_per_credit,
            upload_retention_seconds=settings.upload_retention_seconds,
        )

    def begin_first(self, task: JsonObject, find: Callable[[bool], Caller]) -> tuple[Caller, Outcome | Pending]:
        """Begin the first task of a caller; the ledger confirms a remembered credential in the same step.

        Args:
            task: as `begin` takes it.
            find: as `RequestLimits.admitted` takes it; what it raises comes from here.

        Returns:
            The caller, for further tasks, and what became of this one.
        """
        if task_type_of(task) not in ACTIONS:  # the ledger is asked nothing for it
            caller = find(False)
            return caller, self.begin(task, caller)
        return self.parts.limits.admitted(find, lambda caller: (caller.confirmed(), self.begin(task, caller)))

    def begin(self, task: JsonObject, caller: Caller) -> Outcome | Pending:
        """Do a task, or as much of it as can be done at once. What is wrong is an outcome, but for `KeyChanged`.

        Args:
            task: from `read_message`; it is not needed any more when this returns, and may hold a large picture.
            caller: who asks.
        """
        if task.get("taskType") == TaskType.PING:
            return pong()
        # In a context of its own: what is bound for the lines of one task is not bound for those of the next.
        return copy_context().run(self._begin, task, caller)

    def _begin(self, task: JsonObject, caller: Caller) -> Outcome | Pending:
        echo = {name: task.get(name) for name in ("taskType", "taskUUID")}
        ids = _ids(echo) | {"account": caller.account.name}
        logs.bind(**ids)
        with traces.span(f"task {ids['task_type']}"):
            traces.say(request_uuid=logs.bound("request_uuid"), **ids)
            outcome = guarded(echo, lambda: self._answer(task, caller))
            if isinstance(outcome, Pending):
                return _about(outcome, echo)
            if outcome.failed:
                traces.fail(outcome.item["code"])
            return replace(outcome, counted_as=ids["task_type"])

    def _answer(self, task: JsonObject, caller: Caller) -> Outcome | Pending:
        task_type = read_task_type(task)
        action = ACTIONS.get(task_type)
        if action is None:
            raise Refused("unknown_task_type")
        with self.parts.limits.counting(caller.credential, action.rate) as entry:
            context = TaskContext(
                task_type=task_type,
                task_uuid=read_task_uuid(task),
                caller=caller,
                parts=self.parts,
                rendering=self.rendering,
                entry=entry,
            )
            if not action.by_ledger:
                self.parts.limits.count(entry)
            return action.handle(read_fields(action.form, task), task, context)


def _about(pending: Pending, echo: Mapping[str, object]) -> Pending:
    """What is waited for, with outcomes that raise nothing and name what they are counted as."""
    named = partial(replace, counted_as=task_type_of(echo), uid=pending.uid)

    def settle(now: Task | None) -> Outcome | None:
        outcome = guarded(echo, lambda: pending.settle(now))
        return None if outcome is None else named(outcome)

    return replace(pending, settle=settle, give_up=lambda: named(pending.give_up()))


def pong() -> Outcome:
    """The answer to a ping, whoever sends it."""
    return Outcome(item={"taskType": TaskType.PING, "pong": True})


def authenticated(connection_uuid: str) -> Outcome:
    """The answer to an authentication; it has no `taskUUID`, or a client would not know it."""
    return Outcome(item={"taskType": TaskType.AUTHENTICATION, "connectionSessionUUID": connection_uuid})


def _ids(echo: Mapping[str, object]) -> dict[str, str]:
    """What lines and spans say of a task object."""
    return {"task_type": task_type_of(echo), "task_uuid": shown(echo["taskUUID"])}


def guarded(echo: Mapping[str, object], answer: Callable[[], Answer]) -> Answer | Outcome:
    """What a step answers, or what it ran into, as an answer to the task of which `echo` holds type and UUID.

    `KeyChanged` passes: the step is to be done again.
    """
    try:
        return answer()
    except KeyChanged:
        raise
    except _EXPECTED as error:
        _LOG.info("task_refused", **_ids(echo), reason=f"{type(error).__name__}: {error}")
        return refusal(error, echo)
    except Exception as error:
        _LOG.exception("request_failed")
        return refusal(error, echo)
