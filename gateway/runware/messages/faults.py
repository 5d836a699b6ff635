"""Faults of a request in Runware's terms. Codes and texts are in `errors.py`."""

from collections.abc import Sequence
from typing import Final

SHOWN_CHARACTERS: Final = 128
"""How much of a name that the caller chose is repeated to it."""


class RequestFault(Exception):
    """The caller's request is at fault, or cannot be served now."""


class RequestUnreadable(RequestFault):
    """The message is no JSON array of objects, or an empty one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        #: What is wrong, for a person.
        self.reason = reason


class RequestTooLarge(RequestFault):
    """The message is too large."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("message too large")
        self.limit_bytes = limit_bytes


class RequestTooSlow(RequestFault):
    """The message arrives too slowly."""


class EncodingNotSupported(RequestFault):
    """The body is compressed."""


class MethodNotAllowed(RequestFault):
    """The path takes POST, and GET for a WebSocket."""


class UpgradeRequired(RequestFault):
    """A GET that does not ask for a WebSocket."""


class TaskTypeMissing(RequestFault):
    """`taskType` is absent, empty or not a string."""


class TaskTypeUnknown(RequestFault):
    """The task type does not exist here."""


class TaskUuidMissing(RequestFault):
    """`taskUUID` is absent or empty."""


class TaskUuidMalformed(RequestFault):
    """`taskUUID` is not a UUID."""


class TaskUnknown(RequestFault):
    """No task of the account has the UUID, or its results have expired."""


class TookTooLong(RequestFault):
    """The result took longer than a caller may wait; the task goes on."""


class ServerStops(RequestFault):
    """The server is stopping."""


class ResultTooLarge(RequestFault):
    """The client refused the result's frame as too long."""


class FieldFault(RequestFault):
    """One field is at fault, or several that clash."""

    def __init__(self, parameters: str | Sequence[str], word: str = "", reason: str = "") -> None:
        super().__init__(f"field {parameters}"[:SHOWN_CHARACTERS])
        #: Dotted paths as the caller sent them.
        self.parameters = parameters if isinstance(parameters, str) else list(parameters)
        #: The field's name as codes have it, such as `OutputFormat`.
        self.word = word
        #: What is wrong with it, for a person.
        self.reason = reason


class FieldUnknown(FieldFault):
    """The task does not have such a field."""


class FieldMissing(FieldFault):
    """A required field is absent or empty."""


class FieldWrong(FieldFault):
    """The value has the wrong type or is out of range."""


class PictureNotUsable(FieldFault):
    """The picture cannot be found or read."""
