"""Handler of the action that corrects a finished picture, or shows it another way."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from cutgate.gateway.picpik.answers import TaskCreated
from cutgate.gateway.picpik.caller import Caller
from cutgate.gateway.picpik.errors import Refused
from cutgate.gateway.picpik.rendering import REFINE
from cutgate.gateway.picpik.requests import RefineTask
from cutgate.gateway.picpik.submitting import idempotency_key
from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.submit import PictureGone, Submission
from cutgate.jobs.composition import Composition, composition_of, parse_colour
from cutgate.jobs.observe import logs
from cutgate.jobs.spec import CutoutSpec, FileFormat, Holes, Output, Refinement, Stroke, StrokeKind

T = TypeVar("T")

_NOT_KEPT: Final = (
    "the task has not finished, or its picture and mask are not kept any more: submit the picture again"
)

_CUTTING: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "erode_size": ("erode_px", int),
    "foreground_threshold": ("foreground_threshold", int),
    "background_threshold": ("background_threshold", int),
    "hair_optimization": ("refinement", Refinement),
    "only_mask": ("output", lambda only_mask: Output.MASK if only_mask else Output.CUTOUT),
    "holes": ("holes", Holes),
    "background": ("background", parse_colour),
    "format": ("file_format", lambda name: FileFormat.JPEG if name == "jpg" else FileFormat(name)),
    "quality": ("quality", int),
}
"""The fields of a spec that a field of a request stands for, and what makes the one of the other."""

_COMPOSING: Final = {
    "crop_margin": "crop",
    "scale": "scale",
    "position": "position",
    "shadow": "shadow",
    "megapixels": "max_pixels",
}
"""The fields of a composition that a field of a request stands for."""

_NONE: Final = "none"
"""Takes away what a task shows."""


def refine_task(request: RefineTask, caller: Caller, parts: Parts) -> TaskCreated:
    """Accept a correction of a finished picture as a task of its own."""
    kept = parts.store.tasks.kept(request.uid, request.index, caller.account.name)
    if kept is None:
        raise Refused("not_available", _NOT_KEPT, name="TaskUID")
    if "background" in request.model_fields_set:  # in place of a picture, too
        kept = replace(kept, background=None)
    draft = Draft(source=kept, spec=_refined(kept.spec, request))
    try:
        uid = parts.submissions.submit(
            Submission(
                account=caller.account,
                origin=REFINE,
                drafts=[draft],
                name=idempotency_key(REFINE, request, caller),
                price=0,
                urgent=True,
            )
        )
    except PictureGone as gone:
        raise Refused("not_available", _NOT_KEPT, name="TaskUID") from gone
    logs.bind(task_uid=uid)
    return TaskCreated(task_uid=uid)


def _refined(spec: CutoutSpec, request: RefineTask) -> CutoutSpec:
    """A task's spec with what a request says of it."""
    sent = {name: getattr(request, name) for name in request.model_fields_set}
    changes = {field: _read(name, make, sent[name]) for name, (field, make) in _CUTTING.items() if name in sent}
    composing = {name: sent[name] for name in _COMPOSING if name in sent}
    try:
        return CutoutSpec(
            **dict(spec)
            | changes
            | {
                "strokes": (*spec.strokes, *_strokes(request)),
                "composition": _composition(spec.composition, composing) if composing else spec.composition,
            }
        )
    except ValidationError as error:
        [problem, *_] = error.errors(include_url=False, include_input=False)
        name = "Keep" if "strokes" in str(problem) else "ForegroundThreshold"
        raise Refused("not_available", problem["msg"].removeprefix("Value error, "), name=name) from error


def _strokes(request: RefineTask) -> list[Stroke]:
    kinds = (StrokeKind.KEEP, request.keep), (StrokeKind.REMOVE, request.remove)
    return [
        Stroke(kind=kind, radius_px=request.radius_px, points=points) for kind, lines in kinds for points in lines
    ]


def _composition(before: Composition | None, asked: Mapping[str, Any]) -> Composition:
    """A composition with other parts, each as the field says that was sent."""
    parts = {
        _COMPOSING[name]: None if value == _NONE else _read(name, partial(_part, name), value)
        for name, value in asked.items()
    }
    return (before or Composition()).model_copy(update=parts)


def _part(name: str, value: Any) -> object:
    return getattr(composition_of(**{name: value}) or Composition(), _COMPOSING[name])


def _read(name: str, make: Callable[[Any], T], value: object) -> T:
    """Convert a field's value; raises `Refused` if it is invalid."""
    try:
        return make(value)
    except ValueError as error:
        alias = RefineTask.model_fields[name].alias or name
        raise Refused("not_available", str(error), name=alias) from None
