"""Stages of the signature over every vector; each stage starts from the expected result of the one before."""

from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest

from cutgate.signing import (
    FormText,
    NumberText,
    canonical_pieces,
    canonical_string,
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
