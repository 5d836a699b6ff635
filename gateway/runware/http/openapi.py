"""The protocol's part of the service's description, made from the models that tasks pass through."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from cutgate.gateway.openapi.models import model_schema, object_schema, ref
from cutgate.gateway.openapi.parts import PICTURE, ApiSection, Call, Endpoint, Schema, error_tables
from cutgate.gateway.runware.messages.errors import ROWS
from cutgate.gateway.runware.messages.requests import Plain, TaskType
from cutgate.gateway.runware.tasks.actions import ACTIONS

_PREFIX: Final = "Runware"
"""Of schemas' names."""
_ABOUT: Final = """A message is a JSON array of tasks, POSTed to `/v1`; a WebSocket at `/v1` or `/` takes the \
same in text frames. A bare task counts as an array of one. Each has a `taskType` and a `taskUUID`, a UUID \
that you make and its answer repeats: the same task under the same UUID runs once. Null counts as absent.

The API key goes into `Authorization: Bearer`, or into a first element `{"taskType": "authentication", \
"apiKey": "…"}`. A ping needs none."""

_STRING: Final[Schema] = {"type": "string"}
_URL: Final[Schema] = {"type": "string", "format": "uri"}
_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
_STATUS: Final[Schema] = {"enum": ["success", "processing"]}
_OBJECT: Final[Schema] = {"type": "object"}
_ERRORS: Final[Schema] = {"type": "array", "items": ref(f"{_PREFIX}Error"), "minItems": 1}

_KEY: Final = "your API key"
_NEW, _TASK, _MEDIA = (f"0b9f4a5e-6d0f-4c39-9d6a-2f6d1f3f5a0{number}" for number in (1, 2, 3))

_RESULT: Final[Mapping[str, Schema]] = {
    "status": _STATUS,
    "imageUUID": _UUID,
    "imageURL": _URL,
    "imageBase64Data": _STRING,
    "imageDataURI": _STRING,
    "mediaUUID": _UUID,
    "mediaURL": _URL,
    "operation": _STRING,
    "confidence": {"type": "number", "description": "How likely the result is right, 0 to 1."},
    "cost": {"type": "number", "description": "In US dollars."},
}
"""What a removal or an upload gives; nothing but type and UUID while it is at work unasked."""
_DETAILS: Final[Mapping[str, Schema]] = {
    "request": {"type": "array", "items": _OBJECT, "description": "The task as it was sent, without pictures."},
    "response": {**_OBJECT, "description": "What it was answered with: `data` or `errors`."},
}
_ACCOUNT: Final[Mapping[str, Schema]] = {
    "operation": _STRING,
    "organizationUUID": _UUID,
    "organizationName": _STRING,
    "balance": {"type": "number", "description": "In US dollars."},
    "team": {"type": "array", "items": _OBJECT},
    "apiKeys": {"type": "array", "items": _OBJECT},
    "usage": {
        "type": "object",
        "properties": {
            "metered": {"type": "boolean"},
            "usedCredits": {"type": "integer"},
            "grantedCredits": {"type": "integer"},
            "availableCredits": {"type": "integer"},
        },
        "required": ["metered", "usedCredits"],
    },
}
_ANSWERS: Final[Mapping[str, Mapping[str, Schema]]] = {
    TaskType.GET_TASK_DETAILS: _DETAILS,
    TaskType.ACCOUNT_MANAGEMENT: _ACCOUNT,
}
"""Members of an answer, beside type and UUID; all other tasks give a result."""
_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    TaskType.IMAGE_BACKGROUND_REMOVAL: {"inputImage": PICTURE, "outputFormat": "PNG", "alphaMatting": True},
    TaskType.REMOVE_BACKGROUND: {
        "inputs": {"image": PICTURE},
        "outputFormat": "PNG",
        "settings": {"alphaMatting": True},
    },
    TaskType.IMAGE_UPLOAD: {"image": PICTURE},
    TaskType.MEDIA_STORAGE: {"operation": "delete", "media": _MEDIA},
    TaskType.ACCOUNT_MANAGEMENT: {"operation": "getDetails"},
}
_URL_GIVEN: Final[Mapping[str, list[str | int]]] = {"result_url": ["data", 0, "imageURL"]}
_REMOVAL_GIVEN: Final[Mapping[str, list[str | int]]] = {"task_uuid": ["data", 0, "taskUUID"], **_URL_GIVEN}
_GIVEN: Final[Mapping[str, Mapping[str, list[str | int]]]] = {
    TaskType.IMAGE_BACKGROUND_REMOVAL: _REMOVAL_GIVEN,
    TaskType.REMOVE_BACKGROUND: _REMOVAL_GIVEN,
    TaskType.IMAGE_UPLOAD: {"media_uuid": ["data", 0, "imageUUID"]},
    TaskType.GET_RESPONSE: _URL_GIVEN,
}
"""Of what is a variable, where an answer holds it."""
_REASONS: Final = {"too_large": "so many", "too_often": "how often is allowed"}
"""Words in the place of what an error fills in; of any other what is wrong."""


def runware_section(*, max_tasks: int) -> ApiSection:
    """Describe the protocol."""
    schemas: dict[str, Schema] = {f"{_PREFIX}Error": _error(), **_keyless()}
    for name in ACTIONS:
        schemas[_schema_name(name, "Task")] = _task(name, schemas)
        schemas[_schema_name(name, "Answer")] = _answer(name)
    return ApiSection(
        name="Runware",
        summary="Tasks, POSTed to /v1 with an API key",
        text=_ABOUT,
        endpoint=_endpoint(max_tasks),
        schemas=schemas,
        security_schemes={"apiKey": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        variables={
            "api_key": _KEY,
            "picture": PICTURE,
            "$guid": _NEW,
            "task_uuid": _TASK,
            "media_uuid": _MEDIA,
        },
    )


def _endpoint(max_tasks: int) -> Endpoint:
    rows = (
        (row.status, row.code.format(word="Field"), row.message.format(reason=_REASONS.get(key, "what is wrong")))
        for key, row in ROWS.items()
        # What a POST can meet.
        if row.status not in {405, 426}
    )
    return Endpoint(
        path="/v1",
        operation="tasks",
        summary="Do tasks of Runware's",
        calls=[
            _call(TaskType.PING, "Ask whether the service answers. No key is needed.", {"ping": True}),
            _call(TaskType.AUTHENTICATION, "Bring the key, in front of other tasks.", {"apiKey": _KEY}),
            *(
                _call(
                    name,
                    inspect.getdoc(action.handle) or "",
                    # The task's own UUID, or that of the one it asks about.
                    {"taskUUID": _TASK if action.form is Plain else _NEW, **_EXAMPLES.get(name, {})},
                )
                for name, action in ACTIONS.items()
            ),
        ],
        discriminator="taskType",
        success="The tasks' answers; errors of some beside successes of others, and of tasks that have failed.",
        refusals=error_tables("code", "message", rows),
        # A wrong key is told twice, as the protocol does.
        refusal=object_schema({"errors": _ERRORS}, error=ref(f"{_PREFIX}Error")),
        request_frame=lambda task: {"type": "array", "items": task, "minItems": 1, "maxItems": max_tasks},
        answer_frame=_body,
        # Without a key there are pings.
        security=[{"apiKey": []}, {}],
    )


def _call(name: str, text: str, example: Mapping[str, Any]) -> Call:
    return Call(
        name=str(name),
        text=text,
        request=ref(_schema_name(name, "Task")),
        answer=ref(_schema_name(name, "Answer")),
        example=[{"taskType": str(name), **example}],
        gives=_GIVEN.get(name, {}),
    )


def _schema_name(name: str, what: str) -> str:
    return f"{_PREFIX}{name[:1].upper()}{name[1:]}{what}"


def _keyless() -> dict[str, Schema]:
    """What needs no caller."""
    ping, key = ({"const": str(name)} for name in (TaskType.PING, TaskType.AUTHENTICATION))
    return {
        _schema_name(TaskType.PING, "Task"): object_schema({"taskType": ping}, ping={"const": True}),
        _schema_name(TaskType.PING, "Answer"): object_schema({"taskType": ping, "pong": {"const": True}}),
        _schema_name(TaskType.AUTHENTICATION, "Task"): object_schema({"taskType": key, "apiKey": _STRING}),
        _schema_name(TaskType.AUTHENTICATION, "Answer"): object_schema(
            {"taskType": key, "connectionSessionUUID": _UUID}
        ),
    }


def _task(name: str, schemas: dict[str, Schema]) -> Schema:
    """A task's fields, with those that every task has."""
    schema = model_schema(ACTIONS[name].form, "validation", schemas, prefix=_PREFIX)
    return {
        **schema,
        "properties": {"taskType": {"const": str(name)}, "taskUUID": _UUID, **schema["properties"]},
        "required": ["taskType", "taskUUID", *schema.get("required", [])],
    }


def _answer(name: str) -> Schema:
    # What a poll gives is named by the task that it asks about.
    task_type: Schema = (
        {"enum": list(map(str, ACTIONS))} if name == TaskType.GET_RESPONSE else {"const": str(name)}
    )
    return object_schema({"taskType": task_type, "taskUUID": _UUID}, **_ANSWERS.get(name, _RESULT))


def _body(answer: Schema) -> Schema:
    """What an answer consists of: items of tasks, and of what is wrong."""
    data = {"type": "array", "items": answer, "minItems": 1}
    return {**object_schema({}, data=data, errors=_ERRORS), "minProperties": 1}


def _error() -> Schema:
    schema = object_schema(
        {"code": _STRING, "message": _STRING},
        parameter={
            "anyOf": [_STRING, {"type": "array", "items": _STRING}],
            "description": "The field at fault, or several that clash.",
        },
        taskType=_STRING,
        taskUUID=_STRING,
        status={"const": "error"},
    )
    return {**schema, "description": "What is wrong with a task, or with the request as a whole."}
