"""A message's text, read into task objects; the same for a body and for a frame.

The parser is that of signed bodies: it bounds depth and number of values, and refuses what can be read in two
ways.
"""

from __future__ import annotations

import json
from typing import Any, Final

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject
from cutgate.signing import BodyRejected, JsonValue, NotJson, NumberText, canonical_number, parse_body

PING: Final = "ping"
"""The one task type that is answered before its turn, and for anybody."""

_PING_BYTES: Final = 1_024
"""A longer message is not looked at before its turn."""
_MARK: Final = "\ufeff"
_HEAD: Final = '{"tasks":'
_MAX_DIGITS: Final = 18


def read_message(text: bytes | str, max_tasks: int) -> list[JsonObject]:
    """Read a message; a bare object counts as an array of one.

    Args:
        text: JSON, UTF-8 if it is bytes.
        max_tasks: how many objects it may hold.

    Raises:
        RequestUnreadable: it is not an array of 1 to `max_tasks` objects.
    """
    try:
        wrapped = f"{_HEAD}{_decoded(text)}}}"
        del text  # a message may be large
        members = parse_body(wrapped)
    except NotJson as error:
        raise faults.RequestUnreadable(f"the message is not JSON: {error.reason}") from None
    except BodyRejected as error:
        raise faults.RequestUnreadable(f"the message cannot be read: {error}") from None
    if len(members) != 1:  # something closed the object around it
        raise faults.RequestUnreadable("the message is not JSON")
    tasks = members["tasks"]
    elements = tasks if isinstance(tasks, list) else [tasks]
    if not elements:
        raise faults.RequestUnreadable("the array holds no task")
    if len(elements) > max_tasks:
        raise faults.RequestUnreadable(f"the array holds {len(elements)} tasks, the limit is {max_tasks}")
    return [_task(element) for element in elements]


def _decoded(text: bytes | str) -> str:
    try:
        return (text.decode() if isinstance(text, bytes) else text).removeprefix(_MARK)
    except UnicodeDecodeError:
        raise faults.RequestUnreadable("the message is not UTF-8") from None


def _task(element: JsonValue) -> JsonObject:
    if not isinstance(element, dict):
        raise faults.RequestUnreadable("a task is a JSON object")
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
    if len(message) > _PING_BYTES or PING.encode() not in message:
        return 0
    try:
        read = json.loads(message)
    except (ValueError, RecursionError):
        return 0
    tasks = read if isinstance(read, list) else [read]
    are_pings = all(isinstance(task, dict) and task.get("taskType") == PING for task in tasks)
    return len(tasks) if are_pings else 0
