"""Every error of the package. No status code and no protocol's number is named here.

* SigningError
  x BodyRejected
    + NotJson
    + NotAnObject
    + DuplicateName
    + LoneSurrogate
    + NonFiniteNumber
    + NumberOutOfBounds
    + TooDeep
    + TooManyValues
    + FormRejected
  x FlattenedNamesRejected

A signature that does not fit is no error: `verify` answers False.
"""

from typing import Final

_SHOWN_CHARACTERS: Final = 64


def _shown(text: str) -> str:
    """A text from outside, short and in ASCII, so that every log can hold the message."""
    return ascii(text[:_SHOWN_CHARACTERS])


class SigningError(Exception):
    """What can keep a request from being signed or verified."""


class BodyRejected(SigningError):
    """The body cannot be read as parameters, so there is nothing to verify."""


class NotJson(BodyRejected):
    """The text is not JSON, or its bytes are not UTF-8."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"the body is not JSON: {reason} (position {position})")
        #: What the decoder expected or refused.
        self.reason = reason
        #: Where: an index of characters, of bytes where the body is not UTF-8.
        self.position = position


class NotAnObject(BodyRejected):
    """The body is JSON, but an array, a string, a number, a boolean or null."""

    def __init__(self) -> None:
        super().__init__("the body is not a JSON object")


class DuplicateName(BodyRejected):
    """An object holds a name twice: one value could be verified and the other one used."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the name {_shown(name)} stands twice in one object")
        #: The name as received.
        self.name = name


class LoneSurrogate(BodyRejected):
    """A name or value holds half of a surrogate pair, which UTF-8 cannot hold."""

    def __init__(self) -> None:
        super().__init__("a text holds a lone surrogate")


class NonFiniteNumber(BodyRejected):
    """A number is NaN or infinite, for which JSON has no form."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text} is not a JSON number")
        #: The number as written, for instance `-Infinity`.
        self.text = text


class NumberOutOfBounds(BodyRejected):
    """A number is longer than any that the protocol needs, or its plain notation would be."""

    def __init__(self, measure: str, limit: int) -> None:
        super().__init__(f"a number is over the limit: {measure} at most {limit}")
        #: What was measured (`characters`, `exponent`), and the largest value that passes.
        self.measure, self.limit = measure, limit


class TooDeep(BodyRejected):
    """Arrays and objects are nested deeper than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is nested deeper than {limit} levels")
        #: The deepest level that passes; the body's own object is the first.
        self.limit = limit


class TooManyValues(BodyRejected):
    """The body holds more values than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body holds more than {limit} values")
        #: The largest number of values that passes.
        self.limit = limit


class FormRejected(BodyRejected):
    """A field of a form-encoded body is not UTF-8 once it is decoded, or costs too much to decode."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"field {position} of the form {reason}")
        #: Which field, counted from 1.
        self.position = position


class FlattenedNamesRejected(SigningError):
    """The members `Name.K` of an array do not make one."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the elements of {_shown(name)} do not make an array: {reason}")
        #: The array's name, without an index.
        self.name = name
        #: What is wrong with the elements' names.
        self.reason = reason
