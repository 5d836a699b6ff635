"""Handlers of the actions that make tasks."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from cutgate.gateway.picpik.answers import TaskCreated
from cutgate.gateway.picpik.caller import Caller
from cutgate.gateway.picpik.errors import Refused
from cutgate.gateway.picpik.rendering import BATCH, SINGLE
from cutgate.gateway.picpik.requests import Cutting, RemoveBackground, RemoveBackgroundsInBatch, Request
from cutgate.gateway.tasks.drafts import Corners, Draft
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.submit import DraftRejected, Submission
from cutgate.jobs.errors import BoxOutsidePicture
from cutgate.jobs.observe import logs
from cutgate.jobs.spec import CutoutSpec, Holes, Output, Refinement

_spec_of: Final = lru_cache(256)(CutoutSpec)
"""A spec that was made is known: most requests ask for one of few."""


def remove_background(request: RemoveBackground, caller: Caller, parts: Parts) -> TaskCreated:
    """Accept one picture."""
    draft = Draft(source=request.raw_image, spec=_spec(request, caller, parts), corners=_corners(request.box))
    return _submit(SINGLE, [draft], request, caller, parts, lambda _: "RawImage")


def remove_backgrounds_in_batch(request: RemoveBackgroundsInBatch, caller: Caller, parts: Parts) -> TaskCreated:
    """Accept several pictures as one task; one that is bad refuses them all."""
    spec = _spec(request, caller, parts)
    drafts = [Draft(source=picture, spec=spec) for picture in request.raw_images]
    return _submit(BATCH, drafts, request, caller, parts, lambda index: f"RawImages.{index}")


def _submit(
    action: str,
    drafts: Sequence[Draft],
    request: Request,
    caller: Caller,
    parts: Parts,
    name_of: Callable[[int], str],
) -> TaskCreated:
    """Submit pictures; `name_of` says what the one at an index is called."""
    try:
        uid = parts.submissions.submit(
            Submission(
                account=caller.account,
                origin=action,
                drafts=drafts,
                name=idempotency_key(action, request, caller),
                entry=caller.entry,
            )
        )
    except DraftRejected as rejected:
        name = "Box" if isinstance(rejected.reason, BoxOutsidePicture) else name_of(rejected.index)
        raise Refused("not_available", rejected.reason.message, name=name) from rejected
    logs.bind(task_uid=uid)
    return TaskCreated(task_uid=uid)


def _spec(request: Cutting, caller: Caller, parts: Parts) -> CutoutSpec:
    choice = caller.account.terms.choice(parts.settings.choice)
    foreground, background = request.thresholds
    if background > foreground:
        reason = f"BackgroundThreshold ({background}) must not exceed ForegroundThreshold ({foreground})"
        raise Refused("not_available", reason, name="BackgroundThreshold")
    return _spec_of(
        model=choice.model,
        precision=choice.precision,
        erode_px=request.erode_size,
        foreground_threshold=foreground,
        background_threshold=background,
        refinement=Refinement(request.hair_optimization),
        holes=Holes(request.holes),
        output=Output.MASK if request.only_mask else Output.CUTOUT,
    )


def _corners(box: list[int]) -> Corners | None:
    if not box:
        return None
    left, top, right, bottom = box
    return left, top, right, bottom


def idempotency_key(action: str, request: Request, caller: Caller) -> str | None:
    """The name of this very request; None where the caller gave it no id.

    Some clients send a constant id, so the signature is part of the name.
    """
    if not request.request_uuid:
        return None
    parts = [caller.credential.name, action, request.request_uuid, caller.signature.lower()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
