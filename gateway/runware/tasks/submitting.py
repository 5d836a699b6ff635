"""Accepts pictures: the handler of removals in each form, and what every task with a picture shares."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.runware.messages.errors import Refused, refusal
from cutgate.gateway.runware.messages.fields import MODELS
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.reading import begins_as_url, is_uuid, present
from cutgate.gateway.runware.messages.rendering import StoredRequest, masked
from cutgate.gateway.runware.messages.requests import Removal, Settings, TaskType
from cutgate.gateway.runware.tasks.context import TaskContext
from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone, Submission
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs.record import Delivery, ErrandKind, Result
from cutgate.jobs.spec import (
    CutoutSpec,
    FileFormat,
    Holes,
    ModelChoice,
    Output,
    Refinement,
    Thresholds,
    thresholds_of,
)

NOT_KEPT: Final = "there is no picture of this UUID, or it is not kept any more"

_FORMATS: Final = {"JPG": FileFormat.JPEG, "PNG": FileFormat.PNG, "WEBP": FileFormat.WEBP}
_FOREGROUND, _BACKGROUND = "alphaMattingForegroundThreshold", "alphaMattingBackgroundThreshold"
DEFAULTS: Final[dict[str, Any]] = {
    "rgba": (255, 255, 255, 0),
    "postProcessMask": False,
    "returnOnlyMask": False,
    "alphaMatting": False,
    _FOREGROUND: 240,
    _BACKGROUND: 10,
    "alphaMattingErodeSize": 10,
    "holes": "keep",
}
"""Settings that are not given."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of a request."""

    parameter: str
    """The field that carried it."""
    text: str = field(repr=False)

    def source(self, context: TaskContext) -> str | Result | SourceUrl:
        """Where the picture is: told apart in the protocol's order."""
        if begins_as_url(self.text):
            return SourceUrl(self.text)
        if not is_uuid(self.text):
            return self.text
        kept = context.parts.pictures.find(context.account.name, uuid.UUID(self.text))
        if kept is None:
            raise self.not_usable(NOT_KEPT)
        return kept

    def not_usable(self, reason: str) -> Refused:
        """What is wrong with it, as a fault of its field."""
        return Refused("picture", reason, self.parameter)


def remove_background(request: Removal, task: JsonObject, context: TaskContext) -> Outcome | Pending:
    """Accept a picture, and answer at once or with its result."""
    picture = _picture_of(request, context)
    spec = _spec_of(request, _choice(request.model, context))
    draft = Draft(source=picture.source(context), spec=spec)
    stored = StoredRequest(
        task_uuid=context.task_uuid,
        parameter=picture.parameter,
        output_types=request.output_type,
        ttl_seconds=request.ttl,
        include_cost=request.include_cost,
        base_url=context.caller.base_url if request.webhook_url else None,
        request=masked(present(task)),
    )
    return accepted(
        picture,
        draft,
        stored,
        context,
        entry=context.entry,
        is_sync=(request.delivery_method or ("async" if request.webhook_url else "sync")) == "sync",
        deliveries=_deliveries(request),
    )


def accepted(
    picture: Picture,
    draft: Draft,
    stored: StoredRequest,
    context: TaskContext,
    *,
    is_sync: bool,
    entry: Entry | None = None,
    deliveries: Sequence[Delivery] = (),
) -> Outcome | Pending:
    """Accept a task, or find the one that the same request made before, and answer at once or with its result."""
    if is_sync and not context.caller.take_place():
        raise NoPlaceToWait
    try:
        uid = context.parts.submissions.submit(
            Submission(
                account=context.account,
                origin=context.task_type,
                drafts=[draft],
                entry=entry,
                name=context.key,
                memo=stored.model_dump_json(),
                asked=stored.asked(),
                deliveries=deliveries,
            )
        )
    except DraftRejected as rejected:
        raise picture.not_usable(rejected.reason.message) from rejected
    except PictureGone as gone:
        raise picture.not_usable(NOT_KEPT) from gone
    if not is_sync:
        return Outcome(item={**context.echo()}, uid=uid)
    return Pending(
        echo=context.echo(),
        account=context.account.name,
        uid=uid,
        wait_seconds=context.parts.settings.runware_sync_seconds,
        settle=context.result,
        give_up=lambda: refusal(Refused("took_too_long"), context.echo()),
    )


def _picture_of(request: Removal, context: TaskContext) -> Picture:
    if request.inputs is not None and request.inputs.image:
        return Picture("inputs.image", request.inputs.image)
    if request.input_image:
        return Picture("inputImage", request.input_image)
    is_old = request.inputs is None and (
        context.task_type == TaskType.IMAGE_BACKGROUND_REMOVAL or request.input_image is not None
    )
    parameter = "inputImage" if is_old else "inputs.image"
    raise Refused("missing", f"{parameter} is required", parameter)


def _choice(model: str, context: TaskContext) -> ModelChoice:
    """What computes a picture for which one of the protocol's models is asked for.

    That is what the installation has chosen for the id, else the network of this name where workers offer it, else
    what computes the account's pictures.
    """
    settings = context.parts.settings
    if (chosen := dict(settings.runware_models).get(model)) is not None:
        return chosen
    name = MODELS[model]
    if name is not None and context.parts.submissions.offers.include((named := ModelChoice(model=name)).lane):
        return named
    return context.account.terms.choice(settings.choice)


def _deliveries(request: Removal) -> tuple[Delivery, ...]:
    wanted = ((ErrandKind.CALLBACK, request.webhook_url), (ErrandKind.UPLOAD, request.upload_endpoint))
    return tuple(Delivery(kind=kind, url=url) for kind, url in wanted if url is not None)


def _spec_of(request: Removal, choice: ModelChoice) -> CutoutSpec:
    """What is to be done with the picture."""
    nested = {} if request.settings is None else _given(request.settings)
    given = _given(request) | nested
    chosen = DEFAULTS | given
    defaults = Thresholds(DEFAULTS[_FOREGROUND], DEFAULTS[_BACKGROUND])
    foreground, background = thresholds_of(given.get(_FOREGROUND), given.get(_BACKGROUND), defaults)
    if background > foreground:
        paths = [f"settings.{name}" if name in nested else name for name in (_FOREGROUND, _BACKGROUND)]
        reason = f"{_BACKGROUND} ({background}) must not exceed {_FOREGROUND} ({foreground})"
        raise Refused("wrong", reason, paths)
    file_format = _FORMATS[request.output_format]
    matting: dict[str, Any] = {
        "refinement": Refinement.ON,
        "foreground_threshold": foreground,
        "background_threshold": background,
        "erode_px": chosen["alphaMattingErodeSize"],
    }
    return CutoutSpec(
        model=choice.model,
        precision=choice.precision,
        tidy_mask=chosen["postProcessMask"],
        holes=Holes(chosen["holes"]),
        output=Output.MASK if chosen["returnOnlyMask"] else Output.CUTOUT,
        background=chosen["rgba"],
        file_format=file_format,
        quality=None if file_format is FileFormat.PNG else request.output_quality,
        **(matting if chosen["alphaMatting"] else {"refinement": Refinement.RAW}),
    )


def _given(settings: Settings) -> dict[str, Any]:
    """The settings that were sent, by their names in the protocol."""
    sent = settings.model_dump(by_alias=True, exclude_none=True)
    return {name: value for name, value in sent.items() if name in DEFAULTS}
