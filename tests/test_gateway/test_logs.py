"""What is logged, in both forms: one line an event, and no secret even in a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from typing_extensions import override

from jobs import logs
from jobs.queue import JobQueue
from jobs.spec import Lane
from tests.test_gateway import pictures
from tests.test_gateway.harness import MASTER_KEY, PRIVATE_KEY, Harness


class BrokenQueue(JobQueue):
    """A part with a bug."""

    @override
    def hint(self, lane: Lane) -> None:
        raise ZeroDivisionError("a bug")

    @override
    def pending(self, lane: Lane) -> int:
        raise ZeroDivisionError("a bug")


@pytest.fixture
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored_logging")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_fault_is_logged_with_its_trace_and_without_secrets(
    memory_gateway: Harness, capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat
) -> None:
    logs.configure(log_format, "info")
    app = memory_gateway.make_app(memory_gateway.settings, queue=BrokenQueue())
    response = app.test_client().post("/", json=memory_gateway.signed_picture(pictures.BASE64_8X8))
    assert (response.status_code, response.get_json()["RetCode"]) == (500, 130)
    text = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in text
    assert "Traceback" in text
    for secret in (PRIVATE_KEY, MASTER_KEY, pictures.BASE64_8X8[:20]):
        assert secret not in text


@pytest.mark.usefixtures("_restored_logging")
def test_json_lines_of_this_package_and_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning")
    structlog.contextvars.bind_contextvars(request_uuid="r")
    structlog.get_logger().warning("ours", size=3)
    structlog.get_logger().info("too quiet")
    logging.getLogger("library").warning("theirs %s", 7)
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert ours.items() >= {"event": "ours", "level": "warning", "request_uuid": "r", "size": 3}.items()
    assert theirs.items() >= {"event": "theirs 7", "level": "warning", "logger": "library"}.items()
