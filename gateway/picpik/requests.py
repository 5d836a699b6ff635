"""The fields of each action, and how a body is held to them.

Types are JSON's, strictly: a number that is no integer, or text where a number is due, is refused. In a form,
where every value is text, it is converted by the field's type. Null, and the empty value of the field's own type,
mean absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import structlog
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from gateway.picpik import faults
from jobs.ids import TaskUid, parse_task_uid
from signing import FormText, JsonValue, NumberText, canonical_number, unflatten

MAX_TASK_IDS: Final = 1_000
"""How many tasks one call may ask about."""

ENVELOPE: Final = frozenset({"Action", "PublicKey"})
"""Names that were read before an action's own fields are looked at."""
IGNORED: Final = frozenset({"Region", "Zone", "ProjectId", "SecurityToken", "RemoveType"})
"""Names that some clients send with every call; signed, and without effect."""

_LOG: Final = structlog.get_logger()
_FORM_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,99})", re.ASCII)
_FORM_FLAGS: Final = {"true": True, "false": False}

_UNKNOWN, _MISSING, _TYPE, _VALUE = range(4)
"""Steps of the check, in their order; a fault of an earlier one is reported first."""
_STEPS: Final = {"extra_forbidden": _UNKNOWN, "missing": _MISSING, "wrong_type": _TYPE, "list_type": _TYPE}
_FAULTS: Final = {
    _UNKNOWN: faults.ParameterNotAvailable,
    _MISSING: faults.ParameterMissing,
    _TYPE: faults.ParameterOfWrongType,
    _VALUE: faults.ParameterNotAvailable,
}


@dataclass(frozen=True, slots=True)
class _Absent:
    """Marks a field whose empty value counts as absent."""

    empty: str | tuple[()]

    def covers(self, value: JsonValue) -> bool:
        return value == "" if self.empty == "" else value == []


def _text(value: object) -> str:
    if isinstance(value, str) and not isinstance(value, NumberText):
        return value
    raise _wrong_type()


def _integer(value: object) -> int:
    if type(value) is int:  # a default
        return value
    if isinstance(value, FormText) and _FORM_INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, NumberText):
        plain = canonical_number(value)
        if "." not in plain:
            return int(plain)
    raise _wrong_type()


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, FormText) and value in _FORM_FLAGS:
        return _FORM_FLAGS[value]
    raise _wrong_type()


def _wrong_type() -> PydanticCustomError:
    return PydanticCustomError("wrong_type", "not of the field's type")


def _box(corners: list[int]) -> list[int]:
    """Four corners with an area; whether the picture holds it shows later."""
    match corners:
        case [left, top, right, bottom] if left < right and top < bottom:
            return corners
    raise ValueError("not a box")


def _not_too_many(uids: list[str]) -> list[str]:
    if len(uids) > MAX_TASK_IDS:
        raise ValueError("too many tasks")
    return uids


Text = Annotated[str, BeforeValidator(_text), _Absent("")]
Integer = Annotated[int, BeforeValidator(_integer)]
Level = Annotated[Integer, Field(ge=0, le=255)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Corners = Annotated[list[Integer], AfterValidator(_box), _Absent(())]
TaskUids = Annotated[
    list[Annotated[Text, AfterValidator(parse_task_uid)]], AfterValidator(_not_too_many), _Absent(())
]


class Request(BaseModel):
    """What every action takes. The order of fields is the order in which faults are reported."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=False,
        hide_input_in_errors=True,
    )

    request_uuid: Annotated[Text, Field(alias="request_uuid", max_length=faults.SHOWN_CHARACTERS)] = ""
    """The caller's id of the request; empty where it sent none."""


class RemoveBackground(Request):
    """Cut one picture out."""

    raw_image: Annotated[Text, Field(repr=False)]
    box: Corners = Field(default_factory=list)
    erode_size: Annotated[Integer, Field(ge=0, le=40)] = 15
    foreground_threshold: Level = 240
    background_threshold: Annotated[Level, Field(validate_default=True)] = 15
    hair_optimization: Annotated[Literal["auto", "on", "off"], BeforeValidator(_text), _Absent("")] = "auto"
    only_mask: Flag = False

    @field_validator("background_threshold")
    @classmethod
    def _below_foreground(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("foreground_threshold", value):
            raise ValueError("above the foreground threshold")
        return value


class ListTasksDetails(Request):
    """Show tasks."""

    task_uid_list: Annotated[TaskUids, Field(alias="TaskUIDList")]

    @property
    def uids(self) -> tuple[TaskUid, ...]:
        """The ids in the order of the request."""
        return tuple(TaskUid(uid) for uid in self.task_uid_list)


R = TypeVar("R", bound=Request)


def read_request(model: type[R], params: Mapping[str, JsonValue], *, ignore_unknown: bool = False) -> R:
    """Hold verified parameters to an action's fields.

    Args:
        model: the action's fields.
        params: the parameters as received, without the signature; flattened names are rebuilt.
        ignore_unknown: leave names out that the action does not know, instead of refusing them.

    Raises:
        ParameterFault: the first fault: unknown names, then required fields, types, and values, each in the order
            of the fields.
        FlattenedNamesRejected: members `Name.K` do not make an array.
    """
    marks = {field.alias or name: _mark(field) for name, field in model.model_fields.items()}
    arrays = [name for name, mark in marks.items() if mark and mark.empty == ()]
    own = unflatten({name: params[name] for name in params if name not in ENVELOPE | IGNORED}, arrays)
    unknown = [name for name in own if name not in marks]
    if unknown:
        _LOG.info("unknown fields", names=[name[: faults.SHOWN_CHARACTERS] for name in unknown[:16]])
    if ignore_unknown:
        own = {name: value for name, value in own.items() if name in marks}
    sent = {name: value for name, value in own.items() if name in unknown or not _is_absent(marks[name], value)}
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise _first_fault(error, model) from None


def _mark(field: FieldInfo) -> _Absent | None:
    return next((item for item in field.metadata if isinstance(item, _Absent)), None)


def _is_absent(mark: _Absent | None, value: JsonValue) -> bool:
    return value is None or (mark is not None and mark.covers(value))


def _first_fault(error: ValidationError, model: type[Request]) -> faults.ParameterFault:
    # A default's fault is found under the field's own name, any other under the name in the request.
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    order = {name: place for place, name in enumerate(aliases.values())}

    def path(fault: ErrorDetails) -> list[str]:
        head, *index = map(str, fault["loc"])
        return [aliases.get(head, head), *index]

    def rank(fault: ErrorDetails) -> tuple[int, int]:
        return _STEPS.get(fault["type"], _VALUE), order.get(path(fault)[0], len(order))

    first = min(error.errors(include_url=False, include_context=False, include_input=False), key=rank)
    return _FAULTS[rank(first)[0]](".".join(path(first)))
