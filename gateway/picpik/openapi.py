"""The protocol as an OpenAPI 3.1 document, made from the models that requests and answers pass through."""

import inspect
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel

from cutgate.gateway.picpik.actions import Action
from cutgate.gateway.picpik.errors import ROWS, Row
from cutgate.gateway.picpik.requests import IGNORED

Schema = dict[str, Any]

_REF: Final = "#/components/schemas/"
_STRING: Final[Schema] = {"type": "string"}
_SIGNATURE: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{40}$",
    "description": "SHA-1, in hexadecimal, over all members but this one, sorted by name, each name with its "
    "value, and the private key behind them.",
}
_ABOUT: Final = (
    "Every call is a POST of one JSON object to the bare host, signed with the account's key pair. Every answer "
    "is one JSON object whose `RetCode` is 0 on success. An optional member that is null counts as absent."
)


def describe(actions: Mapping[str, Action[Any, Any]], *, max_batch_images: int) -> Schema:
    """Describe the protocol.

    Args:
        actions: the table of actions.
        max_batch_images: a limit that is a setting.

    Returns:
        The document, as JSON values.
    """
    schemas: dict[str, Schema] = {"Error": _error()}
    for name, action in actions.items():
        schemas[f"{name}Request"] = _request(name, action, _model(action.request, "validation", schemas))
        schemas[f"{name}Answer"] = _answer(name, _model(action.answer, "serialization", schemas))
    schemas["RemoveBackgroundsInBatchRequest"]["properties"]["RawImages"]["maxItems"] = max_batch_images
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutgate",
            "version": "1",
            "summary": "PICPIK's background removal",
            "description": _ABOUT,
        },
        # Relative to where the document lies, so that it also holds behind a proxy that adds a prefix.
        "servers": [{"url": "./"}],
        "paths": {
            "/": {"post": _operation(actions)},
            "/healthz": {"get": _look("alive", "Whether the gateway lives", {"200": "It does."})},
            "/readyz": {
                "get": _look("ready", "Whether a job could be done", {"200": "It could.", "503": "Not now."})
            },
        },
        "components": {"schemas": schemas},
    }


def _operation(actions: Mapping[str, Action[Any, Any]]) -> Schema:
    body = {
        "oneOf": [_ref(f"{name}Request") for name in actions],
        "discriminator": {
            "propertyName": "Action",
            "mapping": {name: f"{_REF}{name}Request" for name in actions},
        },
    }
    answers = {"oneOf": [*(_ref(f"{name}Answer") for name in actions), _ref("Error")]}
    return {
        "operationId": "call",
        "summary": "Call an action",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _response(f"The answer, or what is wrong:\n\n{_error_table(200)}", answers),
            **{str(status): _response(_error_table(status), _ref("Error")) for status in _statuses()},
        },
    }


def _look(name: str, summary: str, said: Mapping[str, str]) -> Schema:
    """What anybody may ask without a signature, with what each HTTP status says."""
    answer: Schema = {"type": "object", "properties": {name: {"type": "boolean"}}, "required": [name]}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {status: _response(text, answer) for status, text in said.items()},
    }


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _statuses() -> list[int]:
    """HTTP statuses of errors that a POST can meet."""
    return sorted({row.status for row in ROWS.values()} - {200, 404, 405, 416})


def _error_table(status: int) -> str:
    """The errors with an HTTP status, as Markdown."""
    rows = sorted({(row.ret_code, _shown(row)) for row in ROWS.values() if row.status == status})
    return "\n".join(["| RetCode | Message |", "|---|---|", *(f"| {code} | {text} |" for code, text in rows)])


def _shown(row: Row) -> str:
    return row.message.replace("{error.name}", "X")


def _request(name: str, action: Action[Any, Any], schema: Schema) -> Schema:
    """An action's request, with the members that every request has."""
    own = schema.get("properties", {})
    ignored = {field: {"description": "Signed, and ignored."} for field in sorted(IGNORED)}
    envelope = {"Action": {"const": name}, "PublicKey": _STRING, "Signature": _SIGNATURE}
    return {
        **schema,
        "description": inspect.getdoc(action.handle),
        "properties": {**envelope, **own, **ignored},
        "required": [*envelope, *schema.get("required", [])],
    }


def _answer(name: str, schema: Schema) -> Schema:
    """An action's answer, with the members that every answer has."""
    envelope = {
        "RetCode": {"const": 0},
        "Action": {"const": name},
        "Message": {"const": ""},
        "request_uuid": _STRING,
    }
    own = schema.get("properties", {})
    # What would be null is left out of an answer.
    return {
        **schema,
        "properties": {**envelope, **{field: _without_null(value) for field, value in own.items()}},
        "required": [*envelope, *(field for field, value in own.items() if _without_null(value) == value)],
    }


def _without_null(schema: Schema) -> Schema:
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if not options:
        return schema
    [only] = options
    return {**{name: value for name, value in schema.items() if name not in {"anyOf", "default"}}, **only}


def _error() -> Schema:
    return {
        "type": "object",
        "description": "What is wrong. `Detail` is Cutgate's own: a sentence for people, where more is known.",
        "properties": {
            "RetCode": {"enum": sorted({row.ret_code for row in ROWS.values()})},
            "Action": _STRING,
            "Message": _STRING,
            "request_uuid": _STRING,
            "Detail": _STRING,
        },
        "required": ["RetCode", "Action", "Message", "request_uuid"],
        "additionalProperties": False,
    }


def _model(
    model: type[BaseModel], mode: Literal["validation", "serialization"], schemas: dict[str, Schema]
) -> Schema:
    """A model's schema; those that it refers to go to the others."""
    schema = model.model_json_schema(ref_template=_REF + "{model}", mode=mode)
    schemas.update({name: _tidy(inner) for name, inner in schema.pop("$defs", {}).items()})
    return _tidy(schema)


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


def _ref(name: str) -> Schema:
    return {"$ref": _REF + name}
