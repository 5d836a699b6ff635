"""Answers that are held back until a task has ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import Response

from cutgate.gateway.tasks.wait import NoPlaceToWait, Waits
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task

Render = Callable[[Task | None], Response]
"""Makes the answer of a task as it then stands; None where it is not there any more."""


class Holds(Protocol):
    """Holds callers until a task of theirs has ended."""

    def require_place(self, account: str) -> None:
        """Make sure that a caller can be held; called before the work is accepted.

        Raises:
            NoPlaceToWait: as many are held as may be, of the account or of all.
        """

    def hold(self, account: str, uid: TaskUid, wait_seconds: float, render: Render) -> Response:
        """The answer once the task has ended, or once the time is over.

        Args:
            account: whose task it is.
            uid: of the task.
            wait_seconds: how long at most.
            render: makes the answer; called once, perhaps in another thread and after this call.
        """


@dataclass(frozen=True, slots=True)
class ThreadHolds:
    """Holds a caller by keeping its request's thread."""

    waits: Waits

    def require_place(self, account: str) -> None:
        """See `Holds`: a place that is taken later may be gone by then."""

    def hold(self, account: str, uid: TaskUid, wait_seconds: float, render: Render) -> Response:
        """See `Holds`.

        Raises:
            NoPlaceToWait: as many wait as may.
        """
        with self.waits.place() as place:
            [task] = place.find(account, [uid], wait_seconds)
        return render(task)


__all__ = ["Holds", "NoPlaceToWait", "Render", "ThreadHolds"]
