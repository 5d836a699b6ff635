"""The protocol's part of the description, made from the models that requests and answers pass through."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from cutgate.gateway.openapi.models import model_schema, object_schema, ref, without_null
from cutgate.gateway.openapi.parts import PICTURE, ApiSection, Call, Endpoint, Schema, error_tables
from cutgate.gateway.picpik.actions import ACTIONS, Action
from cutgate.gateway.picpik.answers import Answer, TaskCreated, TaskDetails, TaskEvent
from cutgate.gateway.picpik.errors import ROWS
from cutgate.gateway.picpik.requests import IGNORED
from cutgate.signing import sign_params

_STRING: Final[Schema] = {"type": "string"}
_SIGNATURE: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{40}$",
    "description": "SHA-1, in hexadecimal, over all members but this one, sorted by name, each name with its "
    "value, and the private key behind them.",
}
_PUBLIC_KEY, _PRIVATE_KEY = "abcdefg", "123456"
"""Those of the protocol's own examples."""
_ABOUT: Final = f"""Every call is a POST of one JSON object to the bare host, signed with the account's key \
pair. Every answer is one JSON object whose `RetCode` is 0 on success. An optional member that is null \
counts as absent.

`Signature` is the SHA-1, in hexadecimal, of all other members sorted by name, each name followed by its \
value, with the private key at the end and nothing in between. Arrays count as their elements, one after \
the other, `true` and `false` as these words. The examples are signed with the private key \
`{_PRIVATE_KEY}`, to check a signer with."""
_TASK: Final = "d5ari00q5cu0v880200g"
_GIVEN: Final[Mapping[type[Answer], Mapping[str, list[str | int]]]] = {
    TaskCreated: {"task_uid": ["TaskUID"]},
    TaskDetails: {"result_url": ["TaskDetailList", 0, "ImgList", 0]},
}
_EXAMPLES: Final[Mapping[str, Any]] = {
    "RawImage": PICTURE,
    "RawImages": [PICTURE],
    "TaskUID": _TASK,
    "TaskUIDs": [_TASK],
    "TaskUIDList": [_TASK],
    "WaitSeconds": 30,
}
"""Values of fields; all others have a default."""
_POSTMAN_SCRIPT: Final = """\
// Signs the body: SHA-1 over the members sorted by name, each followed by its value, and the private key.
const { SHA1 } = require("crypto-js");

const text = (value) => {
  if (value === null) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(text).join("");
  return Object.keys(value).sort().map((name) => name + text(value[name])).join("");
};
const body = JSON.parse(pm.variables.replaceIn(pm.request.body.raw));
body.Signature = SHA1(text(body) + pm.variables.get("private_key")).toString();
pm.request.body.update({ mode: "raw", raw: JSON.stringify(body), options: { raw: { language: "json" } } });
"""


def picpik_section(*, max_batch_images: int) -> ApiSection:
    """Describe the protocol."""
    schemas: dict[str, Schema] = {"Error": _error()}
    for name, action in ACTIONS.items():
        schemas[f"{name}Request"] = _request(name, action, model_schema(action.request, "validation", schemas))
        schemas[f"{name}Answer"] = _answer(name, model_schema(action.answer, "serialization", schemas))
    schemas["TaskEvent"] = model_schema(TaskEvent, "serialization", schemas)
    schemas["RemoveBackgroundsInBatchRequest"]["properties"]["RawImages"]["maxItems"] = max_batch_images
    return ApiSection(
        name="PICPIK",
        summary="Actions, POSTed to the bare host and signed with a key pair",
        text=_ABOUT,
        endpoint=_endpoint([_call(name, action) for name, action in ACTIONS.items()]),
        schemas=schemas,
        variables={"public_key": _PUBLIC_KEY, "picture": PICTURE, "task_uid": _TASK},
        made=frozenset({"Signature"}),
        postman_script=_POSTMAN_SCRIPT,
    )


def _endpoint(calls: list[Call]) -> Endpoint:
    rows = ((row.status, row.ret_code, row.message.format(name="X")) for row in ROWS.values())
    # What a POST to this path can meet.
    tables = error_tables("RetCode", "Message", (row for row in rows if row[0] not in {404, 405, 416}))
    return Endpoint(
        path="/",
        operation="call",
        summary="Call an action of PICPIK's",
        calls=calls,
        discriminator="Action",
        success=f"The answer, or what is wrong:\n\n{tables.pop(200)}",
        refusals=tables,
        refusal=ref("Error"),
        answer_frame=lambda answer: {"anyOf": [*answer.get("anyOf", [answer]), ref("Error")]},
    )


def _call(name: str, action: Action[Any, Any]) -> Call:
    fields = {field.alias or name: field for name, field in action.request.model_fields.items()}
    own = {
        name: _EXAMPLES.get(name, field.default)
        for name, field in fields.items()
        if name in _EXAMPLES or field.get_default(call_default_factory=True) not in ("", [], None)
    }
    params = {"Action": name, "PublicKey": _PUBLIC_KEY, **own}
    return Call(
        name=name,
        text=inspect.getdoc(action.handle) or "",
        request=ref(f"{name}Request"),
        answer=ref(f"{name}Answer"),
        example={**params, "Signature": sign_params(params, _PRIVATE_KEY)},
        gives=_GIVEN.get(action.answer, {}),
        event=ref("TaskEvent") if action.answer is TaskDetails else None,
    )


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
        "properties": {**envelope, **{field: without_null(value) for field, value in own.items()}},
        "required": [*envelope, *(field for field, value in own.items() if without_null(value) == value)],
    }


def _error() -> Schema:
    codes = {"enum": sorted({row.ret_code for row in ROWS.values()})}
    said = dict.fromkeys(("Action", "Message", "request_uuid"), _STRING)
    schema = object_schema({"RetCode": codes, **said}, Detail=_STRING)
    text = "What is wrong. `Detail` is Cutgate's own: a sentence for people, where more is known."
    return {**schema, "description": text}
