"""Requests over HTTP that break off, find no space, or meet a fault of this server."""

from __future__ import annotations

import errno
import json
import tempfile
from io import RawIOBase
from typing import Any, cast
from unittest.mock import Mock

import pytest
from typing_extensions import override
from werkzeug.test import TestResponse

from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.jobs.errors import LedgerUnavailable
from tests.fakes import failing
from tests.gateway.runware.service import Service, make_service, removal


class BrokenChunks(RawIOBase):
    """What a server makes of a body whose second chunk is none."""

    def __init__(self, first: bytes, error: Exception) -> None:
        self._first, self._error = first, error

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int:
        if not self._first:
            raise self._error
        count = len(self._first)
        buffer[:count], self._first = self._first, b""
        return count


def code_of(answer: TestResponse) -> str:
    [error] = answer.get_json()["errors"]
    assert isinstance(error["code"], str)
    return error["code"]


def test_a_body_that_ends_too_soon_cannot_be_read(service: Service) -> None:
    body = json.dumps([removal(deliveryMethod="async")])
    answer = service.post(body, environ_overrides={"CONTENT_LENGTH": str(len(body) + 1)})
    assert (answer.status_code, code_of(answer)) == (400, "invalidRequest")
    service.harness.assert_nothing_left()


@pytest.mark.parametrize("error", [OSError("invalid chunk header"), ValueError("invalid chunk header")])
def test_a_body_whose_chunks_are_broken_cannot_be_read(service: Service, error: Exception) -> None:
    stream = BrokenChunks(b'[{"taskType":', error)
    overrides: dict[str, Any] = {"wsgi.input": stream, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = service.post(b"", environ_overrides=overrides)
    assert (answer.status_code, code_of(answer)) == (400, "invalidRequest")
    assert "JSON" not in answer.get_json()["errors"][0]["message"], "what came is not taken for the whole"
    service.harness.assert_nothing_left()


def test_a_body_that_finds_no_space_may_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service(body_memory_bytes=1)
    task = removal(deliveryMethod="async")
    with monkeypatch.context() as patched:
        full = Mock(side_effect=OSError(errno.ENOSPC, "no space left"))
        patched.setattr(tempfile.SpooledTemporaryFile, "write", full)
        answer = service.post([task])
    assert (answer.status_code, code_of(answer)) == (503, "serviceUnavailable")
    assert answer.headers["Retry-After"] == str(service.settings.retry_after_seconds)
    service.harness.assert_nothing_left()
    assert service.result(task)["taskUUID"] == task["taskUUID"]


def test_a_fault_outside_of_tasks_is_told_in_the_protocols_form(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunwareTasks, "begin", Mock(side_effect=RuntimeError("inner secret")))
    answer = service.post([removal()])
    assert (answer.status_code, code_of(answer)) == (500, "internalServerError")
    assert b"inner secret" not in answer.data


def test_of_several_results_one_asks_a_ledger_that_is_away(service: Service) -> None:
    failing(service.store, get_many=LedgerUnavailable("the server does not answer"))
    tasks = [removal(), removal(), removal()]
    answer = service.post(tasks)
    assert answer.status_code == 503
    told = [(error["code"], error["taskUUID"]) for error in answer.get_json()["errors"]]
    assert told == [("serviceUnavailable", task["taskUUID"]) for task in tasks]
    assert cast("Mock", service.store.get_many).call_count == 1
