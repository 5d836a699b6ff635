"""Handlers of the tasks that keep pictures: at once where the picture is here, by a task where it has a URL."""

from __future__ import annotations

import uuid

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.pictures.kept import KeptPicture
from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.memo import Memo
from cutgate.gateway.runware.messages.reading import is_uuid, present, read_fields, word_of
from cutgate.gateway.runware.messages.rendering import stored
from cutgate.gateway.runware.messages.requests import ImageUpload, MediaStorage, Storing
from cutgate.gateway.runware.tasks.accepting import NOT_KEPT, Picture, accepted, key_of
from cutgate.gateway.runware.tasks.services import Asked, Caller, Services
from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.jobs.errors import BlobMissing, SourceRejected
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.spec import CutoutSpec


def image_upload(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome | Pending:
    """Keep a picture."""
    request = read_fields(ImageUpload, task)
    return _store(_required("image", request.image), request, present(task), asked, caller, services)


def media_storage(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome | Pending:
    """Keep a picture, or delete one that is kept."""
    request = read_fields(MediaStorage, task)
    media = _required("media", request.media)
    if request.operation == "upload":
        return _store(media, request, present(task), asked, caller, services)
    _require_sync(request)
    if not is_uuid(media.text) or not services.pictures.drop(caller.account.name, uuid.UUID(media.text)):
        raise faults.FieldWrong("media", "Media", "there is no uploaded picture of this UUID")
    return Outcome(
        item=asked.echo() | {"status": "success", "operation": request.operation, "mediaUUID": media.text}
    )


def _store(
    picture: Picture, request: Storing, task: JsonObject, asked: Asked, caller: Caller, services: Services
) -> Outcome | Pending:
    source = picture.source(caller, services)
    if isinstance(source, SourceUrl):
        return _fetch(picture, request, task, asked, caller, services)
    _require_sync(request)
    try:
        if isinstance(source, KeptPicture):
            data = services.blobs.get(source.blob)
        else:
            data = decode_source(source, services.pictures.limits.max_bytes)
        kept = services.pictures.keep(caller.account.name, data)
    except SourceRejected as fault:
        raise picture.not_usable(fault.message) from fault
    except BlobMissing as gone:
        raise picture.not_usable(NOT_KEPT) from gone
    return Outcome(item=asked.echo() | stored(asked.task_type, kept.image, caller.base_url + kept.path))


def _fetch(
    picture: Picture, request: Storing, task: JsonObject, asked: Asked, caller: Caller, services: Services
) -> Outcome | Pending:
    """Leave a picture to the courier, which keeps it: no thread that answers requests calls other servers."""
    memo = Memo(
        task_uuid=asked.task_uuid,
        parameter=picture.parameter,
        output_types=("URL",),
        ttl_seconds=None,
        include_cost=False,
        base_url=None,
        request=task,
    )

    draft = Draft(source=SourceUrl(picture.text, keep=True), spec=CutoutSpec(model=services.choice.model))
    submissions = services.submissions.for_account(caller.account).for_keeping()

    def submit() -> TaskUid:
        return submissions.submit(
            caller.account.name,
            asked.task_type,
            [draft],
            key_of(asked.task_uuid),
            memo=memo.model_dump_json(),
        )

    return accepted(submit, picture, asked, caller, services, is_sync=request.delivery_method != "async")


def _require_sync(request: Storing) -> None:
    """Raise `FieldWrong` for what would promise an answer later to what is done at once, and leaves no task."""
    if request.delivery_method == "async":
        raise faults.FieldWrong(
            "deliveryMethod", "DeliveryMethod", "async is for pictures by URL; this is done at once"
        )


def _required(parameter: str, text: str | None) -> Picture:
    if not text:
        raise faults.FieldMissing(parameter, word_of(parameter), f"{parameter} is required")
    return Picture(parameter, text)
