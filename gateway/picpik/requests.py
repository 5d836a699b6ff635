"""The fields of each action's request, and how a verified body is held to them.

Their order is the order in which faults are reported.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from typing_extensions import override

from cutgate.gateway.picpik.errors import SHOWN_CHARACTERS, Refused
from cutgate.gateway.picpik.fields import (
    MAX_BATCH_IMAGES,
    NO_BYTES,
    WRONG_TYPE,
    Absent,
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
)
from cutgate.jobs.spec import THRESHOLDS, Thresholds, thresholds_of
from cutgate.signing import JsonValue, unflatten
from cutgate.validation import in_words

ENVELOPE: Final = frozenset({"Action", "PublicKey"})
"""Names that were read before an action's own fields are looked at."""
IGNORED: Final = frozenset({"Region", "Zone", "ProjectId", "SecurityToken", "RemoveType"})
"""Names that some clients send with every call; signed, and without effect."""

IDS_OF_A_REQUEST: Final = 20
"""So many tasks may be asked about in what counts as one request."""

_LOG: Final = structlog.get_logger(__name__)

_ACTION: Final = "Action"
_UNKNOWN, _MISSING, _TYPE, _VALUE = range(4)
"""Steps of the check, in their order; a fault of an earlier one is reported first."""
_STEPS: Final = {"extra_forbidden": _UNKNOWN, "missing": _MISSING, WRONG_TYPE: _TYPE}
_REFUSED_AS: Final = {_UNKNOWN: "not_available", _MISSING: "missing", _TYPE: "wrong_type", _VALUE: "not_available"}


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

    @property
    def weight(self) -> int:
        """How many requests it counts as, where accounts may only ask so often."""
        return 1


class OnePicture(Request):
    """What is cut out."""

    raw_image: Annotated[Picture, Field(repr=False)]
    """The picture in Base64, or a data URI: JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF, TIFF. EXIF orientation is
    applied."""
    box: Corners = Field(default_factory=list)
    """Limits of the subject in pixels of the upright picture: left, top, right, bottom."""


class SeveralPictures(Request):
    """What is cut out, all in the same manner."""

    raw_images: Annotated[Pictures, Field(repr=False)]
    """The pictures, each as `RawImage`."""


class Cutting(Request):
    """How it is cut out."""

    erode_size: ErodeSize = 15
    """Width of the soft edge zone, in pixels."""
    foreground_threshold: Level = THRESHOLDS.foreground
    """Mask level above which a pixel is certain foreground. If only one threshold is sent, the other one's default
    makes room for it."""
    background_threshold: Level = THRESHOLDS.background
    """Mask level below which a pixel is certain background, at most `ForegroundThreshold`."""
    hair_optimization: Hair = "auto"
    """Whether alpha and colours are estimated at soft edges; `auto` decides region by region."""
    only_mask: Flag = False
    """Return the alpha as a grey PNG."""

    @property
    def thresholds(self) -> Thresholds:
        """The two thresholds; they cross only if both were sent."""
        sent = self.model_dump(include={"foreground_threshold", "background_threshold"}, exclude_unset=True)
        return thresholds_of(sent.get("foreground_threshold"), sent.get("background_threshold"))


# The fields of the last base come first.
class RemoveBackground(Cutting, OnePicture):
    """Cut one picture out."""


class RemoveBackgroundsInBatch(Cutting, SeveralPictures):
    """Cut several pictures out, all in the same manner, as one task."""


class Listing(Request):
    """Show several tasks."""

    uids: Uids
    """The tasks to show."""

    @property
    @override
    def weight(self) -> int:
        return math.ceil(len(set(self.uids)) / IDS_OF_A_REQUEST)


class ListTasksDetails(Listing):
    """Show tasks."""

    uids: Annotated[Uids, Field(alias="TaskUIDList")]
    """The tasks to show."""
    wait_seconds: WaitSeconds = 0
    """Cutgate's own: answer once one of the tasks has ended, or after so many seconds."""


class ListGenerateTaskDetail(Listing):
    """Show tasks, in the words of the older interface."""

    uids: Annotated[Uids, Field(alias="TaskUIDs")]
    """The tasks to show."""


class OneTask(Request):
    """Name one task."""

    uid: Annotated[Uid, Field(alias="TaskUID")]
    """The task."""


class Plain(Request):
    """Take no fields but the common ones."""


R = TypeVar("R", bound=Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """What settings say of the reading."""

    ignore_unknown: bool = False
    """Leave names out that the action does not know, instead of refusing them."""
    max_batch_images: int


def read_request(model: type[R], params: Mapping[str, JsonValue], rules: ReadingRules) -> R:
    """Hold verified parameters to an action's fields.

    Args:
        model: the action's fields.
        params: the parameters as received, without the signature; flattened names are rebuilt.
        rules: what settings say.

    Raises:
        Refused: the first fault: where unknown names are ignored one before `Action`, else unknown names;
            then required fields, types, and values, each in the order of the fields.
        FlattenedNamesRejected: members `Name.K` do not make an array.
    """
    marks, arrays = _marks(model)
    own = unflatten({name: params[name] for name in params if name not in ENVELOPE | IGNORED}, arrays)
    unknown = [name for name in own if name not in marks]
    if unknown:
        _LOG.info("unknown fields", names=[name[:SHOWN_CHARACTERS] for name in unknown[:16]])
    if rules.ignore_unknown:
        _require_action_first(params)
        own = {name: value for name, value in own.items() if name in marks}
    sent = {name: value for name, value in own.items() if name in unknown or not _is_absent(marks[name], value)}
    try:
        return model.model_validate(sent, context={MAX_BATCH_IMAGES: rules.max_batch_images})
    except ValidationError as error:
        raise _first_fault(error, model) from None


def _require_action_first(params: Mapping[str, JsonValue]) -> None:
    """Refuse a name that would stand before the action in the text that is signed.

    That text has nothing between names and values: an ignored name in front of `Action` could hold the beginning
    of another request's text, and the action stand in what its signer took for the text of a picture.
    """
    first = min(params, default=_ACTION)
    if first < _ACTION:
        reason = f"no name may sort before {_ACTION}: take it out, and sign anew"
        raise Refused("not_available", reason, name=first)


@cache
def _marks(model: type[Request]) -> tuple[Mapping[str, Absent | None], Collection[str]]:
    """The marks of a model's fields by their names in a request, and which of these are arrays."""
    marks = {field.alias or name: _mark(field) for name, field in model.model_fields.items()}
    return marks, frozenset(name for name, mark in marks.items() if mark and mark.empty == ())


def _mark(field: FieldInfo) -> Absent | None:
    return next((item for item in field.metadata if isinstance(item, Absent)), None)


def _is_absent(mark: Absent | None, value: JsonValue) -> bool:
    return value is None or (mark is not None and mark.covers(value))


def _first_fault(error: ValidationError, model: type[Request]) -> Refused:
    # A default's fault is found under the field's own name, any other under the name in the request.
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    order = {name: place for place, name in enumerate(aliases.values())}

    def path(fault: ErrorDetails) -> list[str]:
        head, *index = map(str, fault["loc"])
        return [aliases.get(head, head), *index]

    def rank(fault: ErrorDetails) -> tuple[int, int]:
        # One of several pictures is a value; the only one is as good as missing.
        is_missing = fault["type"] == NO_BYTES and len(fault["loc"]) == 1
        step = _MISSING if is_missing else _STEPS.get(fault["type"], _VALUE)
        return step, order.get(path(fault)[0], len(order))

    first = min(error.errors(include_url=False, include_input=False), key=rank)
    return Refused(_REFUSED_AS[rank(first)[0]], in_words(first, model), name=".".join(path(first)))
