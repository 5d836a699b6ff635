"""How much work the ledger holds, for those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cutgate.jobs.spec import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFigures:
    """What waits in a lane."""

    lane: Lane
    waiting: int
    """Items that wait for a worker."""
    oldest_seconds: float
    """Time since the task of the oldest of them was accepted, on the ledger's clock; 0 when none waits.

    An item that was taken back from a lost worker, or whose source had to be fetched first, has waited all along.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFigures:
    """The ledger at one moment."""

    lanes: tuple[LaneFigures, ...]
    """Of every lane that an item ever waited in, in order."""
    running: int
    """Items that a worker has claimed."""
    booked: int
    """The price of everything that was ever done, for all accounts, metered or not."""


class Figures(Protocol):
    """The ledger's move for those who watch."""

    def figures(self) -> LedgerFigures:
        """Count, looking at one item of each account that waits.

        Raises:
            LedgerUnavailable: the server does not answer in time.
        """
