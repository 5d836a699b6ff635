"""The outcome of one task object: an answer at once, or one that comes with the end of a task in the ledger.

HTTP collects outcomes into one body, a WebSocket sends each in a frame of its own. Each is counted
and logged once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import structlog

from cutgate.gateway.observe.metrics import OTHER, count_answer
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task

SHOWN_CHARACTERS: Final = 128
"""How much of a name that the caller chose is repeated to it."""
_TASK_TYPES: Final = frozenset(TaskType)
OK: Final = "ok"
"""What stands for the code where the answer is no error."""
_LOG: Final = structlog.get_logger(__name__)

JsonObject: TypeAlias = dict[str, Any]
"""As `json` gives and takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One item of an answer: of its `data`, or of its `errors`."""

    item: JsonObject = field(repr=False)
    failed: bool = False
    """Whether it belongs to `errors`."""
    status: int = HTTPStatus.OK
    """Of an answer over HTTP that holds nothing better."""
    retry_after_seconds: int = 0
    """After which a repeat may help, where one does."""
    counted_as: str | None = None
    """The type of the task that it answers, for log and counts, where the item may name another's."""
    uid: TaskUid | None = None
    """The task in the ledger that it is about, for the log."""

    def message(self) -> JsonObject:
        """The item alone in its message: a frame of a WebSocket, or the body of a callback."""
        return {"errors" if self.failed else "data": [self.item]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An answer that waits for the end of a task in the ledger."""

    echo: Mapping[str, str]
    """`taskType` and `taskUUID` as they were sent: what every item repeats."""
    account: str
    uid: TaskUid
    """The task to wait for, and to look up for the account."""
    wait_seconds: float
    """How long the caller may be kept waiting, from now on."""
    settle: Callable[[Task | None], Outcome | None]
    """The answer, given the task as it stands; None while it runs. A task that is gone has an answer, too."""
    give_up: Callable[[], Outcome]
    """The answer once the time is over."""
    is_result: bool = True
    """Whether the task's own result is the answer: what a lost connection is owed. False for a poll."""


def message_of(outcomes: Sequence[Outcome]) -> Mapping[str, list[JsonObject]]:
    """All outcomes of a request in one body; a list that would be empty is left out."""
    data = [outcome.item for outcome in outcomes if not outcome.failed]
    errors = [outcome.item for outcome in outcomes if outcome.failed]
    return ({"data": data} if data else {}) | ({"errors": errors} if errors else {})


def status_of(outcomes: Sequence[Outcome]) -> int:
    """The HTTP status: that of the first error, unless something succeeded."""
    return HTTPStatus.OK if any(not outcome.failed for outcome in outcomes) else outcomes[0].status


@dataclass(frozen=True, slots=True)
class AnswerLog:
    """Counts and logs the answers to the tasks of one message."""

    began_at_seconds: float = field(default_factory=time.monotonic)
    """When the message came, on the monotonic clock."""

    def add(self, outcome: Outcome) -> None:
        """Note that a task of the message, or the whole message, is answered."""
        seconds = self.count(outcome)
        task_type = _type_answered(outcome)
        known = {} if outcome.uid is None else {"task_uid": outcome.uid}
        # A connection that idles sends pings all the time.
        log = _LOG.debug if task_type == TaskType.PING else _LOG.info
        log(
            "task_answered",
            task_type=task_type,
            task_uuid=shown(outcome.item.get("taskUUID")),
            code=_code(outcome),
            duration_ms=round(seconds * 1_000),
            **known,
        )

    def count(self, outcome: Outcome) -> float:
        """Note it in the counts alone; gives the seconds that it took."""
        seconds = time.monotonic() - self.began_at_seconds
        count_answer("runware", _type_answered(outcome), _code(outcome), seconds)
        return seconds


def _type_answered(outcome: Outcome) -> str:
    return outcome.counted_as or task_type_of(outcome.item)


def _code(outcome: Outcome) -> str:
    return str(outcome.item["code"]) if outcome.failed else OK


def task_type_of(task: Mapping[str, object]) -> str:
    """The type of a task object, or of what answers it; `other` for what names nothing that there is."""
    task_type = task.get("taskType")
    return str(task_type) if isinstance(task_type, str) and task_type in _TASK_TYPES else OTHER


def shown(value: object) -> str:
    """What a caller sent where an id belongs, as far as it is logged."""
    return value[:SHOWN_CHARACTERS] if isinstance(value, str) else ""
