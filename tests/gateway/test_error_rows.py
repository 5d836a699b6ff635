"""Tests of the façades' error tables: no error lacks its row by oversight, no row repeats its parent's."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from cutgate.gateway.picpik import errors as picpik
from cutgate.gateway.rembg import errors as rembg
from cutgate.gateway.removebg import errors as removebg
from cutgate.gateway.runware.messages import errors as runware
from cutgate.jobs.errors import CutoutError

Facade = Callable[[Exception], tuple[int, str]]


def picpik_says(error: Exception) -> tuple[int, str]:
    known = picpik.refused(error, "/")
    return known.row.status, f"{known.message} {known.detail}"


def runware_says(error: Exception) -> tuple[int, str]:
    outcome = runware.refusal(error, {})
    return outcome.status, str(outcome.item)


def removebg_says(error: Exception) -> tuple[int, str]:
    known = removebg.refused(error)
    return known.status, f"{known.title} {known.detail}"


def rembg_says(error: Exception) -> tuple[int, str]:
    known = rembg.refused(error)
    return known.status, str(known.detail)


FAULTS = {"error", "processing_failed", "source_undecodable", "decoding_stopped", "timed_out", "worker_lost"}
FAULTS |= {"pipeline_failed", "waited_too_long"}
"""What only a task's record holds, or handlers turn into a fault of a field."""
SOURCES = {"source_rejected", "source_unreadable", "source_too_large", "source_too_costly", "box_outside_picture"}
SOURCES |= {"region_outside_picture", "region_empty", "subject_not_found", "source_unreachable", "blob_missing"}
FACADES: list[tuple[Facade, set[str]]] = [
    (picpik_says, FAULTS | SOURCES | {"terminated", "uploads_full"}),
    (runware_says, FAULTS | {"terminated", "task_too_large"}),
    (
        removebg_says,
        {"error", "processing_failed", "pipeline_failed", "worker_lost", "blob_missing", "task_too_large"},
    ),
    (rembg_says, {"error", "processing_failed", "pipeline_failed", "worker_lost", "task_too_large"}),
]


def tree(root: type[CutoutError]) -> Iterator[type[CutoutError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def made(kind: type[CutoutError]) -> CutoutError:
    """An error of a class, whatever else its maker would say."""
    error = kind.__new__(kind)
    CutoutError.__init__(error, "it is so")
    error.__dict__.update(over=1, ends_per_second=1.0)
    return error


@pytest.mark.parametrize(("says", "meant"), FACADES)
def test_no_error_of_the_core_is_a_fault_of_the_server_by_oversight(says: Facade, meant: set[str]) -> None:
    assert {kind.kind for kind in tree(CutoutError) if says(made(kind))[0] == 500} == meant


@pytest.mark.parametrize(("says", "_"), FACADES)
def test_what_no_table_knows_is_a_fault_of_the_server_and_tells_nothing(says: Facade, _: set[str]) -> None:
    status, text = says(RuntimeError("secret"))
    assert status == 500
    assert "secret" not in text


@pytest.mark.parametrize(
    "rows", [picpik.RAISED, picpik.TASK_ROWS, runware.RAISED, runware.TASK_ROWS, removebg.RAISED, rembg.RAISED]
)
def test_no_row_repeats_its_parents(rows: Mapping[type[Exception], object]) -> None:
    for kind, row in rows.items():
        assert row != next((rows[base] for base in kind.__mro__[1:] if base in rows), None), kind


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("unknown_action", "{0.__class__}", "Action [{0.__class__}] not found"),
        ("wrong_type", "Box.2", "Params [Box.2] type error"),
        ("not_available", "x" * 500, f"Params [{'x' * 128}] not available"),
    ],
)
def test_messages_hold_names_as_they_are(key: str, name: str, message: str) -> None:
    assert picpik.Refused(key, name=name).message == message
