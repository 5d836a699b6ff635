"""Answers to what never reaches the application."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from cutgate.gateway.picpik.errors import ROWS, Row

_KEYS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "fault",
    HTTPStatus.REQUEST_TIMEOUT: "too_slow",
    HTTPStatus.SERVICE_UNAVAILABLE: "not_now",
}
"""PICPIK's words for it, as which protocol the caller speaks is not known yet."""
_RETRY_SECONDS: Final = 5


def answer_outside(status: HTTPStatus) -> bytes:
    """A whole HTTP answer to what never reaches the application, after which the connection is closed."""
    row = ROWS[_KEYS[status]] if status in _KEYS else Row(ROWS["no_action"].ret_code, status.phrase)
    message = row.message
    # Runware's clients read the message of the first error, remove.bg's its title; some fail where there is none.
    error = {"code": "unavailable", "message": message, "title": message, "detail": "Send the request again."}
    members = {"RetCode": row.ret_code, "Action": "", "Message": message, "request_uuid": str(uuid.uuid4())}
    members |= {"errors": [error]}
    body = json.dumps(members)
    retry = (f"Retry-After: {_RETRY_SECONDS}",) if status is HTTPStatus.SERVICE_UNAVAILABLE else ()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *retry,
    )
    return "\r\n".join([*head, "", body]).encode("ascii")
