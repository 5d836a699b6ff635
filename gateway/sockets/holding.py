"""Answers that are held back until a task has ended."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from flask import Response

from cutgate.gateway.tasks.wait import Place, Waits
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task

Render = Callable[[Task | None], Response]
"""Makes the answer of a task as it then stands; None where it is not there any more."""


class HeldPlace(Protocol):
    """A place for one caller of an account."""

    def hold(self, uid: TaskUid, wait_seconds: float, render: Render) -> Response:
        """What the view returns: the answer once the task has ended, or once the time is over.

        Args:
            uid: of the task.
            wait_seconds: how long at most.
            render: makes the answer; called once, perhaps in another thread and after the view has returned. It
                then has a request context of its own, with the request's head and what `flask.g` held, but without
                the body, and should hold on to nothing large. What it raises is answered as if the view did.
        """


class Holds(Protocol):
    """Holds callers until a task of theirs has ended."""

    def require_place(self, account: str) -> AbstractContextManager[HeldPlace]:
        """Take a place for a caller, in its request and before its work is accepted; the block leaves it again.

        Raises:
            NoPlaceToWait: as many are held as may be, of the account or of all.
        """


@dataclass(frozen=True, slots=True)
class ThreadHolds:
    """Holds a caller by keeping its request's thread."""

    waits: Waits

    @contextmanager
    def require_place(self, account: str) -> Iterator[HeldPlace]:
        """See `Holds`."""
        with self.waits.place() as place:
            yield _ThreadPlace(account, place)


@dataclass(frozen=True, slots=True)
class _ThreadPlace:
    account: str
    place: Place

    def hold(self, uid: TaskUid, wait_seconds: float, render: Render) -> Response:
        [task] = self.place.find(self.account, [uid], wait_seconds)
        return render(task)
