"""Types of the protocol's fields: JSON's, strictly, and a sentence for each value that is not one of theirs.

Beside each check stands the JSON Schema of what it lets through, for the service's description.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from cutgate.gateway.web_url import MAX_URL_CHARACTERS, WEB_URL_FORM, is_web_url

WRONG: Final = "wrong_value"

OUTPUT_TYPES: Final = ("URL", "base64Data", "dataURI")
HOLES: Final = ("keep", "fill")
FORMATS: Final = ("JPG", "PNG", "WEBP")
DELIVERY_METHODS: Final = ("sync", "async")
_BIREFNET: Final = "birefnet-general"
MODELS: Final = {
    "runware:109@1": None,
    "runware:110@1": "bria-rmbg",
    "runware:112@1": _BIREFNET,
    "runware:112@2": "birefnet-cod",
    "runware:112@3": "birefnet-dis",
    "runware:112@5": _BIREFNET,
    "runware:112@6": _BIREFNET,
    "runware:112@7": "birefnet-hrsod",
    "runware:112@8": "birefnet-massive",
    "runware:112@9": _BIREFNET,
    "runware:112@10": "birefnet-portrait",
    "bria:2@1": "bria-rmbg",
}
"""The protocol's ids of models for background removal, and which of ours is the same network, or the nearest."""

_MAX_OBJECT_BYTES: Final = 2_048
_CHANNELS: Final = 4


def _wrong(reason: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG, "{reason}", {"reason": reason})


def _checked(is_one: Callable[[Any], bool], reason: str, **schema: Any) -> BeforeValidator:
    def check(value: object) -> object:
        if not is_one(value):
            raise _wrong(reason)
        return value

    return _read(check, **schema)


def _read(check: Callable[[Any], object], **schema: Any) -> BeforeValidator:
    return BeforeValidator(check, json_schema_input_type=Annotated[Any, WithJsonSchema(schema)])


def _is_integer(value: object, least: int, most: int | None = None) -> bool:
    # A bool is an int to Python, not to JSON.
    return type(value) is int and least <= value and (most is None or value <= most)


def _integer(least: int, most: int) -> BeforeValidator:
    return _checked(
        lambda value: _is_integer(value, least, most),
        f"must be an integer from {least} to {most}",
        type="integer",
        minimum=least,
        maximum=most,
    )


def _one_of(names: tuple[str, ...]) -> BeforeValidator:
    return _checked(
        lambda value: isinstance(value, str) and value in names,
        f"must be one of {', '.join(names)}",
        type="string",
        enum=list(names),
    )


def _output_types(value: object) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(name, str) and name in OUTPUT_TYPES for name in several):
        raise _wrong(f"must be one of {', '.join(OUTPUT_TYPES)}, or an array of these")
    return tuple(name for name in OUTPUT_TYPES if name in several)


def _format(value: object) -> str:
    if isinstance(value, str) and value.upper() in FORMATS:
        return value.upper()
    raise _wrong(f"must be one of {', '.join(FORMATS)}")


def _colour(value: object) -> tuple[int, ...]:
    if isinstance(value, list) and len(value) == _CHANNELS:
        *rgb, alpha = value
        levels = (*rgb, round(alpha * 255) if isinstance(alpha, float) and 0 < alpha < 1 else alpha)
        if all(_is_integer(level, 0, 255) for level in levels):
            return levels
    raise _wrong("must be an array of four integers from 0 to 255; alpha may be a fraction between 0 and 1")


def _is_small_object(value: object) -> bool:
    return isinstance(value, dict) and len(json.dumps(value, ensure_ascii=False).encode()) <= _MAX_OBJECT_BYTES


_LEVEL: Final = {"type": "integer", "minimum": 0, "maximum": 255}
_FRACTION: Final = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_OUTPUT_TYPE: Final = {"type": "string", "enum": list(OUTPUT_TYPES)}

Text: TypeAlias = Annotated[str, _checked(lambda value: isinstance(value, str), "must be a string", type="string")]
Flag: TypeAlias = Annotated[
    bool, _checked(lambda value: isinstance(value, bool), "must be true or false", type="boolean")
]
Quality: TypeAlias = Annotated[int, _integer(20, 99)]
MatteSetting: TypeAlias = Annotated[int, _integer(1, 255)]
Ttl: TypeAlias = Annotated[
    int,
    _checked(
        lambda value: _is_integer(value, 60),
        "must be an integer of at least 60 (seconds)",
        type="integer",
        minimum=60,
    ),
]
Rgba: TypeAlias = Annotated[
    tuple[int, int, int, int],
    _read(
        _colour,
        type="array",
        prefixItems=[_LEVEL, _LEVEL, _LEVEL, {"anyOf": [_LEVEL, _FRACTION]}],
        minItems=_CHANNELS,
        maxItems=_CHANNELS,
    ),
]
OutputTypes: TypeAlias = Annotated[
    tuple[str, ...],
    _read(_output_types, anyOf=[_OUTPUT_TYPE, {"type": "array", "items": _OUTPUT_TYPE, "minItems": 1}]),
]
OutputFormat: TypeAlias = Annotated[str, _read(_format, type="string", enum=list(FORMATS))]
Holes: TypeAlias = Annotated[str, _one_of(HOLES)]
DeliveryMethod: TypeAlias = Annotated[str, _one_of(DELIVERY_METHODS)]
Model: TypeAlias = Annotated[str, _one_of(tuple(MODELS))]
WebUrl: TypeAlias = Annotated[
    str,
    _checked(
        lambda value: isinstance(value, str) and is_web_url(value),
        f"is not usable: {WEB_URL_FORM}",
        type="string",
        format="uri",
        maxLength=MAX_URL_CHARACTERS,
    ),
]
Ignored: TypeAlias = Annotated[
    dict[str, Any],
    _checked(_is_small_object, f"must be an object of at most {_MAX_OBJECT_BYTES} bytes", type="object"),
]
OneResult: TypeAlias = Annotated[
    int, _checked(lambda value: _is_integer(value, 1, 1), "must be 1: a task gives one picture", const=1)
]
StorageOperation: TypeAlias = Annotated[str, _one_of(("upload", "delete"))]
AccountOperation: TypeAlias = Annotated[str, _one_of(("getDetails",))]
