"""Each form writes a body in its own way; the rules of every type of value."""

import decimal
from enum import IntEnum, StrEnum
from itertools import count

import pytest

from cutgate.signing import (
    GO_FORMS,
    REQUIRED_FORMS,
    NonFiniteNumber,
    NumberOutOfBounds,
    NumberText,
    Signable,
    canonical_number,
    canonical_pieces,
    canonical_string,
    parse_body,
)

GO = GO_FORMS[0]


class Size(IntEnum):
    SMALL = 2


class Mode(StrEnum):
    AUTO = "auto"


NUMBERS = [
    ("0", "0", "0"),
    ("-0", "0", "0"),
    ("-0.0", "0", "0"),
    ("0e5", "0", "0"),
    ("-0e-5", "0", "0"),
    ("35.0", "35", "35"),
    ("1.50", "1.5", "1.5"),
    ("100.00", "100", "100"),
    ("1.5e1", "15", "15"),
    ("1000000", "1000000", "1000000"),
    ("999999.5", "999999.5", "999999.5"),
    ("1000000.5", "1000000.5", "1.0000005e+06"),
    ("0.0001", "0.0001", "0.0001"),
    ("0.00001", "0.00001", "1e-05"),
    ("-0.0000001", "-0.0000001", "-1e-07"),
    ("1E-7", "0.0000001", "1e-07"),
    ("1e20", "100000000000000000000", "1e+20"),
    ("1.5e300", "15" + "0" * 299, "1.5e+300"),
    ("9223372036854775807", "9223372036854775807", "9223372036854775807"),
    ("9223372036854775808", "9223372036854775808", "9.223372036854776e+18"),
    ("-9223372036854775808", "-9223372036854775808", "-9223372036854775808"),
    ("12345678901234567168", "12345678901234567168", "1.2345678901234567e+19"),
    ("12345678901234567890.5", "12345678901234567890.5", "1.2345678901234567e+19"),
    ("0.1000000000000000055", "0.1000000000000000055", "0.1"),
    ("0." + "1" * 60, "0." + "1" * 60, "0.1111111111111111"),
    ("1e-400", "0." + "0" * 399 + "1", "0"),
    ("1e400", "1" + "0" * 400, "1" + "0" * 400),
]
"""A number's text: plain, as the protocol has it, and as Go writes it."""


@pytest.mark.parametrize(("text", "plain", "go"), NUMBERS, ids=count())
def test_numbers(text: str, plain: str, go: str) -> None:
    with decimal.localcontext(decimal.Context(prec=3)):  # a caller's context rounds nothing here
        assert canonical_number(NumberText(text)) == plain
        assert canonical_string({"": NumberText(text)}, GO) == go


def test_each_form_writes_the_whole_body_its_way() -> None:
    params = parse_body('{"z":[1.0,null],"n":null,"m":{"b":1e-07,"a":null},"Signature":"x"}')
    texts = {form.name: canonical_string(params, form) for form in REQUIRED_FORMS + GO_FORMS}
    assert texts == {
        "canonical numbers, nulls kept": "mab0.0000001nz1",
        "canonical numbers, nulls skipped": "mb0.0000001z1",
        "literal numbers, nulls kept": "mab1e-07nz1.0",
        "literal numbers, nulls skipped": "mb1e-07z1.0",
        "Go numbers, nulls kept": "mab1e-07nz1",
        "Go numbers, nulls skipped": "mb1e-07z1",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, ""),
        (15, "15"),
        (-17, "-17"),
        (15.0, "15"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
        (2**53 + 1, "9007199254740993"),
        (NumberText("15.0"), "15"),
        ("15.0", "15.0"),
        ("  two  ", "  two  "),
        ([180, 264], "180264"),
        ((1, [2, (3,)]), "123"),
        ([], ""),
        ({}, ""),
        ({"b": 1, "a": "z"}, "azb1"),
        ({"Signature": "abc", "x": 1}, "Signatureabcx1"),
        ([True, None, -1, 2.0, "s"], "true-12s"),
        (Size.SMALL, "2"),
        (Mode.AUTO, "auto"),
    ],
)
def test_value(value: Signable, text: str) -> None:
    assert canonical_string({"V": value}) == f"V{text}"


def test_names_stand_in_code_point_order() -> None:
    ordered = [
        "9", "Box", "Box-1", "Box.10", "Box.2", "TaskUID", "TaskUIDList", "Z", "_", "a", "request_uuid", "Ａ",
        "😀",
    ]  # fmt: skip
    assert list(canonical_pieces(dict.fromkeys(reversed(ordered), ""))) == ordered


def test_numbers_without_a_text_cannot_be_signed() -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(NonFiniteNumber):
            canonical_string({"V": [value]})
    with pytest.raises(NumberOutOfBounds):
        canonical_string({"V": 10**400})


@pytest.mark.parametrize(
    "value", [b"bytes", {1, 2}, decimal.Decimal(1), range(2), object()], ids=lambda value: type(value).__name__
)
def test_value_without_a_json_form_cannot_be_signed(value: object) -> None:
    params: dict[str, object] = {"V": value}
    with pytest.raises(TypeError, match="has no JSON form"):
        canonical_string(params)  # type: ignore[arg-type]  # what an untyped caller can do
