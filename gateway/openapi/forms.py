"""Requests whose fields may come as a form, with files or without, or as JSON."""

from collections.abc import Mapping
from typing import Any, Final

from cutgate.gateway.openapi.parts import Schema, json_content

MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"
FILE: Final[Schema] = {"type": "string", "format": "binary"}
"""A file's bytes, which come by multipart alone, or are a whole answer."""


def in_forms(fields: Mapping[str, Schema], example: Mapping[str, Any]) -> Schema:
    """A request body in each of the forms.

    Args:
        fields: by name; what is a `FILE` is one.
        example: the fields of one in JSON.
    """
    texts = _form({name: field for name, field in fields.items() if field != FILE})
    content = {MULTIPART: {"schema": _form(fields)}, URLENCODED: {"schema": texts}}
    return {"required": True, "content": {**content, **json_content(texts, example=example)}}


def _form(fields: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(fields)}
