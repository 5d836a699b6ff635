"""What holds for every JSON object, not only for those that somebody thought of."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cutgate.signing import (
    GO_FORMS,
    REQUIRED_FORMS,
    JsonValue,
    NumberText,
    canonical_number,
    canonical_string,
    dump_body,
    parse_body,
    sign_params,
    take_signature,
    verify,
)

NUMBER_TEXT = st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?\Z").map(NumberText)
SCALARS = st.none() | st.booleans() | NUMBER_TEXT | st.text(max_size=8)
NAMES = st.text(max_size=8)


def nested(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=3)


OBJECTS: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(
    NAMES.filter(lambda name: name.lower() != "signature"), st.recursive(SCALARS, nested, max_leaves=8), max_size=5
)
PYTHON_OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES.filter(lambda name: name.lower() != "signature"),
    st.recursive(
        SCALARS.filter(lambda value: not isinstance(value, NumberText))
        | st.integers(-(10**30), 10**30)
        | st.floats(allow_nan=False, allow_infinity=False),
        nested,
        max_leaves=8,
    ),
    max_size=5,
)
KEYS = st.text("abcdef0123456789", min_size=6, max_size=12)


@given(NUMBER_TEXT)
def test_canonical_number_is_plain_and_settled(number: NumberText) -> None:
    plain = canonical_number(number)
    assert "e" not in plain.lower()
    assert plain == "0" or not plain.startswith("-0") or plain.startswith("-0.")
    assert "." not in plain or plain[-1] not in "0."
    assert canonical_number(NumberText(plain)) == plain


@given(OBJECTS)
def test_what_is_written_is_read(params: dict[str, JsonValue]) -> None:
    read = parse_body(dump_body(params).encode())
    assert repr(read) == repr(params)


@given(OBJECTS, KEYS)
def test_what_was_signed_verifies(params: dict[str, JsonValue], key: str) -> None:
    signature = sign_params(params, key)
    rest, presented = take_signature(parse_body(dump_body(params | {"Signature": signature})))
    assert presented == signature
    assert verify(rest, presented, ["another", key], go_numbers=False)


@given(PYTHON_OBJECTS, KEYS)
def test_what_a_python_client_signed_verifies(params: dict[str, Any], key: str) -> None:
    received = parse_body(json.dumps(params))
    assert verify(received, sign_params(params, key), [key], go_numbers=False)


@given(OBJECTS, OBJECTS, KEYS)
def test_signature_fits_equal_texts_only(
    signed: dict[str, JsonValue], sent: dict[str, JsonValue], key: str
) -> None:
    texts = {canonical_string(sent, form) for form in REQUIRED_FORMS + GO_FORMS}
    assert verify(sent, sign_params(signed, key), [key]) is (canonical_string(signed) in texts)
