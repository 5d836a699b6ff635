"""Records as Runware's clients read them: made from a task alone, so that a callback can be, too."""

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from cutgate.gateway.runware.messages.errors import Refused, failure
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome
from cutgate.gateway.runware.messages.reading import is_uuid
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.web_url import is_web_url
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import image_uuid
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Result, Task

_COST_DIGITS: Final = 9
_NOT_ASKED: Final = frozenset({"taskUUID", "deliveryMethod"})


class StoredRequest(BaseModel):
    """What a task's record keeps of its request, as JSON: all that its answers need, whoever makes them.

    `version` names its form.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    task_uuid: str
    """As it was sent."""
    parameter: str
    """Path of the field that carried the picture."""
    output_types: tuple[str, ...] = ("URL",)
    ttl_seconds: int | None = None
    include_cost: bool = False
    base_url: str | None = None
    """Scheme and host in front of result paths; only for callbacks, whose maker sees no request."""
    request: JsonObject
    """The task object, with pictures masked."""

    def asked(self) -> str:
        """What makes a repeat of a `taskUUID` the same task: not how the UUID is written, nor who waits for it."""
        request = {name: value for name, value in self.request.items() if name not in _NOT_ASKED}
        return self.model_copy(update={"task_uuid": "", "request": request}).model_dump_json()

    @classmethod
    def of(cls, task: Task) -> Self:
        """What a task's record keeps."""
        return cls.model_validate_json(task.memo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Makes result items."""

    tasks: Tasks
    """Knows the paths of results."""
    blobs: BlobStore
    usd_per_credit: float
    upload_retention_seconds: float
    """How long an upload stays after its last use."""

    def result(self, task: Task, base_url: str, task_uuid: str | None = None) -> Outcome | None:
        """How a task of this façade ended, equal in every call; None while it has not.

        Args:
            task: the task.
            base_url: scheme and host in front of result paths.
            task_uuid: as the caller writes it now; as it was sent with the task when absent.
        """
        if task.ended_at_ms is None:
            return None
        stored, item = StoredRequest.of(task), task.items[0]
        echo = self.echo(task, task_uuid or stored.task_uuid)
        if item.error is not None:
            return failure(item.error, echo, stored.parameter)
        if item.result is None:
            raise ValueError("an item that has ended has a result or an error")
        return Outcome(item=echo | self._success(task, item.result, stored, base_url))

    def progress(self, task: Task, task_uuid: str | None = None) -> Outcome:
        """That a task has not ended."""
        return Outcome(item=self.echo(task, task_uuid) | {"status": "processing"})

    @staticmethod
    def echo(task: Task, task_uuid: str | None = None) -> dict[str, str]:
        """Type and UUID of a task, as every item repeats them; its own where the caller writes none now."""
        return {"taskType": task.origin, "taskUUID": task_uuid or StoredRequest.of(task).task_uuid}

    def _success(self, task: Task, result: Result, stored: StoredRequest, base_url: str) -> JsonObject:
        if task.origin in {TaskType.IMAGE_UPLOAD, TaskType.MEDIA_STORAGE}:
            path = self.tasks.result_path(task, result, kept_seconds=self.upload_retention_seconds)
            # The upload has an id of its own, since it outlives the task that brought it.
            return upload_item(task.origin, image_uuid(result.blob.task), base_url + path)
        image = str(image_uuid(task.uid))
        item: JsonObject = {"status": "success", "imageUUID": image}
        if "URL" in stored.output_types:
            item["imageURL"] = base_url + self.tasks.result_path(task, result, stored.ttl_seconds)
        if set(stored.output_types) - {"URL"}:
            item |= self._inline(result, stored)
        if task.origin == TaskType.REMOVE_BACKGROUND:
            item |= {"mediaUUID": image} | ({"mediaURL": item["imageURL"]} if "imageURL" in item else {})
        if result.confidence is not None:
            item["confidence"] = result.confidence
        if stored.include_cost:
            item["cost"] = self.usd(task.booked)
        return item

    def usd(self, credit_count: int) -> float:
        """What credits are worth."""
        return round(credit_count * self.usd_per_credit, _COST_DIGITS)

    def _inline(self, result: Result, stored: StoredRequest) -> JsonObject:
        try:
            text = base64.b64encode(self.blobs.get(result.blob)).decode("ascii")
        except BlobMissing:
            raise Refused("unknown_task") from None
        item = {}
        if "base64Data" in stored.output_types:
            item["imageBase64Data"] = text
        if "dataURI" in stored.output_types:
            item["imageDataURI"] = f"data:{result.media_type};base64,{text}"
        return item


def upload_item(task_type: str, image: uuid.UUID, url: str) -> JsonObject:
    """What a task that keeps pictures says of one, beside its `taskType` and `taskUUID`."""
    if task_type == TaskType.MEDIA_STORAGE:
        return {"status": "success", "operation": "upload", "mediaUUID": str(image), "mediaURL": url}
    return {"status": "success", "imageUUID": str(image), "imageURL": url}


def renderers(rendering: Rendering, public_url: str | None) -> Mapping[str, Callable[[Task], bytes]]:
    """The bodies of callbacks, by the tasks' origin: what a synchronous caller would have got.

    Without a public URL, paths of results stand behind the request's own scheme and host.
    """

    def body(task: Task) -> bytes:
        outcome = rendering.result(task, public_url or StoredRequest.of(task).base_url or "")
        if outcome is None:
            raise ValueError("a callback tells of a task's end")
        return json.dumps(outcome.message()).encode()

    return dict.fromkeys((TaskType.IMAGE_BACKGROUND_REMOVAL, TaskType.REMOVE_BACKGROUND), body)


def masked(task: JsonObject) -> JsonObject:
    """A task object without what it holds of pictures; where they lie elsewhere, their names stay."""
    result = {name: _short(value) if name == "inputImage" else value for name, value in task.items()}
    inputs: JsonObject = task.get("inputs", {})
    return result | ({"inputs": {name: _short(value) for name, value in inputs.items()}} if inputs else {})


def _short(text: str) -> str:
    if is_uuid(text) or is_web_url(text):
        return text
    return f"(inline picture, {len(text)} characters)"
