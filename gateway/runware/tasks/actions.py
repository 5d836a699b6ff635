"""The tasks, one row each, and the way of a task object to its outcome: the same for every transport."""

from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import structlog

from cutgate.gateway.accounts.rates import KeyChanged, Rate, RequestLimits, TooOften, with_known_key
from cutgate.gateway.runware.messages.errors import Refused, refusal
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome, Pending, shown, task_type_of
from cutgate.gateway.runware.messages.reading import read_task_type, read_task_uuid
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.runware.tasks.querying import account_management, get_response, get_task_details
from cutgate.gateway.runware.tasks.services import Caller, Services, TaskContext
from cutgate.gateway.runware.tasks.storing import image_upload, media_storage
from cutgate.gateway.runware.tasks.submitting import remove_background
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs.errors import CutoutError, LedgerUnavailable
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.record import Task

_LOG: Final = structlog.get_logger(__name__)

_EXPECTED: Final = (Refused, TooOften, NoPlaceToWait, CutoutError)
"""What a task can run into; all else is a fault of this server."""

Answer = TypeVar("Answer")
Handler = Callable[[JsonObject, TaskContext], Outcome | Pending]


@dataclass(frozen=True, slots=True)
class Action:
    """Who answers a task, and what it is counted as."""

    handle: Handler
    rate: Rate = Rate.POLL
    counts: bool = False
    """Whether it has the task counted with what it asks the ledger first."""


ACTIONS: Final[Mapping[str, Action]] = {
    TaskType.IMAGE_BACKGROUND_REMOVAL: Action(remove_background, Rate.SUBMIT, counts=True),
    TaskType.REMOVE_BACKGROUND: Action(remove_background, Rate.SUBMIT, counts=True),
    TaskType.IMAGE_UPLOAD: Action(image_upload, Rate.SUBMIT),
    TaskType.MEDIA_STORAGE: Action(media_storage, Rate.SUBMIT),
    TaskType.GET_RESPONSE: Action(get_response, counts=True),
    TaskType.GET_TASK_DETAILS: Action(get_task_details, counts=True),
    TaskType.ACCOUNT_MANAGEMENT: Action(account_management),
}
"""Beside `authentication` and `ping`, which need no caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwareTasks:
    """Begins tasks of authenticated callers."""

    services: Services
    limits: RequestLimits

    def let_in(self, task: JsonObject, find: Callable[[bool], Caller]) -> tuple[Caller, Outcome | Pending]:
        """Begin the first task of a caller, whose key the ledger confirms in the same step where it is known.

        Args:
            task: as `begin` takes it.
            find: who asks; from memory, if it is told that the ledger confirms the account's `known_key`.

        Returns:
            The caller, for further tasks, and what became of this one.

        Raises:
            KeyRefused, AddressShutOut, LedgerUnavailable: as `find`.
        """

        def begun(known: bool) -> tuple[Caller, Outcome | Pending]:
            caller = find(known)
            outcome = self.begin(task, caller)
            return replace(caller, account=caller.account.confirmed()), outcome

        return with_known_key(begun) if task_type_of(task) in ACTIONS else begun(False)

    def begin(self, task: JsonObject, caller: Caller) -> Outcome | Pending:
        """Do a task, or as much of it as can be done at once. What is wrong is an outcome.

        Args:
            task: from `read_message`; it is not needed any more when this returns, and may hold a large picture.
            caller: who asks.

        Raises:
            KeyChanged: what was known of the caller's key is no longer so; nothing was done.
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
        entry = self.limits.entry(caller.account, action.rate)
        try:
            context = TaskContext(
                task_type=task_type,
                task_uuid=read_task_uuid(task),
                caller=caller,
                services=self.services,
                entry=entry,
            )
            if not action.counts:
                self.limits.count(entry)
            return action.handle(task, context)
        except (KeyChanged, LedgerUnavailable):
            raise
        except Exception:
            self.limits.count(entry)  # a bad task counts as well
            raise


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

    Raises:
        KeyChanged: the step is to be done again.
    """
    try:
        return answer()
    except KeyChanged:
        raise
    except _EXPECTED as error:
        _LOG.info("task_refused", **_ids(echo), reason=f"{type(error).__name__}: {error}")
        return refusal(error, echo)
    except Exception as error:
        _LOG.exception("a fault of this server")
        return refusal(error, echo)
