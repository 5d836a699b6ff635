"""What keeps the ledger in order, whoever calls it: lost claims, missing hints, records past their retention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.spec import Lane

REAPER_HOLD_SECONDS: Final = 3.0
"""How long a reaper that has fallen silent keeps the others away."""
BATCH: Final = 200
"""The most items of one kind, or tasks, that one call takes on: a call must stay short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Sources of items that a move of the ledger failed: no worker is there to delete them."""

    sources: tuple[BlobKey, ...] = ()
    """Of items that were terminated, or were over a limit of time."""
    poisoned: tuple[BlobKey, ...] = ()
    """Of items whose workers died as often as is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What was taken from a worker that has gone."""

    items: int
    """How many the worker held."""
    left: Leftovers = Leftovers()
    """Of those that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What one call of `reap` did, in items."""

    renewed: int = 0
    """Leases that lapsed while the server was away, and run on."""
    requeued: int = 0
    """Put back to their old place: their worker is lost."""
    worker_lost: int = 0
    """Failed: as many workers died as is allowed."""
    too_slow: int = 0
    """Failed: the worker held on until the hard deadline."""
    too_late: int = 0
    """Failed: they waited longer than is allowed."""
    hints: Mapping[Lane, int] = field(default_factory=dict)
    """How many hints each lane is missing. They count as sent from now on."""
    left: Leftovers = Leftovers()
    """Of those that failed."""


class Upkeep(Protocol):
    """The ledger's moves that no caller waits for.

    Every method raises `LedgerUnavailable` when the server does not answer in time.
    """

    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that an item ever waited in, in order."""

    def reap(self, holder: str, pending: Mapping[Lane, int]) -> Reaped | None:
        """Take back what lost workers hold, fail what is over its time, and count the hints that are missing.

        A lapsed lease counts as an attempt, except within one lease of a restart of the server: then it is
        renewed, for it lapsed while nobody could renew it. A hint is missing where a lane has more waiting items
        than hints under way, and none of them was hinted at lately.

        Args:
            holder: this reaper's own token. One reaper works at a time, until it is silent for
                `REAPER_HOLD_SECONDS`.
            pending: for each lane of interest the number of hints that no worker has taken yet.

        Returns:
            What was done, or None when another reaper is at work.
        """

    def hide_expired(self) -> tuple[TaskUid, ...]:
        """Mark tasks and uploads past their retention as gone for every reader, and name them.

        They are at most `BATCH` of each, and named again and again until they are forgotten: their blobs go in
        between.
        """

    def forget(self, uid: TaskUid) -> None:
        """Delete the record of a task or an upload that `hide_expired` named; no other's."""

    def unrecorded(self, uids: Sequence[TaskUid], older_than_seconds: float) -> tuple[TaskUid, ...]:
        """Those of the ids that have no record and were made so long ago; what is hidden has one."""
