"""The terms in which a façade describes itself."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

JSON: Final = "application/json"

Schema = dict[str, Any]
"""JSON Schema, or an object of OpenAPI."""

PICTURE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX68OEUKDxehCwxAAAAfUlEQVR42sXQwQmDUBBF"
    "0eNESHamAy3F0izNElKCJbj8C3GyMIEfcBUIeavHvfBghl+mK6+SieDCTNAygD6zEAy0BCNBQ6IR77HQwCQONtaqhaEmn+Uu3M7V96XAeqo2WGqyw"
    "yzkQeoDJ5JgZidYHBOumSvBxqN6JvTFv/MESiEeGZ+yOw8AAAAASUVORK5CYII="
)
"""The picture of every example: a dark disc on a bright ground, 64 x 64 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What changes from one request to the next, so that whoever sends an example puts something in its place."""

    name: str
    """As Postman has it: `$guid` is a new UUID each time."""
    example: str
    """What stands for it in examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One thing that an address does."""

    name: str
    text: str
    """What it does, as Markdown."""
    request: Schema
    """Of what is sent, before the address's own frame is put around it."""
    answer: Schema
    """Of what it is answered with, likewise."""
    example: Any
    """A whole body."""
    gives: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    """Names of variables whose next values its answer holds, and the members that lead there."""


def as_it_is(schema: Schema) -> Schema:
    """No frame."""
    return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A path that takes JSON by POST and does one of several things, which the body names."""

    path: str
    operation: str
    summary: str
    calls: Sequence[Call]
    discriminator: str
    """The member that names the call."""
    refusals: Mapping[int, str]
    """What can be wrong, as Markdown, by HTTP status; under 200 what an answer may hold beside a success."""
    refusal: Schema
    """Of what says that something is wrong."""
    request_frame: Callable[[Schema], Schema] = as_it_is
    answer_frame: Callable[[Schema], Schema]
    """Around the answer of a call; under HTTP status 200."""
    security: Sequence[Mapping[str, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One façade, or what belongs to none."""

    name: str
    summary: str
    text: str = ""
    """What holds for all of it, and how its callers prove who they are, as Markdown."""
    addresses: Sequence[Address] = ()
    paths: Mapping[str, Schema] = field(default_factory=dict)
    """Path items of OpenAPI for whatever is no `Address`."""
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    security_schemes: Mapping[str, Schema] = field(default_factory=dict)
    variables: Sequence[Variable] = ()
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


def refusals(code: str, message: str, rows: Sequence[tuple[int, Any, str]], refusal: Schema) -> dict[str, Schema]:
    """The responses of errors, by HTTP status."""
    statuses = sorted({status for status, *_ in rows})
    tables = {one: error_table(code, message, (row for status, *row in rows if status == one)) for one in statuses}
    return {str(status): response(table, refusal) for status, table in tables.items()}


def error_table(code: str, message: str, rows: Iterable[Sequence[Any]]) -> str:
    """Errors with what is said of them, as Markdown."""
    shown = (f"| {name} | {text} |" for name, text in sorted(set(map(tuple, rows))))
    return "\n".join([f"| {code} | {message} |", "|---|---|", *shown])
