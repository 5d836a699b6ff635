"""What a task's record keeps for this façade: all that its answers need later, whoever makes them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from cutgate.gateway.pictures.base64 import is_web_url
from cutgate.gateway.runware.messages.answers import JsonObject
from cutgate.gateway.runware.messages.reading import is_uuid
from cutgate.jobs.record import Task


class Memo(BaseModel):
    """Stored with the task as JSON; `version` names its form.

    It is part of what makes a repeat of a `taskUUID` the same task, so nothing in it may change from try to try.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    task_uuid: str
    """As it was sent."""
    parameter: str
    """Path of the field that carried the picture."""
    output_types: tuple[str, ...]
    ttl_seconds: int | None
    include_cost: bool
    base_url: str | None
    """Scheme and host in front of result paths; only for callbacks, whose maker sees no request."""
    request: JsonObject
    """The task object, with pictures masked."""

    @classmethod
    def of(cls, task: Task) -> Self:
        """The memo of a task."""
        return cls.model_validate_json(task.memo)


def masked(task: JsonObject) -> JsonObject:
    """A task object without what it holds of pictures; where they lie elsewhere, their names stay."""
    result = {name: _short(value) if name == "inputImage" else value for name, value in task.items()}
    inputs: JsonObject = task.get("inputs", {})
    return result | ({"inputs": {name: _short(value) for name, value in inputs.items()}} if inputs else {})


def _short(text: str) -> str:
    if is_uuid(text) or is_web_url(text):
        return text
    return f"(inline picture, {len(text)} characters)"
