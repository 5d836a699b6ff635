"""Handler of the removal task, in each of its forms."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final, Self

import structlog

from gateway.drafts import Draft, Source, SourceUrl
from gateway.runware import faults
from gateway.runware.errors import refusal
from gateway.runware.memo import Memo, masked
from gateway.runware.outcomes import JsonObject, Outcome, Pending
from gateway.runware.reading import begins_as_url, is_uuid, present, read_fields
from gateway.runware.rendering import OLD_REMOVAL
from gateway.runware.requests import Removal
from gateway.runware.services import Asked, Caller, Services
from gateway.runware.specs import spec_of
from gateway.submit import DraftRejected, PictureGone
from gateway.wait import NoPlaceToWait
from jobs.ids import TaskUid
from jobs.record import Delivery, DeliveryKind, Task

NOT_KEPT: Final = "there is no picture of this UUID, or it is not kept any more"


def remove_background(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome | Pending:
    """Accept a picture, and answer at once or with its result."""
    request = read_fields(Removal, task)
    picture = _Picture.of(request, asked)
    model = services.models.get(request.model, services.model)
    spec = spec_of(request, model, caller.account.terms.precision or services.precision)
    draft = Draft(source=picture.source(caller, services), spec=spec)
    is_sync = (request.delivery_method or ("async" if request.webhook_url else "sync")) == "sync"
    if is_sync and not caller.take_place():
        raise NoPlaceToWait
    memo = Memo(
        task_uuid=asked.task_uuid,
        parameter=picture.parameter,
        output_types=request.output_type,
        ttl_seconds=request.ttl,
        include_cost=request.include_cost,
        base_url=caller.base_url if request.webhook_url else None,
        request=masked(present(task)),
    )
    try:
        uid = services.submissions.for_account(caller.account).submit(
            caller.account.name,
            asked.task_type,
            [draft],
            key_of(asked.task_uuid),
            memo=memo.model_dump_json(),
            deliveries=_deliveries(request),
        )
    except DraftRejected as rejected:
        raise picture.not_usable(rejected.reason.message) from rejected
    except PictureGone as gone:
        raise picture.not_usable(NOT_KEPT) from gone
    structlog.contextvars.bind_contextvars(task_uid=uid)
    return _pending(uid, asked, caller, services) if is_sync else Outcome(item=dict(asked.echo()))


def key_of(task_uuid: str) -> str:
    """What the ledger calls the task that a UUID names, in whatever letter case."""
    return f"runware:{task_uuid.lower()}"


@dataclass(frozen=True, slots=True)
class _Picture:
    """The picture of a request."""

    parameter: str
    """The field that carried it."""
    text: str = field(repr=False)

    @classmethod
    def of(cls, request: Removal, asked: Asked) -> Self:
        if request.inputs is not None and request.inputs.image:
            return cls("inputs.image", request.inputs.image)
        if request.input_image:
            return cls("inputImage", request.input_image)
        is_old = request.inputs is None and (asked.task_type == OLD_REMOVAL or request.input_image is not None)
        parameter = "inputImage" if is_old else "inputs.image"
        raise faults.FieldMissing(parameter, "InputImage", f"{parameter} is required")

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


def _deliveries(request: Removal) -> tuple[Delivery, ...]:
    wanted = ((DeliveryKind.CALLBACK, request.webhook_url), (DeliveryKind.UPLOAD, request.upload_endpoint))
    return tuple(Delivery(kind=kind, url=url) for kind, url in wanted if url is not None)
