"""Workload of a running stack, from its ledger."""

from typing import Final

TIMEOUT_SECONDS: Final = 1.0
"""For an answer of the ledger's server: whoever looks every second has no use for a late one."""


class Workload:
    """Counts a stack's pictures; its text takes one call of the ledger."""

    def __init__(self, redis_url: str) -> None:
        # Of the service's libraries, which are there where a stack runs; callers need none of them.
        from cutgate.jobs.errors import LedgerUnavailable
        from cutgate.jobs.ledger.ledger import Ledger
        from cutgate.jobs.limits import LedgerLimits
        from cutgate.jobs.redis_client import connect

        seconds = TIMEOUT_SECONDS
        client = connect(redis_url, connect_timeout_seconds=seconds, socket_timeout_seconds=seconds, retries=0)
        self._ledger = Ledger(client, LedgerLimits())
        self._unavailable = LedgerUnavailable
        self._done_before: int | None = None

    def __str__(self) -> str:
        try:
            found = self._ledger.figures()
        except self._unavailable:
            return "The ledger does not answer"
        if self._done_before is None:
            self._done_before = found.done
        waiting = sum(lane.waiting for lane in found.lanes)
        return f"{waiting} waiting, {found.running} running, {found.done - self._done_before} done"
