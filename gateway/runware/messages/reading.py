"""From task objects to requests, or to the one fault that a caller is told."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject
from cutgate.gateway.runware.messages.fields import WRONG
from cutgate.gateway.runware.messages.requests import Fields

F = TypeVar("F", bound=Fields)

_UUID_SHAPE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_ENVELOPE: Final = frozenset({"taskType", "taskUUID"})
_PICTURE: Final = "InputImage"
_WORDS: Final = {"image": _PICTURE, "inputImage": _PICTURE}
"""Names that codes do not have as they are."""


def read_task_type(task: JsonObject) -> str:
    """The task's type.

    Raises:
        TaskTypeMissing: there is none.
    """
    task_type = task.get("taskType")
    if not isinstance(task_type, str) or not task_type:
        raise faults.TaskTypeMissing
    return task_type


def read_task_uuid(task: JsonObject) -> str:
    """The task's UUID, as it was sent.

    Raises:
        TaskUuidMissing: there is none.
        TaskUuidMalformed: it has another shape.
    """
    task_uuid = task.get("taskUUID")
    if task_uuid is None or task_uuid == "":
        raise faults.TaskUuidMissing
    if not isinstance(task_uuid, str) or not is_uuid(task_uuid):
        raise faults.TaskUuidMalformed
    return task_uuid


def read_fields(form: type[F], task: JsonObject) -> F:
    """Read what a task holds beside its envelope.

    Raises:
        FieldFault: a subclass says what is wrong with which field; the first one, where several are.
    """
    members = {name: value for name, value in task.items() if name not in _ENVELOPE}
    try:
        return form.model_validate(present(members))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
    raise _fault(problem)


def word_of(name: str) -> str:
    """A field's name as codes have it: `outputFormat` in `invalidOutputFormat`."""
    return _WORDS.get(name, name[:1].upper() + name[1:])


def present(members: JsonObject) -> JsonObject:
    """Members without those that are null: absent, in the task and in the objects that it consists of."""
    result = {name: value for name, value in members.items() if value is not None}
    for name in ("settings", "inputs"):
        if isinstance(result.get(name), dict):
            result[name] = {inner: value for inner, value in result[name].items() if value is not None}
    return result


def is_uuid(text: str) -> bool:
    """Whether a text has the shape of a UUID, of any version."""
    return _UUID_SHAPE.fullmatch(text) is not None


def begins_as_url(text: str) -> bool:
    """Whether a text begins as an address of the web does."""
    return text[: len("https://")].lower().startswith(("http://", "https://"))


def _fault(problem: ErrorDetails) -> faults.FieldFault:
    path = [str(part)[: faults.SHOWN_CHARACTERS] for part in problem["loc"]]
    name, parameter = path[-1], ".".join(path)
    if problem["type"] == "extra_forbidden":
        return faults.FieldUnknown(parameter, reason=f"{parameter} is not a field of this task")
    if problem["type"] == "missing":
        return faults.FieldMissing(parameter, word_of(name), f"{parameter} is required")
    reason = problem["msg"] if problem["type"] == WRONG else "must be an object"
    return faults.FieldWrong(parameter, word_of(name), f"{name} {reason}")
