"""From the models that requests and answers pass through to the schemas of the document."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel

from cutgate.gateway.openapi.parts import Schema

_REF: Final = "#/components/schemas/"


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": _REF + name}


def one_of(names: dict[str, str], discriminator: str) -> Schema:
    """One of several schemas, told apart by a member."""
    mapping = {value: _REF + name for value, name in names.items()}
    return {
        "oneOf": [ref(name) for name in names.values()],
        "discriminator": {"propertyName": discriminator, "mapping": mapping},
    }


def model_schema(
    model: type[BaseModel],
    mode: Literal["validation", "serialization"],
    schemas: dict[str, Schema],
    *,
    prefix: str = "",
) -> Schema:
    """A model's schema, and in `schemas` those that it refers to; in a request null is the same as absent."""
    schema = model.model_json_schema(ref_template=f"{_REF}{prefix}{{model}}", mode=mode)
    tidy = _without_nulls if mode == "validation" else _tidy
    schemas.update({prefix + name: tidy(inner) for name, inner in schema.pop("$defs", {}).items()})
    return tidy(schema)


def object_schema(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """The schema of an object with these members and no others."""
    members = {**required, **optional}
    return {"type": "object", "properties": members, "required": [*required], "additionalProperties": False}


def shape_of(example: object) -> Schema:
    """The schema of objects with the members of an example, of numbers and of texts."""
    if isinstance(example, list):
        return {"type": "array", "items": shape_of(example[0])}
    if not isinstance(example, dict):
        return {"type": "string" if isinstance(example, str) else "number"}
    return object_schema({name: shape_of(value) for name, value in example.items()})


def without_null(schema: Schema) -> Schema:
    """A member's schema where null is the same as absent; any other as it is."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) != 1:
        return {name: value for name, value in schema.items() if (name, value) != ("default", None)}
    return {**{name: value for name, value in schema.items() if name not in {"anyOf", "default"}}, **options[0]}


def _without_nulls(schema: Schema) -> Schema:
    tidied = _tidy(schema)
    return {**tidied, "properties": {name: without_null(value) for name, value in tidied["properties"].items()}}


def _tidy(schema: Schema) -> Schema:
    """Without the titles that pydantic makes of names, and with every text on one line."""
    tidied = {name: _tidied(value) for name, value in schema.items() if name != "title"}
    if "description" in tidied:
        tidied["description"] = " ".join(str(tidied["description"]).split())
    if "properties" in tidied:
        tidied["properties"] = {name: _tidy(value) for name, value in schema["properties"].items()}
    return tidied


def _tidied(value: object) -> object:
    if isinstance(value, dict):
        return _tidy(value)
    if isinstance(value, list):
        return [_tidied(element) for element in value]
    return value
