"""Tests of logs in both forms: one line an event, and no secret even in a traceback."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog
from billiard.util import get_logger

from cutgate.jobs.observe import logs
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import MASTER_KEY, PRIVATE_KEY, Harness


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_fault_is_logged_with_its_trace_and_without_secrets(
    gateway: Harness, capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat
) -> None:
    logs.configure(log_format, "info")
    app = gateway.make_app(gateway.settings, blobs=failing(gateway.blobs, put=ZeroDivisionError("a bug")))
    response = app.test_client().post("/", json=gateway.signed_picture(pictures.BASE64_8X8))
    assert (response.status_code, response.get_json()["RetCode"]) == (500, 130)
    text = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in text
    assert "Traceback" in text
    for secret in (PRIVATE_KEY, MASTER_KEY, pictures.BASE64_8X8[:20]):
        assert secret not in text


@pytest.mark.parametrize("sent", ["\x1b]0;owned\x07\x1b[2Jgone", "\x9b31m", "\u202egnp.exe", "a\rb", "\x7f"])
def test_what_strangers_send_is_escaped_on_a_terminal(
    gateway: Harness, capsys: pytest.CaptureFixture[str], sent: str
) -> None:
    logs.configure("console", "info")
    gateway.post(json.dumps({"Action": sent, "request_uuid": sent}))
    logging.getLogger("library").warning("it said %s", sent)
    written = capsys.readouterr().err
    assert written.replace("\n", "").isprintable()
    assert written.count(sent.encode("unicode_escape").decode()) == 4


def test_json_lines_of_this_package_and_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning")
    logs.bind(request_uuid="r")
    structlog.get_logger("jobs").warning("ours", size=3)
    structlog.get_logger("jobs").info("too quiet")
    logging.getLogger("library").warning("theirs %s", 7)
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert ours.items() >= {"event": "ours", "level": "warning", "request_uuid": "r", "size": 3}.items()
    assert theirs.items() >= {"event": "theirs 7", "level": "warning", "logger": "library"}.items()


def test_libraries_are_held_to_warnings_whatever_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "debug")
    for name in ("cutgate.gateway.serving.app", "uvicorn.error", "botocore.auth", "opentelemetry.sdk"):
        logging.getLogger(name).debug("debug of %s", name)
        logging.getLogger(name).info("info of %s", name)
        logging.getLogger(name).warning("warning of %s", name)
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        *(f"{level} of cutgate.gateway.serving.app" for level in ("debug", "info", "warning")),
        "warning of botocore.auth",
    ]


def test_what_would_be_printed_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(action="always"):
        logs.configure("json", "info")
        warnings.warn("mind the gap", UserWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="broken")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("no"), None)
    warned, of_thread, of_process = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")
    assert (of_thread["event"], "ZeroDivisionError" in of_thread["exception"]) == ("thread_failed", True)
    assert (of_process["event"], "ValueError: no" in of_process["exception"]) == ("process_failed", True)


def test_a_child_of_the_pool_that_dies_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    get_logger().error("Process %r exited", "child")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "Process 'child' exited"
