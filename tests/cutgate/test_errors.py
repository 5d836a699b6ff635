"""The errors say what they are: the tree in the docstring is the tree in the code."""

from __future__ import annotations

from collections.abc import Iterator

from cutgate import errors
from cutgate.errors import ADVICE, CutgateError, JobFailed, JobTimeout, ServiceError, StartFailed, facts
from cutgate.gateway.picpik.errors import ROWS, TASK_ROWS


def tree(kind: type[Exception], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


def test_docstring_tree_is_the_class_tree() -> None:
    assert errors.__doc__ is not None
    bullets = [line for line in errors.__doc__.splitlines() if line.strip()[:2] in {"* ", "x ", "+ "}]
    written = [((len(line) - len(line.lstrip())) // 2, line.split()[1]) for line in bullets]
    assert written == list(tree(CutgateError))


def test_errors_keep_their_facts() -> None:
    refused = ServiceError(520, "Insufficient balance", "RemoveBackground")
    assert (refused.ret_code, refused.message, refused.action) == (520, "Insufficient balance", "RemoveBackground")
    failed = JobFailed("uid", 1001, "Processing failed")
    assert (failed.uid, failed.code, failed.message) == ("uid", 1001, "Processing failed")


def test_errors_name_the_code_what_happened_and_what_to_do() -> None:
    refused = ServiceError(171, "Signature VerifyAC Error", "GetCreditBalance")
    said = "GetCreditBalance refused: Signature VerifyAC Error (code 171)"
    assert facts(refused) == {"code": 171, "message": said, "advice": "check the private key"}
    assert str(refused) == f"{said}; check the private key"
    late = JobTimeout("uid", 3, "Running")
    assert (late.code, late.advice) == ("JobTimeout", "it goes on; ask for it later")
    forgotten = JobFailed("uid", 230, "Task [uid] not found")
    assert (forgotten.code, "hand the picture in again" in forgotten.advice) == (230, True)
    assert facts(FileNotFoundError(2, "No such file", "a.png"))["code"] == "FileNotFoundError"


def test_advice_is_on_codes_that_the_service_gives() -> None:
    known = {row.ret_code for row in ROWS.values()} | {row.error_code for row in TASK_ROWS.values()}
    assert set(ADVICE) <= known


def test_a_start_that_failed_shows_the_last_lines() -> None:
    error = StartFailed("worker-1", "ended while starting (exit code 3)", ["no weights", "fetch them"])
    assert str(error).splitlines() == [
        "worker-1 ended while starting (exit code 3); its last lines:",
        "  worker-1 | no weights",
        "  worker-1 | fetch them",
    ]
    assert str(StartFailed("redis", "was not ready in time")) == "redis was not ready in time"
