"""Faults of a request in PICPIK's terms. Codes and texts are in `errors.py`.

* RequestFault
  x BodyNotReadable
  x BodyTooLarge
  x BodyTooSlow
  x EncodingNotSupported
  x PathUnknown
  x MethodNotAllowed
  x ResultGone
  x RangeNotAvailable
  x ActionMissing
  x ActionUnknown
  x SignatureMissing
  x SignatureWrong
  x UserUnknown
  x ParameterFault
    + ParameterMissing
    + ParameterOfWrongType
    + ParameterNotAvailable
"""

from collections.abc import Iterable
from typing import Final

SHOWN_CHARACTERS: Final = 128
"""How much of a name that the caller chose is repeated to it."""


class RequestFault(Exception):
    """The caller's request is at fault."""


class BodyNotReadable(RequestFault):
    """The body is neither a JSON object nor a form."""


class BodyTooLarge(RequestFault):
    """The body is too large."""


class BodyTooSlow(RequestFault):
    """The body arrives too slowly."""


class EncodingNotSupported(RequestFault):
    """The body is compressed."""


class PathUnknown(RequestFault):
    """The path does not exist."""

    def __init__(self, path: str) -> None:
        super().__init__("unknown path")
        self.path = path[:SHOWN_CHARACTERS]


class MethodNotAllowed(RequestFault):
    """The path does not take the method."""

    def __init__(self, path: str, allowed: Iterable[str]) -> None:
        super().__init__("another method")
        self.path, self.allowed = path[:SHOWN_CHARACTERS], ", ".join(sorted(allowed))


class ResultGone(RequestFault):
    """The result has expired, or its address was altered."""


class RangeNotAvailable(RequestFault):
    """The range lies outside the result."""


class ActionMissing(RequestFault):
    """`Action` is absent, null, empty or not a string."""


class ActionUnknown(RequestFault):
    """The action does not exist here."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown action")
        self.name = name[:SHOWN_CHARACTERS]


class SignatureMissing(RequestFault):
    """`Signature` is absent, null, empty or not a string."""


class SignatureWrong(RequestFault):
    """The signature is not 40 hex digits, or equals no accepted form."""


class UserUnknown(RequestFault):
    """`PublicKey` is not registered."""


class ParameterFault(RequestFault):
    """One parameter is at fault."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(f"parameter {name[:SHOWN_CHARACTERS]}")
        #: The parameter's name; of an element with its index, such as `Box.2`.
        self.name = name[:SHOWN_CHARACTERS]
        #: What is wrong with it, for a person; empty before the signature was found right.
        self.detail = detail


class ParameterMissing(ParameterFault):
    """A required parameter is absent, null or empty."""


class ParameterOfWrongType(ParameterFault):
    """The JSON type is not the field's."""


class ParameterNotAvailable(ParameterFault):
    """The value is out of range or malformed, or the name is unknown."""
