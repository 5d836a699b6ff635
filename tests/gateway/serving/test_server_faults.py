"""What the server itself answers where the application was not reached, or could not answer."""

from __future__ import annotations

import json
import logging
import socket

import pytest
from gunicorn.http.errors import InvalidRequestLine, InvalidResponseHeader

from cutgate.gateway.serving.server import JsonErrorWorker


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("inner secret"), 500, 130),
        (InvalidResponseHeader("inner secret"), 500, 130),
        (InvalidRequestLine("inner secret"), 400, 160),
    ],
)
def test_errors_outside_of_the_application_are_answered_in_json(error: Exception, status: int, code: int) -> None:
    worker = JsonErrorWorker.__new__(JsonErrorWorker)
    worker.log = logging.getLogger("test")
    ours, callers = socket.socketpair()
    with ours, callers:
        worker.handle_error(None, ours, None, error)
        head, _, body = callers.recv(65_536).partition(b"\r\n\r\n")
        assert head.split()[1] == str(status).encode()
        assert f"Content-Length: {len(body)}".encode() in head
        assert json.loads(body)["RetCode"] == code
        assert b"inner secret" not in head + body
        callers.close()
        worker.handle_error(None, ours, None, error)
