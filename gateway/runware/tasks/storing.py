"""Handlers of the tasks that keep pictures: at once where the picture is here, by a task where it has a URL."""

import hashlib
import uuid
from dataclasses import replace

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.runware.messages.errors import Refused
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.reading import is_uuid, present
from cutgate.gateway.runware.messages.rendering import StoredRequest, upload_item
from cutgate.gateway.runware.messages.requests import ImageUpload, MediaStorage, Storing
from cutgate.gateway.runware.tasks.context import TaskContext
from cutgate.gateway.runware.tasks.submitting import NOT_KEPT, Picture, accepted
from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.jobs.errors import BlobMissing, SourceRejected
from cutgate.jobs.ids import image_uuid
from cutgate.jobs.record import Idempotency, Result
from cutgate.jobs.spec import CutoutSpec


def image_upload(request: ImageUpload, task: JsonObject, context: TaskContext) -> Outcome | Pending:
    """Keep a picture."""
    return _store(_required("image", request.image), request, present(task), context)


def media_storage(request: MediaStorage, task: JsonObject, context: TaskContext) -> Outcome | Pending:
    """Store a picture, or delete a stored one."""
    media = _required("media", request.media)
    if request.operation == "upload":
        return _store(media, request, present(task), context)
    _require_sync(request)
    account, pictures = context.account.name, context.parts.pictures
    if not is_uuid(media.text) or not pictures.drop(account, uuid.UUID(media.text), context.key):
        raise Refused("wrong", "there is no uploaded picture of this UUID", "media")
    return Outcome(
        item=context.echo() | {"status": "success", "operation": request.operation, "mediaUUID": media.text}
    )


def _store(picture: Picture, request: Storing, task: JsonObject, context: TaskContext) -> Outcome | Pending:
    source = picture.source(context)
    if isinstance(source, SourceUrl):
        # The courier keeps it: no thread that answers requests calls other servers.
        stored = StoredRequest(task_uuid=context.task_uuid, parameter=picture.parameter, request=task)
        spec = CutoutSpec(model=context.parts.settings.model)
        draft = Draft(source=replace(source, keep=True), spec=spec)
        return accepted(picture, draft, stored, context, is_sync=request.delivery_method != "async")
    _require_sync(request)
    try:
        if isinstance(source, Result):
            data = context.parts.blobs.get(source.blob)
        else:
            data = decode_source(source, context.parts.pictures.limits.max_bytes)
        named = Idempotency(key=context.key, content_digest=_digest(context.task_type, data))
        upload = context.parts.pictures.keep(context.account, data, named)
    except SourceRejected as fault:
        raise picture.not_usable(fault.message) from fault
    except BlobMissing as gone:
        raise picture.not_usable(NOT_KEPT) from gone
    url = context.caller.base_url + context.parts.pictures.path_of(upload)
    return Outcome(item=context.echo() | upload_item(context.task_type, image_uuid(upload.uid), url))


def _require_sync(request: Storing) -> None:
    """Refuse what would promise an answer later to what is done at once, and leaves no task."""
    if request.delivery_method == "async":
        raise Refused("wrong", "async is for pictures by URL; this is done at once", "deliveryMethod")


def _digest(task_type: str, data: bytes) -> str:
    """Of what is asked for: a repeat has the same, another task under the same UUID has not."""
    return hashlib.sha256(f"{task_type}\0".encode() + hashlib.sha256(data).digest()).hexdigest()


def _required(parameter: str, text: str | None) -> Picture:
    if not text:
        raise Refused("missing", f"{parameter} is required", parameter)
    return Picture(parameter, text)
