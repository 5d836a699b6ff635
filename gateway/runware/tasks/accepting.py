"""What every task with a picture has in common: where the picture is, and how the task is accepted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import Outcome, Pending
from cutgate.gateway.runware.messages.errors import refusal
from cutgate.gateway.runware.messages.reading import begins_as_url, is_uuid
from cutgate.gateway.runware.tasks.services import Asked, Caller, Services
from cutgate.gateway.tasks.drafts import Source, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.gateway.tasks.wait import NoPlaceToWait
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task

NOT_KEPT: Final = "there is no picture of this UUID, or it is not kept any more"


def key_of(task_uuid: str) -> str:
    """What the ledger calls the task that a UUID names, in whatever letter case."""
    return f"runware:{task_uuid.lower()}"


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of a request."""

    parameter: str
    """The field that carried it."""
    text: str = field(repr=False)

    def source(self, caller: Caller, services: Services) -> Source:
        """Where the picture is: told apart in the protocol's order.

        Raises:
            PictureNotUsable: it is named by a UUID that nothing is kept under.
        """
        if begins_as_url(self.text):
            return SourceUrl(self.text)
        if not is_uuid(self.text):
            return self.text
        kept = services.pictures.find(caller.account.name, uuid.UUID(self.text))
        if kept is None:
            raise self.not_usable(NOT_KEPT)
        return kept

    def not_usable(self, reason: str) -> faults.PictureNotUsable:
        """What is wrong with it, as a fault of its field."""
        return faults.PictureNotUsable(self.parameter, reason=reason)


def accepted(
    submit: Callable[[], TaskUid],
    picture: Picture,
    asked: Asked,
    caller: Caller,
    services: Services,
    *,
    is_sync: bool,
) -> Outcome | Pending:
    """Accept a task, and answer at once or with its result.

    Args:
        submit: accepts it, or finds the one that the same request made before.
        picture: what it is about.
        asked: what the answer repeats.
        caller: who asks.
        services: what is needed for the answer.
        is_sync: whether the caller waits.

    Raises:
        NoPlaceToWait: the caller would wait, and no place is free; nothing is accepted.
        PictureNotUsable: what can be seen of the picture is not acceptable.
    """
    if is_sync and not caller.take_place():
        raise NoPlaceToWait
    try:
        uid = submit()
    except DraftRejected as rejected:
        raise picture.not_usable(rejected.reason.message) from rejected
    except PictureGone as gone:
        raise picture.not_usable(NOT_KEPT) from gone
    return _pending(uid, asked, caller, services) if is_sync else Outcome(item=dict(asked.echo()), uid=uid)


def _pending(uid: TaskUid, asked: Asked, caller: Caller, services: Services) -> Pending:
    def settle(task: Task | None) -> Outcome | None:
        if task is None:
            raise faults.TaskUnknown
        return services.rendering.result(task, caller.base_url, asked.task_uuid)

    return Pending(
        echo=asked.echo(),
        account=caller.account.name,
        uid=uid,
        wait_seconds=services.sync_seconds,
        settle=settle,
        give_up=lambda: refusal(faults.TookTooLong(), asked.echo()),
    )
