"""The terms in which a façade describes itself."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

JSON: Final = "application/json"

Schema = dict[str, Any]
"""JSON Schema, or an object of OpenAPI."""

MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"
FILE: Final[Schema] = {"type": "string", "format": "binary"}
"""A file's bytes, which come by multipart alone, or are a whole answer."""

PICTURE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX68OEUKDxehCwxAAAAfUlEQVR42sXQwQmDUBBF"
    "0eNESHamAy3F0izNElKCJbj8C3GyMIEfcBUIeavHvfBghl+mK6+SieDCTNAygD6zEAy0BCNBQ6IR77HQwCQONtaqhaEmn+Uu3M7V96XAeqo2WGqyw"
    "yzkQeoDJ5JgZidYHBOumSvBxqN6JvTFv/MESiEeGZ+yOw8AAAAASUVORK5CYII="
)
"""The picture of every example: a dark disc on a bright ground, 64 x 64 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One thing that an endpoint does."""

    name: str
    text: str
    """What it does, as Markdown."""
    request: Schema
    """Of what is sent, before the endpoint's own frame is put around it."""
    answer: Schema
    """Of what it is answered with, likewise."""
    example: Any
    """A whole body."""
    gives: Mapping[str, list[str | int]]
    """Names of variables whose next values its answer holds, and the members that lead there."""
    event: Schema | None = None
    """Of the data of an event, where it is answered with a stream of them to a caller that accepts one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A path that takes JSON by POST and does one of several things, which the body names."""

    path: str
    operation: str
    summary: str
    calls: Sequence[Call]
    discriminator: str
    """The member that names the call."""
    success: str
    """What an answer under HTTP status 200 holds, as Markdown."""
    refusals: Mapping[int, str]
    """What can be wrong, as Markdown, by other statuses."""
    refusal: Schema
    """Of what says that something is wrong."""
    request_frame: Callable[[Schema], Schema] = lambda schema: schema
    answer_frame: Callable[[Schema], Schema]
    """Around the answer of a call; under HTTP status 200."""
    security: Sequence[Mapping[str, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSection:
    """One façade, or what belongs to none."""

    name: str
    summary: str
    text: str = ""
    """What holds for all of it, and how its callers prove who they are, as Markdown."""
    endpoint: Endpoint | None = None
    paths: Mapping[str, Schema] = field(default_factory=dict)
    """Path items of OpenAPI for whatever is no `Endpoint`."""
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    security_schemes: Mapping[str, Schema] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """What changes from one request to the next: an example by the name that Postman has for it."""
    made: frozenset[str] = frozenset()
    """Members of examples that whoever sends one makes anew."""
    postman_script: str = ""
    """JavaScript that Postman runs before each request."""


def json_content(schema: Schema, **more: Any) -> Schema:
    """A body in JSON."""
    return {JSON: {"schema": schema, **more}}


def response(description: str, schema: Schema) -> Schema:
    """A response with a body in JSON."""
    return {"description": description, "content": json_content(schema)}


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


def event_content(data: Schema) -> Schema:
    """A body of Server-Sent Events, each with data in JSON."""
    schema = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    text = "To `Accept: text/event-stream`: an event `task` for each state, with this as its `data`."
    return {"text/event-stream": {"schema": {**schema, "description": text}}}


def operation(
    view: Callable[..., object], answer: Schema, refusals: Mapping[str, Schema], body: Schema | None, scheme: str
) -> Schema:
    """What a view does, as its docstring says."""
    sent = {} if body is None else {"requestBody": body}
    summary = (inspect.getdoc(view) or "").partition("\n")[0].rstrip(".")
    responses = {"200": answer, **refusals}
    return {
        "operationId": view.__name__,
        "summary": summary,
        "security": [{scheme: []}],
        **sent,
        "responses": responses,
    }


def error_tables(code: str, message: str, rows: Iterable[tuple[int, Any, str]]) -> dict[int, str]:
    """Errors as Markdown, by HTTP status: tables of codes and messages under these heads, without repeats."""
    tables: dict[int, list[str]] = {}
    for status, name, text in sorted(set(rows)):
        tables.setdefault(int(status), [f"| {code} | {message} |", "|---|---|"]).append(f"| {name} | {text} |")
    return {status: "\n".join(lines) for status, lines in tables.items()}
