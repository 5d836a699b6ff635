"""Stages of the signature over every vector, and what holds for every JSON object."""

import json
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.signing import (
    GO_FORMS,
    REQUIRED_FORMS,
    FormText,
    JsonValue,
    NumberText,
    canonical_number,
    canonical_pieces,
    canonical_string,
    dump_body,
    parse_body,
    sign,
    sign_params,
    take_signature,
    verify,
)
from tests.signing.vector_cases import NOT_RUN, VECTORS, Vector


def typed(value: Any) -> Any:
    """The value with its types beside it, since `NumberText("1") == "1"` and `True == 1`."""
    if isinstance(value, dict):
        return {name: typed(member) for name, member in value.items()}
    if isinstance(value, list):
        return [typed(element) for element in value]
    return type(value), value


def by_value(value: Any) -> Any:
    """The value in which a number counts by its value and a form's text as any text."""
    if isinstance(value, dict):
        return {name: by_value(member) for name, member in value.items()}
    if isinstance(value, list):
        return [by_value(element) for element in value]
    if isinstance(value, FormText):
        return str, str(value)
    if isinstance(value, NumberText) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return Decimal, Decimal(str(value))
    return type(value), value


OPTIONAL = [case for case in VECTORS if case.accepts_optional]


def test_all_vectors_are_there() -> None:
    assert len({case.name for case in VECTORS}) == len(VECTORS) == 93
    assert NOT_RUN.keys() <= {case.name for case in OPTIONAL}
    (generated,) = (case for case in VECTORS if case.canonical_bytes is not None)
    assert len((generated.canonical + generated.private_key).encode()) == generated.canonical_bytes


@pytest.mark.parametrize("case", VECTORS, ids=attrgetter("name"))
def test_every_stage(case: Vector) -> None:
    parsed = case.parse(case.body)
    assert typed(parsed) == typed(case.params)
    assert by_value(parsed) == by_value(case.file_params)
    assert canonical_string(case.params) == "".join(map(str, canonical_pieces(case.params))) == case.canonical
    # A client has Python's own numbers, which sign alike.
    assert (
        sign(case.canonical, case.private_key) == sign_params(case.file_params, case.private_key) == case.signature
    )


@pytest.mark.parametrize("case", VECTORS, ids=attrgetter("name"))
def test_whole_way(case: Vector) -> None:
    rest, presented = take_signature(case.parse(case.signed_body()))
    assert typed(rest) == typed(case.params)
    assert presented == (case.presented or None)
    assert (presented is not None and verify(rest, presented, case.live_keys)) is case.valid
    assert verify(case.params, case.presented, case.live_keys, go_numbers=False) is case.valid


@pytest.mark.parametrize("go_numbers", [True, False])
@pytest.mark.parametrize("case", [case for case in VECTORS if case.accepts], ids=attrgetter("name"))
def test_further_signatures_pass(case: Vector, *, go_numbers: bool) -> None:
    for signature in case.accepts:
        assert verify(case.params, signature, case.live_keys, go_numbers=go_numbers)


@pytest.mark.parametrize("case", OPTIONAL, ids=attrgetter("name"))
def test_optional_signatures_pass_with_go_numbers_only_where_they_are_offered(case: Vector) -> None:
    for signature in case.accepts_optional:
        assert verify(case.params, signature, case.live_keys) is (case.name not in NOT_RUN)
        assert not verify(case.params, signature, case.live_keys, go_numbers=False)


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
