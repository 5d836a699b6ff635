"""The ledger: the one truth about tasks, items and claims.

Every move is one atomic step and may run twice: a client that lost the reply sends the call again and gets the
first answer. The clock is the ledger's own, never a caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.errands import Errands
from cutgate.jobs.ledger.upkeep import Leftovers, TakenBack, Upkeep
from cutgate.jobs.ledger.uploads import Uploads
from cutgate.jobs.record import Claim, ErrorFacts, Idempotency, NewTask, Result, Task
from cutgate.jobs.spec import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The answer of `create`."""

    uid: TaskUid
    repeated: bool
    """True: the idempotency key named a task that exists. The new blobs are the caller's to delete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Credits of a metered account. Available = granted - used - reserved."""

    granted: int
    used: int
    reserved: int

    @property
    def available(self) -> int:
        """What new tasks may still cost."""
        return self.granted - self.used - self.reserved


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


class LedgerStore(Upkeep, Errands, Uploads, Protocol):
    """The moves of the ledger, with those of its upkeep, of its errands and of the pictures that are kept.

    Every method raises `LedgerUnavailable` when the server does not answer in time.
    """

    def create(self, task: NewTask) -> Created:
        """Accept a task: record, reservation and queue entries, all or nothing.

        A second call with the same `task.uid` answers as the first.

        Raises:
            SubmissionRefused: a subclass says why; nothing is stored, no idempotency key either.
        """

    def claim(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None:
        """Take the next item of one of the lanes, in turn between the accounts that wait there.

        A second call with the same token answers with the same item while the claim holds.

        Args:
            lanes: where to look, in order of preference.
            owner: the worker process.
            token: fresh for this claim, from `cutgate.jobs.ids.new_token`.

        Returns:
            The claim, or None when nothing waits.
        """

    def renew(self, claim: Claim) -> bool:
        """Prolong the lease, never past the hard deadline; False when the item is no longer the claim's."""

    def finish(self, claim: Claim, result: Result) -> bool:
        """End the item as done and book its price; False, and no effect, when the claim no longer holds."""

    def fail(self, claim: Claim, error: ErrorFacts) -> bool:
        """End the item as failed and release its price; False, and no effect, when the claim no longer holds."""

    def give_back(self, claim: Claim) -> bool:
        """Put the item back to its old place because its worker stops in order: the attempt is not counted.

        Returns:
            False, and no effect, when the claim no longer holds.
        """

    def give_back_owned(self, owner: str, *, died: bool) -> TakenBack:
        """Take everything from a worker that has gone, and put it back to its old place.

        What the worker held on to until the hard deadline fails as `TimedOut`: it hung, and would hang again.

        Args:
            owner: the worker process.
            died: whether the attempts count: an item whose workers died `max_attempts` times fails as
                `WorkerLost`. Without it a picture that kills its worker would go round for ever.
        """

    def get(self, uid: TaskUid, account: str) -> Task | None:
        """The task as it stands; None when it does not exist or belongs to another account."""

    def get_many(self, uids: Sequence[TaskUid], account: str) -> tuple[Task | None, ...]:
        """As `get`, for each of the ids in their order, in one round trip."""

    def recall(self, account: str, idempotency: Idempotency) -> TaskUid | None:
        """The task that an idempotency key stands for, before anything is written for a repeat; None when none.

        Raises:
            IdempotencyConflict: the key was used before with other content.
        """

    def named(self, account: str, key: str) -> TaskUid | None:
        """The task that an idempotency key stands for, whatever its content; None when none can be seen."""

    def unfinished(self, account: str) -> tuple[TaskUid, ...]:
        """The account's tasks that have not ended, oldest first."""

    def terminate(self, uid: TaskUid, account: str) -> Leftovers | None:
        """End every item that has not ended as `Terminated`, releasing its price; running claims lose their token.

        Items that are done stay booked. A task that has ended already stays as it is.

        Returns:
            The sources of what it ended, or None when the task does not exist or belongs to another account.
        """

    def grant(self, account: str, credit_count: int) -> Balance:
        """Add credits to an account. An account that was never granted any is not metered."""

    def balance(self, account: str) -> Balance | None:
        """The account's credits; None when it is not metered."""

    def booked(self, account: str) -> int:
        """The price of everything that was ever done for an account, metered or not."""

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""

    def figures(self) -> LedgerFigures:
        """Count what waits, runs and is booked, looking at one item of each account that waits."""

    def ping(self) -> None:
        """Raise `LedgerUnavailable` unless the server answers."""
