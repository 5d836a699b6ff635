"""What errors say."""

from __future__ import annotations

import pytest

from cutgate.signing import (
    DuplicateName,
    FlattenedNamesRejected,
    FormRejected,
    LoneSurrogate,
    NonFiniteNumber,
    NotAnObject,
    NotJson,
    NumberOutOfBounds,
    SigningError,
    TooDeep,
    TooManyValues,
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NotJson("Expecting value", 7), "the body is not JSON: Expecting value (position 7)"),
        (NotAnObject(), "the body is not a JSON object"),
        (DuplicateName("Box"), "the name 'Box' stands twice in one object"),
        (LoneSurrogate(), "a text holds a lone surrogate"),
        (NonFiniteNumber("NaN"), "NaN is not a JSON number"),
        (NumberOutOfBounds("exponent", 400), "a number is over the limit: exponent at most 400"),
        (TooDeep(32), "the body is nested deeper than 32 levels"),
        (TooManyValues(9), "the body holds more than 9 values"),
        (FormRejected(2), "field 2 of the form is not UTF-8"),
        (FlattenedNamesRejected("Box", "a gap"), "the elements of 'Box' do not make an array: a gap"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SigningError) else "",
)
def test_message(error: SigningError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("name", ["\ud800" * 1000, "行" * 1000, "\n" * 1000])
def test_message_of_a_hostile_name_is_short_and_ascii(name: str) -> None:
    error = DuplicateName(name)
    assert error.name == name
    assert str(error).isascii()
    assert str(error).isprintable()
    assert len(str(error)) < 500
