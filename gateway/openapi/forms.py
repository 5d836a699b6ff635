"""Requests whose fields may come as a form, with files or without, or as JSON."""

from collections.abc import Mapping
from typing import Any, Final

from cutgate.gateway.openapi.parts import Schema, json_content

MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"
FILE: Final[Schema] = {"type": "string", "format": "binary"}
"""A file's bytes, which come by multipart alone, or are a whole answer."""


def in_forms(fields: Mapping[str, Schema], example: Mapping[str, Any]) -> Schema:
    """A request body in each of the forms; the example is of one in JSON."""
    texts = _form({name: field for name, field in fields.items() if field != FILE})
    forms = {MULTIPART: {"schema": _form(fields)}, URLENCODED: {"schema": texts}}
    # Viewers begin with the first, and only JSON has an example of its own.
    return {"required": True, "content": {**json_content(texts, example=example), **forms}}


def _form(fields: Mapping[str, Schema]) -> Schema:
    """Viewers fill in what has neither default nor example with a word; an empty field is as good as none."""
    empty = {
        name: {"example": ""} for name, field in fields.items() if field != FILE and field.get("default") is None
    }
    return {"type": "object", "properties": {name: field | empty.get(name, {}) for name, field in fields.items()}}
