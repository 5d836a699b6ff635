"""Public names are listed and light to import; errors say what happened and what to do."""

import subprocess
import sys

import cutgate
from cutgate.errors import ADVICE, JobFailed, JobTimeout, ServiceError, facts
from cutgate.gateway.picpik.errors import ROWS, TASK_ROWS


def test_list_of_public_names_is_complete() -> None:
    assert cutgate.__all__ == sorted(cutgate.__all__)
    assert all(getattr(cutgate, name).__name__ == name for name in cutgate.__all__)
    assert not hasattr(cutgate, "NoSuchName")


def test_the_command_loads_no_part_of_the_service() -> None:
    code = "import sys, cutgate.commands.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    parts = {"cutgate.gateway", "cutgate.worker", "cutgate.jobs"}
    assert (parts | {"flask", "celery", "numpy", "PIL", "redis", "valkey"}).isdisjoint(loaded)


def test_errors_name_the_code_what_happened_and_what_to_do() -> None:
    refused = ServiceError(171, "Signature VerifyAC Error", "GetCreditBalance")
    said = "the service refused GetCreditBalance: Signature VerifyAC Error"
    assert facts(refused) == {"code": 171, "message": said, "advice": "check the private key"}
    assert str(refused) == f"{said}; check the private key (code 171)"
    detailed = ServiceError(230, "Params [Box] not available", "RemoveBackground", "the box has no area")
    assert detailed.text == "the box has no area"
    assert str(detailed) == "the box has no area (Params [Box] not available, code 230)"
    late = JobTimeout("uid", 3, "Running")
    assert (late.code, late.advice) == ("JobTimeout", "it goes on; ask for it later")
    forgotten = JobFailed("uid", 230, "Task [uid] not found")
    assert (forgotten.code, "hand the picture in again" in forgotten.advice) == (230, True)
    assert facts(FileNotFoundError(2, "No such file", "a.png"))["code"] == "FileNotFoundError"


def test_advice_is_on_codes_that_the_service_gives() -> None:
    known = {row.ret_code for row in ROWS.values()} | {row.error_code for row in TASK_ROWS.values()}
    assert set(ADVICE) <= known
