"""Who may have a connection, and a thread that receives a body: so many in all, and so many from one address."""

import time
from collections import Counter
from enum import StrEnum
from typing import Final

import structlog

from cutgate.gateway.addresses import subscriber
from cutgate.gateway.serving.proxies import is_within
from cutgate.gateway.settings import Network
from cutgate.jobs.observe.metric_names import PEERS_CUT_OFF
from cutgate.jobs.observe.metrics import count

_TELL_SECONDS: Final = 60.0
"""How often a line of the log tells of callers that were cut off for the same reason."""
_LOG: Final = structlog.get_logger(__name__)


class CutOff(StrEnum):
    """Why a caller was cut off; the values of `PEERS_CUT_OFF`'s label."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    TURN = "turn"
    CONNECTIONS = "connections"


def counted_as(client: object, proxies: tuple[Network, ...]) -> str | None:
    """What a peer is counted as; None for a proxy, behind which everybody is.

    Args:
        client: its address, as `socket.accept` gives it.
        proxies: those that are trusted.
    """
    address = client[0] if isinstance(client, tuple) else ""
    return None if is_within(address, proxies) else subscriber(address)


class Told:
    """Counts who is cut off, and tells of a flood in one line a minute."""

    def __init__(self) -> None:
        """Begin."""
        self._untold: Counter[CutOff] = Counter()
        self._told_at: dict[CutOff, float] = {}

    def cut_off(self, reason: CutOff, address: str | None) -> None:
        """Note that somebody was."""
        count(PEERS_CUT_OFF, reason=reason.value)
        self._untold[reason] += 1
        now = time.monotonic()
        if now - self._told_at.get(reason, -_TELL_SECONDS) >= _TELL_SECONDS:
            self._told_at[reason] = now
            _LOG.warning(
                "peers_cut_off", reason=reason.value, count=self._untold.pop(reason), last_address=address
            )
