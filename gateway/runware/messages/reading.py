"""From a message's text to task objects, and from these to requests, or to the one fault that a caller is told.

The parser is that of signed bodies: it bounds depth and number of values, and refuses what can be read in two
ways.
"""

import json
import re
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cutgate.gateway.runware.messages.errors import Refused
from cutgate.gateway.runware.messages.fields import WRONG
from cutgate.gateway.runware.messages.outcomes import SHOWN_CHARACTERS, JsonObject
from cutgate.gateway.runware.messages.requests import Fields, TaskType
from cutgate.signing import BodyRejected, JsonValue, NotJson, NumberText, canonical_number, parse_value

F = TypeVar("F", bound=Fields)

_PING_BYTES: Final = 1_024
"""A longer message is not looked at before its turn."""
_MAX_DIGITS: Final = 18
_UUID_SHAPE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_ENVELOPE: Final = frozenset({"taskType", "taskUUID"})


def read_message(message: bytes, max_tasks: int) -> list[JsonObject]:
    """Read a message: JSON, an array of 1 to `max_tasks` objects; a bare object counts as an array of one."""
    try:
        text = message.decode("utf-8-sig")
        del message  # of a large one there are two copies at a time, not three
        tasks = parse_value(text)
    except UnicodeDecodeError:
        raise Refused("unreadable", "the message is not UTF-8") from None
    except NotJson as error:
        raise Refused("unreadable", f"the message is not JSON: {error.reason}") from None
    except BodyRejected as error:
        raise Refused("unreadable", f"the message cannot be read: {error}") from None
    elements = tasks if isinstance(tasks, list) else [tasks]
    if not elements:
        raise Refused("unreadable", "the array holds no task")
    if len(elements) > max_tasks:
        raise Refused("unreadable", f"the array holds {len(elements)} tasks, the limit is {max_tasks}")
    return [_task(element) for element in elements]


def _task(element: JsonValue) -> JsonObject:
    if not isinstance(element, dict):
        raise Refused("unreadable", "a task is a JSON object")
    return {name: _plain(value) for name, value in element.items()}


def _plain(value: JsonValue) -> Any:
    """The value with numbers as Python has them."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return _number(value) if isinstance(value, NumberText) else value


def _number(text: NumberText) -> int | float:
    plain = canonical_number(text)
    return int(plain) if "." not in plain and len(plain) <= _MAX_DIGITS else float(text)


def pings_in(message: bytes) -> int:
    """How many pings a message consists of; 0 where there is anything else in it."""
    if len(message) > _PING_BYTES or TaskType.PING.encode() not in message:
        return 0
    try:
        read = json.loads(message)
    except (ValueError, RecursionError):
        return 0
    tasks = read if isinstance(read, list) else [read]
    are_pings = all(isinstance(task, dict) and task.get("taskType") == TaskType.PING for task in tasks)
    return len(tasks) if are_pings else 0


def read_task_type(task: JsonObject) -> str:
    """The task's type."""
    task_type = task.get("taskType")
    if not isinstance(task_type, str) or not task_type:
        raise Refused("no_task_type")
    return task_type


def read_task_uuid(task: JsonObject) -> str:
    """The task's UUID, as it was sent."""
    task_uuid = task.get("taskUUID")
    if task_uuid is None or task_uuid == "":
        raise Refused("no_task_uuid")
    if not isinstance(task_uuid, str) or not is_uuid(task_uuid):
        raise Refused("wrong_task_uuid")
    return task_uuid


def read_fields(form: type[F], task: JsonObject) -> F:
    """Read what a task holds beside its envelope."""
    members = {name: value for name, value in task.items() if name not in _ENVELOPE}
    try:
        return form.model_validate(present(members))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
    # A model that does other work, such as on videos, explains the fields that only it has.
    raise _fault(next((problem for problem in problems if problem["loc"] == ("model",)), problems[0]))


def present(members: JsonObject) -> JsonObject:
    """Members without those that are null: absent, in the task and in the objects that it consists of."""
    result = {name: value for name, value in members.items() if value is not None}
    for name in ("settings", "inputs"):
        if isinstance(result.get(name), dict):
            result[name] = {inner: value for inner, value in result[name].items() if value is not None}
    return result


def is_uuid(text: str) -> bool:
    """Whether a text has the shape of a UUID, of any version."""
    return _UUID_SHAPE.fullmatch(text) is not None


def begins_as_url(text: str) -> bool:
    """Whether a text begins as an address of the web does."""
    return text[: len("https://")].lower().startswith(("http://", "https://"))


def _fault(problem: ErrorDetails) -> Refused:
    path = [str(part)[:SHOWN_CHARACTERS] for part in problem["loc"]]
    parameter = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return Refused("unknown", f"{parameter} is not a field of this task", parameter)
    if problem["type"] == "missing":
        return Refused("missing", f"{parameter} is required", parameter)
    reason = problem["msg"] if problem["type"] == WRONG else "must be an object"
    return Refused("wrong", f"{path[-1]} {reason}", parameter)
