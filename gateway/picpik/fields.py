"""Types of the protocol's fields: JSON's, strictly.

A number that is no integer, or text where a number is due, is refused. In a form, where every value is text, it is
converted by the field's type. Null, and the empty value of the field's own type, mean absent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from cutgate.gateway.picpik.errors import SHOWN_CHARACTERS
from cutgate.jobs.ids import TaskUid, parse_task_uid
from cutgate.jobs.pictures.headers import EMPTY
from cutgate.jobs.spec import FARTHEST_PX, MOST_POINTS, MOST_RADIUS_PX, MOST_STROKES
from cutgate.signing import FormText, JsonValue, NumberText, canonical_number

MAX_TASK_IDS: Final = 1_000
"""How many tasks one call may ask about."""
MAX_WAIT_SECONDS: Final = 30
"""How long one call may wait for a task's end."""
MAX_BATCH_IMAGES: Final = "max_batch_images"
"""Under this name a validation's context holds how many pictures a batch may have."""

WRONG_TYPE: Final = "wrong_type"
WRONG_VALUE: Final = "wrong_value"
NO_BYTES: Final = "no_bytes"

_FORM_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,99})", re.ASCII)
_FORM_FLAGS: Final = {"true": True, "false": False}
_PICTURE_SCHEMA: Final = {
    "type": "string",
    "minLength": 1,
    "description": "A picture in Base64, or a data URI with it: JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF.",
}


@dataclass(frozen=True, slots=True)
class Absent:
    """Marks a field whose empty value counts as absent."""

    empty: str | list[JsonValue]


def wrong_value(reason: str) -> PydanticCustomError:
    """A value that its field does not take."""
    return PydanticCustomError(WRONG_VALUE, "{reason}", {"reason": reason})


def _wrong_type(wanted: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG_TYPE, "must be {wanted}", {"wanted": wanted})


def _text(value: object) -> str:
    if isinstance(value, str) and not isinstance(value, NumberText):
        return value
    raise _wrong_type("a string")


def _picture(value: object) -> str:
    text = _text(value)
    if not text:
        raise PydanticCustomError(NO_BYTES, EMPTY)
    return text


def _integer(value: object) -> int:
    if type(value) is int:  # a default
        return value
    if isinstance(value, FormText) and _FORM_INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, NumberText):
        plain = canonical_number(value)
        if "." not in plain:
            return int(plain)
    raise _wrong_type("an integer")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, FormText) and value in _FORM_FLAGS:
        return _FORM_FLAGS[value]
    raise _wrong_type("true or false")


def _array(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _wrong_type("an array")


def _box(corners: list[int]) -> list[int]:
    """Four corners with an area; whether the picture holds it shows later."""
    match corners:
        case [left, top, right, bottom] if left < right and top < bottom:
            return corners
    raise wrong_value("must be [left, top, right, bottom] with left < right and top < bottom")


def _number(value: object) -> float:
    """A number, or a text that is one: signers differ in how they write fractions."""
    try:
        return float(value if isinstance(value, NumberText) else _text(value))
    except ValueError:
        raise wrong_value("must be a number, such as 0.25") from None


def _polyline(value: object) -> tuple[tuple[int, int], ...]:
    points = [_array(point) for point in _array(value)]
    if not points or any(len(point) != 2 for point in points):
        raise wrong_value("must be strokes of points, such as [[[120, 80], [140, 95]], [[300, 200]]]")
    polyline = tuple((_integer(x), _integer(y)) for x, y in points)
    if any(abs(coordinate) > FARTHEST_PX for point in polyline for coordinate in point):
        raise wrong_value(f"a point lies within {FARTHEST_PX} px of the picture's corner")
    return polyline


def _few_strokes(strokes: list[Any]) -> list[Any]:
    if len(strokes) > MOST_STROKES or sum(map(len, strokes)) > MOST_POINTS:
        raise wrong_value(f"at most {MOST_STROKES} strokes, and {MOST_POINTS} points in all of them")
    return strokes


def _task_uid(text: str) -> TaskUid:
    try:
        return parse_task_uid(text)
    except ValueError:
        raise wrong_value("must be a TaskUID: 20 characters 0-9 and a-v") from None


def _not_too_many(uids: list[TaskUid]) -> list[TaskUid]:
    if len(uids) > MAX_TASK_IDS:
        raise wrong_value(f"{len(uids)} tasks, the limit is {MAX_TASK_IDS}")
    return uids


def _fit_a_batch(pictures: list[str], info: ValidationInfo) -> list[str]:
    context: Mapping[str, int] = info.context or {}
    limit = context[MAX_BATCH_IMAGES]
    if len(pictures) > limit:
        raise wrong_value(f"{len(pictures)} pictures, the limit is {limit}")
    return pictures


RequestId = Annotated[str, Field(max_length=SHOWN_CHARACTERS), BeforeValidator(_text), Absent("")]
Integer = Annotated[int, BeforeValidator(_integer)]
Level = Annotated[int, Field(ge=0, le=255), BeforeValidator(_integer)]
ErodeSize = Annotated[int, Field(ge=0, le=40), BeforeValidator(_integer)]
WaitSeconds = Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS), BeforeValidator(_integer)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Hair = Annotated[Literal["auto", "on", "off"], BeforeValidator(_text), Absent("")]
Holes = Annotated[Literal["keep", "fill"], BeforeValidator(_text), Absent("")]
Format = Annotated[Literal["png", "jpg", "webp", "zip"], BeforeValidator(_text), Absent("")]
Corners = Annotated[
    list[Integer],
    BeforeValidator(_array),
    AfterValidator(_box),
    Absent([]),
    Field(json_schema_extra={"minItems": 4, "maxItems": 4}),
]
Text = Annotated[str, Field(max_length=SHOWN_CHARACTERS), BeforeValidator(_text), Absent("")]
"""How something is shown, in words."""
Number = Annotated[float, BeforeValidator(_number)]
Index = Annotated[int, Field(ge=0, le=999_999), BeforeValidator(_integer)]
RadiusPx = Annotated[int, Field(ge=1, le=MOST_RADIUS_PX), BeforeValidator(_integer)]
Quality = Annotated[int, Field(ge=1, le=100), BeforeValidator(_integer)]
Polylines = Annotated[
    list[Annotated[tuple[tuple[int, int], ...], BeforeValidator(_polyline)]],
    BeforeValidator(_array),
    AfterValidator(_few_strokes),
    Absent([]),
    Field(json_schema_extra={"maxItems": MOST_STROKES}),
]
Picture = Annotated[str, PlainValidator(_picture), WithJsonSchema(_PICTURE_SCHEMA)]
Pictures = Annotated[
    list[Picture],
    BeforeValidator(_array),
    AfterValidator(_fit_a_batch),
    Absent([]),
    Field(json_schema_extra={"minItems": 1}),
]
Uid = Annotated[
    TaskUid,
    BeforeValidator(_text),
    AfterValidator(_task_uid),
    Absent(""),
    Field(json_schema_extra={"pattern": "^[0-9a-v]{19}[0g]$"}),
]
Uids = Annotated[
    list[Uid],
    BeforeValidator(_array),
    AfterValidator(_not_too_many),
    Absent([]),
    Field(json_schema_extra={"minItems": 1, "maxItems": MAX_TASK_IDS}),
]
