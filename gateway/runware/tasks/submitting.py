"""Handler of the removal task, in each of its forms."""

from __future__ import annotations

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.memo import Memo, masked
from cutgate.gateway.runware.messages.reading import present, read_fields
from cutgate.gateway.runware.messages.rendering import OLD_REMOVAL
from cutgate.gateway.runware.messages.requests import Removal
from cutgate.gateway.runware.messages.specs import spec_of
from cutgate.gateway.runware.tasks.accepting import Picture, accepted, key_of
from cutgate.gateway.runware.tasks.services import Asked, Caller, Services
from cutgate.gateway.tasks.drafts import Draft
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Delivery, DeliveryKind


def remove_background(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome | Pending:
    """Accept a picture, and answer at once or with its result."""
    request = read_fields(Removal, task)
    picture = _picture_of(request, asked)
    spec = spec_of(request, services.choice_for(request.model, caller.account))
    draft = Draft(source=picture.source(caller, services), spec=spec)
    memo = Memo(
        task_uuid=asked.task_uuid,
        parameter=picture.parameter,
        output_types=request.output_type,
        ttl_seconds=request.ttl,
        include_cost=request.include_cost,
        base_url=caller.base_url if request.webhook_url else None,
        request=masked(present(task)),
    )

    def submit() -> TaskUid:
        return services.submissions.for_account(caller.account).submit(
            caller.account.name,
            asked.task_type,
            [draft],
            key_of(asked.task_uuid),
            memo=memo.model_dump_json(),
            deliveries=_deliveries(request),
        )

    is_sync = (request.delivery_method or ("async" if request.webhook_url else "sync")) == "sync"
    return accepted(submit, picture, asked, caller, services, is_sync=is_sync)


def _picture_of(request: Removal, asked: Asked) -> Picture:
    if request.inputs is not None and request.inputs.image:
        return Picture("inputs.image", request.inputs.image)
    if request.input_image:
        return Picture("inputImage", request.input_image)
    is_old = request.inputs is None and (asked.task_type == OLD_REMOVAL or request.input_image is not None)
    parameter = "inputImage" if is_old else "inputs.image"
    raise faults.FieldMissing(parameter, "InputImage", f"{parameter} is required")


def _deliveries(request: Removal) -> tuple[Delivery, ...]:
    wanted = ((DeliveryKind.CALLBACK, request.webhook_url), (DeliveryKind.UPLOAD, request.upload_endpoint))
    return tuple(Delivery(kind=kind, url=url) for kind, url in wanted if url is not None)
