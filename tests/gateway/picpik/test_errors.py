"""No error of the core, of the signature or of a request lacks its row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cutgate.gateway.accounts.rates import RateExceeded
from cutgate.gateway.picpik import faults
from cutgate.gateway.picpik.errors import ROWS, TASK_ROWS, row_for
from cutgate.jobs.errors import CutoutError
from cutgate.signing import SigningError

ROOTS = (CutoutError, SigningError, RateExceeded, faults.RequestFault)


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_every_error_has_a_row_and_every_row_an_error() -> None:
    known = {error for root in ROOTS for error in tree(root)}
    ours = {error for error in known if not error.__module__.startswith("tests.")}
    assert ours == set(ROWS)


def test_every_kind_has_a_row_in_a_task() -> None:
    kinds = {error.kind for error in tree(CutoutError) if issubclass(error, CutoutError)}
    assert kinds == set(TASK_ROWS)


def test_codes_are_final_unless_the_status_says_otherwise() -> None:
    for row in ROWS.values():
        assert 0 < row.ret_code <= 2000
        assert row.passing == (row.status in {429, 503})
    assert {row.error_code for row in TASK_ROWS.values()} == {1001, 1002, 1003}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (faults.ActionUnknown("{0.__class__}"), "Action [{0.__class__}] not found"),
        (faults.ParameterMissing("RawImage"), "Missing params [RawImage]"),
        (faults.ParameterOfWrongType("Box.2"), "Params [Box.2] type error"),
        (faults.ParameterNotAvailable("x" * 500), f"Params [{'x' * 128}] not available"),
    ],
)
def test_messages_hold_names_as_they_are(error: Exception, message: str) -> None:
    assert row_for(error).text(error) == message


def test_the_docstring_tree_is_the_class_tree() -> None:
    listed = [
        line.strip(" *x+-·") for line in (faults.__doc__ or "").splitlines() if line.strip()[:1] in {"*", "x", "+"}
    ]
    assert listed == [error.__name__ for error in tree(faults.RequestFault)]


def test_an_error_that_nobody_expected_is_a_fault_of_the_server() -> None:
    row = row_for(ZeroDivisionError("secret"))
    assert (row.ret_code, row.status, row.text(ZeroDivisionError("secret"))) == (
        130,
        500,
        "Service error and break",
    )
