"""The actions, one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from cutgate.gateway.accounts.rates import Rate
from cutgate.gateway.picpik import answers, querying, refining, requests, submitting
from cutgate.gateway.picpik.caller import Caller
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.waiting.callers import Wait
from cutgate.gateway.waiting.streams import Follow

R = TypeVar("R", bound=requests.Request)
A = TypeVar("A", bound=answers.Answer)


@dataclass(frozen=True, slots=True)
class Action(Generic[R, A]):
    """What a request may hold, what it is answered with, and who answers it."""

    request: type[R]
    answer: type[A]
    handle: Callable[[R, Caller, Parts], A | Wait[A] | Follow]
    rate: Rate = Rate.POLL
    """What a request is counted as."""
    by_ledger: bool = False
    """Whether the ledger counts it with the first thing that it is asked; else it is counted before that."""
    large: bool = False
    """Whether its body may be as large as a batch's."""


ACTIONS: Final[Mapping[str, Action[Any, Any]]] = {
    "RemoveBackground": Action(
        requests.RemoveBackground,
        answers.TaskCreated,
        submitting.remove_background,
        Rate.SUBMIT,
        by_ledger=True,
    ),
    "RemoveBackgroundsInBatch": Action(
        requests.RemoveBackgroundsInBatch,
        answers.TaskCreated,
        submitting.remove_backgrounds_in_batch,
        Rate.SUBMIT,
        by_ledger=True,
        large=True,
    ),
    "RefineTask": Action(requests.RefineTask, answers.TaskCreated, refining.refine_task, Rate.SUBMIT),
    "ListTasksDetails": Action(
        requests.ListTasksDetails, answers.TaskDetails, querying.list_tasks_details, by_ledger=True
    ),
    "ListRunningTasks": Action(requests.Plain, answers.TaskIds, querying.list_running_tasks),
    "TerminateTask": Action(requests.OneTask, answers.Answer, querying.terminate_task),
    "GetCreditBalance": Action(requests.Plain, answers.CreditBalance, querying.get_credit_balance),
    "ListModels": Action(requests.Plain, answers.ModelLists, querying.list_models),
    # No longer maintained by the protocol's owner, and still met in old clients.
    "ListGenerateTaskDetail": Action(
        requests.ListGenerateTaskDetail,
        answers.GenerateTasks,
        querying.list_generate_task_detail,
        by_ledger=True,
    ),
    "GetGenerateTaskDetail": Action(
        requests.OneTask, answers.GenerateTask, querying.get_generate_task_detail, by_ledger=True
    ),
    "ListRunningTask": Action(requests.Plain, answers.TaskIds, querying.list_running_tasks),
}
