"""What a courier has to do for the ledger: fetch the source of an item, tell of a task's end, bring its result.

An errand is a record with a due time. A courier takes it under a lease: its due time moves to the lease's end, so
that one whose courier died falls due again by itself. What ends a task makes its deliveries due in the same step;
what ends an item that is still to be fetched removes its errand, and retention whatever else is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.record import ErrorFacts, Request, Upload
from cutgate.jobs.spec import Lane


class ErrandKind(StrEnum):
    """What is to be done."""

    FETCH = "fetch"
    """Bring the source of an item from its URL."""
    CALLBACK = "callback"
    """Say at a URL how the task ended."""
    UPLOAD = "upload"
    """Bring the task's result to a URL."""


EVERY_KIND: Final = tuple(ErrandKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A courier's hold on one errand. It ends with the lease. Times are milliseconds on the ledger's clock."""

    id: str
    kind: ErrandKind
    task: TaskUid
    index: int
    """FETCH: the item; else 0."""
    account: str
    url: str = field(repr=False)
    """It may hold a secret."""
    source: BlobKey | None
    """FETCH: where the bytes go. It is this taking's own: when `fetched` refuses, the courier deletes them.

    None where the picture is kept: it lies under the key of an upload that the courier makes.
    """
    keep: bool
    """FETCH: whether the picture is kept as an upload, instead of waiting for a worker."""
    attempt: int
    """1 for the first taking."""
    first_due_at_ms: int
    now_ms: int
    """When it was taken."""
    token: str
    request: Request = field(default_factory=Request)
    """That made the task."""


class Errands(Protocol):
    """The ledger's moves for couriers.

    A move needs a token that holds: it does until another courier takes the errand, also past the lease, or
    until the errand ends or is postponed. A repeat answers as the first call.

    Every method raises `LedgerUnavailable` when the server does not answer in time.
    """

    def take_errand(self, owner: str, token: str, kinds: Sequence[ErrandKind] = EVERY_KIND) -> Errand | None:
        """Take an errand, in turn between the accounts and kinds of which some are due.

        Within an account and kind it is the errand that has been due for longest. Accounts of which
        `LedgerLimits.account_errand_cap` are under way are passed over. A second call with the same token answers
        with the same errand while the token holds.

        Args:
            owner: the courier's process.
            token: fresh for this taking, from `cutgate.jobs.ids.new_token`.
            kinds: what may be taken.

        Returns:
            The errand, or None when none is to be had.
        """

    def fetched(self, errand: Errand) -> Lane | None:
        """The bytes lie under `errand.source`: the item waits for a worker from now on, and the errand has ended.

        Returns:
            The lane, where the caller leaves a hint; None, and no effect, when the token does not hold.

        Raises:
            ValueError: it is a delivery, or its picture is to be kept.
        """

    def kept(self, errand: Errand, upload: Upload) -> bool:
        """The bytes lie under `upload.blob`: they are an upload from now on, which ends item and errand.

        Returns:
            False, and no effect, when the token does not hold, or the upload's id is so old that its blob may be
            swept. The caller deletes the blob.

        Raises:
            ValueError: it is a delivery, its picture is to be worked on, or the upload is another account's.
        """

    def fetch_failed(self, errand: Errand, error: ErrorFacts) -> bool:
        """End a FETCH and its item as failed, which releases the price.

        Returns:
            False, and no effect, when the token does not hold.

        Raises:
            ValueError: it is a delivery.
        """

    def postpone(self, errand: Errand, seconds: float) -> bool:
        """Let go of an errand, which falls due again after a time.

        Returns:
            False, and no effect, when the token does not hold.
        """

    def errand_done(self, errand: Errand) -> bool:
        """End a delivery: it is made, or given up.

        Returns:
            Whether nothing is left to do; False, and no effect, when another courier has taken the errand.

        Raises:
            ValueError: it is a FETCH, which ends with its item.
        """

    def errands_due(self) -> int:
        """How many errands wait for a courier."""


def require_fetch(errand: Errand) -> None:
    """Raise `ValueError` for an errand that does not end its item."""
    if errand.kind is not ErrandKind.FETCH:
        raise ValueError("a delivery ends with `errand_done`: its task has ended")


def require_worked_on(errand: Errand) -> None:
    """Raise `ValueError` for an errand whose item does not wait for a worker next."""
    require_fetch(errand)
    if errand.keep:
        raise ValueError("a picture that is to be kept ends its item: `kept`")


def require_keepable(errand: Errand, upload: Upload) -> None:
    """Raise `ValueError` for an errand that brings no such upload."""
    require_fetch(errand)
    if not errand.keep:
        raise ValueError("a picture that is to be worked on waits for a worker: `fetched`")
    if upload.account != errand.account:
        raise ValueError("what is fetched for an account is kept for that account")


def require_delivery(errand: Errand) -> None:
    """Raise `ValueError` for an errand that cannot end without its item."""
    if errand.kind is ErrandKind.FETCH:
        raise ValueError("a fetch ends with its item: `fetched`, `kept` or `fetch_failed`")
