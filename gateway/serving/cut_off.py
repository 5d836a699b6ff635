"""Count and log of peers that were cut off."""

import time
from collections import Counter
from enum import StrEnum
from typing import Final

import structlog

from cutgate.jobs.observe.metric_names import PEERS_CUT_OFF
from cutgate.jobs.observe.metrics import count

_TELL_SECONDS: Final = 60.0
"""How often a line of the log tells of peers that were cut off for the same reason."""
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
