"""Peers that are cut off: what they are answered, and their count and log."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import structlog

from cutgate.gateway.picpik.errors import ROWS, Row
from cutgate.jobs.observe.metric_names import PEERS_CUT_OFF
from cutgate.jobs.observe.metrics import count

_TELL_SECONDS: Final = 60.0
"""How often a line of the log tells of peers that were cut off for the same reason."""
_KEYS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.INTERNAL_SERVER_ERROR: "fault",
    HTTPStatus.REQUEST_TIMEOUT: "too_slow",
    HTTPStatus.SERVICE_UNAVAILABLE: "not_now",
}
"""PICPIK's words for it, as which protocol the caller speaks is not known yet."""
_RETRY_SECONDS: Final = 5
_LOG: Final = structlog.get_logger(__name__)


class CutOff(StrEnum):
    """Why a peer was cut off; the values of `PEERS_CUT_OFF`'s label."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    TURN = "turn"
    CONNECTIONS = "connections"


class CutOffLog:
    """Counts each, and tells of a flood with one line a minute."""

    def __init__(self) -> None:
        self._untold: Counter[CutOff] = Counter()
        self._told_at: dict[CutOff, float] = {}

    def tell(self, reason: CutOff, address: str | None) -> None:
        """Count a peer that is cut off; of a flood the log has one line a minute."""
        count(PEERS_CUT_OFF, reason=reason.value)
        self._untold[reason] += 1
        now = time.monotonic()
        if now - self._told_at.get(reason, -_TELL_SECONDS) >= _TELL_SECONDS:
            self._told_at[reason] = now
            _LOG.warning(
                "peers_cut_off", reason=reason.value, count=self._untold.pop(reason), last_address=address
            )


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
