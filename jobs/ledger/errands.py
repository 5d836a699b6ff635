"""What a courier has to do for the ledger: fetch the source of an item, tell of a task's end, bring its result.

An errand is a record with a due time. A courier takes it under a lease: its due time moves to the lease's end, so
that one whose courier died falls due again by itself. What ends a task makes its deliveries due in the same step;
what ends an item that is still to be fetched removes its errand, and retention whatever else is left.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.record import Request


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
    """It may hold a secret. Empty where only a background is fetched."""
    source: BlobKey | None
    """FETCH: where the bytes go. It is this taking's own: when `fetched` refuses, the courier deletes them.

    None where the picture is kept: it lies under the key of an upload that the courier makes. None, too, where it
    is in place.
    """
    keep: bool
    """FETCH: whether the picture is kept as an upload, instead of waiting for a worker."""
    attempt: int
    """1 for the first taking."""
    first_due_at_ms: int
    now_ms: int
    """When it was taken."""
    token: str
    background: BlobKey | None = None
    """FETCH: where the bytes of the picture behind the subject go, as `source`; None where none is fetched."""
    background_url: str = field(default="", repr=False)
    """FETCH: where that one is; it may hold a secret. Empty where there is none to fetch."""
    request: Request = field(default_factory=Request)
    """That made the task."""
