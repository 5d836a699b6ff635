"""Handlers of the tasks beside the removal: pictures that are kept, and the account."""

from __future__ import annotations

import uuid
from typing import Final

from gateway.pictures import Kept
from gateway.runware import faults
from gateway.runware.outcomes import JsonObject, Outcome
from gateway.runware.reading import begins_as_url, is_uuid, read_fields, word_of
from gateway.runware.removal import NOT_KEPT
from gateway.runware.requests import AccountManagement, ImageUpload, MediaStorage
from gateway.runware.services import Asked, Caller, Services
from gateway.source import decode_source
from jobs.errors import BlobMissing, SourceRejected

_ORGANIZATIONS: Final = uuid.UUID("8f2f7c4e-93b1-4b7a-9a86-4a4b1d0f6f52")
"""Names organizations by their accounts."""


def image_upload(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome:
    """Keep a picture."""
    request = read_fields(ImageUpload, task)
    kept = _keep("image", request.image, caller, services)
    return Outcome(
        item=asked.echo()
        | {"status": "success", "imageUUID": str(kept.image), "imageURL": caller.base_url + kept.path}
    )


def media_storage(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome:
    """Keep a picture, or delete one that is kept."""
    request = read_fields(MediaStorage, task)
    item = asked.echo() | {"status": "success", "operation": request.operation}
    if request.operation == "upload":
        kept = _keep("media", request.media, caller, services)
        return Outcome(item=item | {"mediaUUID": str(kept.image), "mediaURL": caller.base_url + kept.path})
    media = _required("media", request.media)
    if not is_uuid(media) or not services.pictures.drop(caller.account.name, uuid.UUID(media)):
        raise faults.FieldWrong("media", "Media", "there is no uploaded picture of this UUID")
    return Outcome(item=item | {"mediaUUID": media})


def account_management(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome:
    """Show the account: one organization, without a team."""
    request = read_fields(AccountManagement, task)
    name = caller.account.name
    balance = services.store.balance(name)
    available = 0 if balance is None else balance.available
    usage = {"usedCredits": services.store.booked(name)}
    if balance is not None:
        usage |= {"grantedCredits": balance.granted, "availableCredits": available}
    return Outcome(
        item=asked.echo()
        | {
            "operation": request.operation,
            "organizationUUID": str(uuid.uuid5(_ORGANIZATIONS, name)),
            "organizationName": name,
            "balance": services.rendering.usd(available),
            "team": [],
            "apiKeys": [],
            "usage": usage,
        }
    )


def _keep(parameter: str, text: str | None, caller: Caller, services: Services) -> Kept:
    """Keep a picture that a field carries.

    Raises:
        FieldMissing: there is none.
        PictureNotUsable: it is no picture, or lies where it is not taken from.
    """
    text = _required(parameter, text)
    try:
        return services.pictures.keep(caller.account.name, _bytes_of(text, caller, services))
    except SourceRejected as fault:
        raise faults.PictureNotUsable(parameter, reason=fault.message) from fault
    except BlobMissing as gone:
        raise faults.PictureNotUsable(parameter, reason=NOT_KEPT) from gone


def _bytes_of(text: str, caller: Caller, services: Services) -> bytes:
    """The picture itself: of Base64, or a copy of one that is kept.

    Raises:
        SourceRejected: it is neither.
        BlobMissing: nothing is kept under its UUID.
    """
    if begins_as_url(text):
        raise SourceRejected("an upload takes the picture itself; a removal takes its URL")
    if not is_uuid(text):
        return decode_source(text, services.pictures.limits.max_bytes)
    kept = services.pictures.find(caller.account.name, uuid.UUID(text))
    if kept is None:
        raise BlobMissing(NOT_KEPT)
    return services.blobs.get(kept.blob)


def _required(parameter: str, text: str | None) -> str:
    if not text:
        raise faults.FieldMissing(parameter, word_of(parameter), f"{parameter} is required")
    return text
