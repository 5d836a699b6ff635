"""Workload of a running stack, from its ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TIMEOUT_SECONDS: Final = 1.0
"""For an answer of the ledger's server: whoever looks every second has no use for a late one."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Pictures by what becomes of them."""

    waiting: int
    running: int
    done: int
    """Since the first look."""

    def __str__(self) -> str:
        return f"{self.waiting} waiting, {self.running} running, {self.done} done"


def look_at_ledger(redis_url: str) -> Callable[[], Figures | None]:
    """What counts a stack's pictures in one call of its ledger, or says None where that does not answer.

    Args:
        redis_url: the ledger's server, with a user who may read all of it.
    """
    # Of the service's libraries, which are there where a stack runs; callers need none of them.
    from cutgate.jobs.errors import LedgerUnavailable
    from cutgate.jobs.ledger.redis.client import connect
    from cutgate.jobs.ledger.redis.ledger import RedisLedger
    from cutgate.jobs.limits import LedgerLimits

    client = connect(
        redis_url, connect_timeout_seconds=TIMEOUT_SECONDS, socket_timeout_seconds=TIMEOUT_SECONDS, retries=0
    )
    ledger = RedisLedger(client, LedgerLimits())
    before: int | None = None

    def look() -> Figures | None:
        nonlocal before
        try:
            found = ledger.figures()
        except LedgerUnavailable:
            return None
        before = found.done if before is None else before
        waiting = sum(lane.waiting for lane in found.lanes)
        return Figures(waiting=waiting, running=found.running, done=found.done - before)

    return look
