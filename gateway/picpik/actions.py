"""The actions, one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from cutgate.gateway.accounts.rates import Rate
from cutgate.gateway.picpik import answers, querying, requests, submitting
from cutgate.gateway.picpik.services import Caller, Services
from cutgate.gateway.waiting.callers import Wait

R = TypeVar("R", bound=requests.Request)
A = TypeVar("A", bound=answers.Answer)


@dataclass(frozen=True, slots=True)
class Action(Generic[R, A]):
    """What a request may hold, what it is answered with, and who answers it."""

    request: type[R]
    answer: type[A]
    handle: Callable[[R, Caller, Services], A | Wait[A]]
    rate: Rate = Rate.POLL
    """What a request is counted as."""
    counts: bool = False
    """Whether it has the request counted with what it asks the ledger first."""
    large: bool = False
    """Whether its body may be as large as a batch's."""


ACTIONS: Final[Mapping[str, Action[Any, Any]]] = {
    "RemoveBackground": Action(
        requests.RemoveBackground, answers.TaskCreated, submitting.remove_background, Rate.SUBMIT, counts=True
    ),
    "RemoveBackgroundsInBatch": Action(
        requests.RemoveBackgroundsInBatch,
        answers.TaskCreated,
        submitting.remove_backgrounds_in_batch,
        Rate.SUBMIT,
        counts=True,
        large=True,
    ),
    "ListTasksDetails": Action(
        requests.ListTasksDetails, answers.TaskDetails, querying.list_tasks_details, counts=True
    ),
    "ListRunningTasks": Action(requests.Plain, answers.TaskIds, querying.list_running_tasks),
    "TerminateTask": Action(requests.OneTask, answers.Answer, querying.terminate_task),
    "GetCreditBalance": Action(requests.Plain, answers.CreditBalance, querying.get_credit_balance),
    "ListModels": Action(requests.Plain, answers.ModelLists, querying.list_models),
    # No longer maintained by the protocol's owner, and still met in old clients.
    "ListGenerateTaskDetail": Action(
        requests.ListGenerateTaskDetail, answers.GenerateTasks, querying.list_generate_task_detail, counts=True
    ),
    "GetGenerateTaskDetail": Action(
        requests.OneTask, answers.GenerateTask, querying.get_generate_task_detail, counts=True
    ),
    "ListRunningTask": Action(requests.Plain, answers.TaskIds, querying.list_running_tasks),
}
