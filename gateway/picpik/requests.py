"""The fields of each action's request. Their order is the order in which faults are reported."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_pascal
from pydantic_core.core_schema import ValidationInfo

from cutgate.gateway.picpik.fields import (
    Corners,
    ErodeSize,
    Flag,
    Hair,
    Level,
    Picture,
    Pictures,
    RequestId,
    Uid,
    Uids,
    WaitSeconds,
    wrong_value,
)
from cutgate.jobs.ids import TaskUid


class Request(BaseModel):
    """What every action takes."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    request_uuid: Annotated[RequestId, Field(alias="request_uuid")] = ""
    """Your id of the request, repeated in the answer; the server makes one where it is absent. The same request
    under the same id is done once."""


class OnePicture(Request):
    """What is cut out."""

    raw_image: Annotated[Picture, Field(repr=False)]
    """The picture in Base64, or a data URI with it: JPEG, PNG, WebP, AVIF, BMP, GIF, TIFF, and HEIC where the
    service reads it. EXIF orientation is applied first."""
    box: Corners = Field(default_factory=list)
    """Limits of the subject in pixels of the oriented picture: left, top, right, bottom; the whole picture where
    absent."""


class SeveralPictures(Request):
    """What is cut out, all in the same manner."""

    raw_images: Annotated[Pictures, Field(repr=False)]
    """The pictures, each as `RawImage`; results come in their order."""


class Cutting(Request):
    """How it is cut out."""

    erode_size: ErodeSize = 15
    """Width of the soft edge zone, in pixels."""
    foreground_threshold: Level = 240
    """Mask level above which a pixel is certain foreground."""
    background_threshold: Annotated[Level, Field(validate_default=True)] = 15
    """Mask level below which a pixel is certain background; not above `ForegroundThreshold`."""
    hair_optimization: Hair = "auto"
    """Whether alpha and colours are estimated anew where the edge is soft: `auto` decides region by region."""
    only_mask: Flag = False
    """Give the alpha as a grey PNG instead of the cut-out."""

    @field_validator("background_threshold")
    @classmethod
    def _below_foreground(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("foreground_threshold", value):
            raise wrong_value("must not exceed ForegroundThreshold")
        return value


# The fields of the last base come first.
class RemoveBackground(Cutting, OnePicture):
    """Cut one picture out."""


class RemoveBackgroundsInBatch(Cutting, SeveralPictures):
    """Cut several pictures out, all in the same manner, as one task."""


class ListTasksDetails(Request):
    """Show tasks."""

    task_uid_list: Annotated[Uids, Field(alias="TaskUIDList")]
    """The tasks to show."""
    wait_seconds: WaitSeconds = 0
    """Cutgate's own: hold the answer back until one of the tasks has ended, for so many seconds at most."""

    @property
    def uids(self) -> tuple[TaskUid, ...]:
        """The ids in the order of the request."""
        return tuple(map(TaskUid, self.task_uid_list))


class ListGenerateTaskDetail(Request):
    """Show tasks, in the words of the older interface."""

    task_uids: Annotated[Uids, Field(alias="TaskUIDs")]
    """The tasks to show."""

    @property
    def uids(self) -> tuple[TaskUid, ...]:
        """The ids in the order of the request."""
        return tuple(map(TaskUid, self.task_uids))


class OneTask(Request):
    """Name one task."""

    task_uid: Annotated[Uid, Field(alias="TaskUID")]
    """The task."""

    @property
    def uid(self) -> TaskUid:
        """The task's id."""
        return TaskUid(self.task_uid)


class Plain(Request):
    """Take no fields but the common ones."""
