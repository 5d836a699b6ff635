"""Every error of the core. No status code and no protocol's number is named here.

* CutoutError
  x SourceRejected
    + SourceUnreadable
    + SourceTooLarge
    + BoxOutsidePicture
  x ProcessingFailed
    + SourceUndecodable
    + TimedOut
    + WorkerLost
  x SubmissionRefused
    + InsufficientCredits
    + QueueFull
    + IdempotencyConflict
    + SourceExpired
  x Terminated
  x BlobMissing
  x ServiceUnavailable
    + LedgerUnavailable
    + BlobStoreUnavailable
"""

from __future__ import annotations

from typing import ClassVar

from jobs.record import ErrorFacts


class CutoutError(Exception):
    """What can go wrong between a caller's request and the result."""

    kind: ClassVar[str] = "error"
    """The name under which the error stands in a record."""

    def __init__(self, message: str, **details: str | float) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def facts(self) -> ErrorFacts:
        """The error as a record keeps it."""
        return ErrorFacts(kind=self.kind, message=self.message, details=self.details)


class SourceRejected(CutoutError):
    """The picture cannot be accepted; its first bytes show it."""

    kind = "source_rejected"


class SourceUnreadable(SourceRejected):
    """The bytes are not a picture in a known format, or its size cannot be read."""

    kind = "source_unreadable"


class SourceTooLarge(SourceRejected):
    """The picture is over a limit on bytes, pixels or side."""

    kind = "source_too_large"

    def __init__(self, measure: str, value: int, limit: int) -> None:
        super().__init__(
            f"the picture has {value} {measure}, the limit is {limit}",
            measure=measure,
            value=value,
            limit=limit,
        )
        self.measure, self.value, self.limit = measure, value, limit


class BoxOutsidePicture(SourceRejected):
    """The box has no area left once it is clamped to the oriented picture."""

    kind = "box_outside_picture"


class ProcessingFailed(CutoutError):
    """A worker could not make the result."""

    kind = "processing_failed"


class SourceUndecodable(ProcessingFailed):
    """Decoding showed what the header did not: the picture is truncated or damaged."""

    kind = "source_undecodable"


class TimedOut(ProcessingFailed):
    """The item passed its hard deadline or waited too long."""

    kind = "timed_out"


class WorkerLost(ProcessingFailed):
    """The item's workers died as often as is allowed."""

    kind = "worker_lost"


class SubmissionRefused(CutoutError):
    """The ledger did not accept a task; nothing was stored."""

    kind = "submission_refused"


class InsufficientCredits(SubmissionRefused):
    """The account's available credits are less than the price."""

    kind = "insufficient_credits"

    def __init__(self, available: int, price: int) -> None:
        super().__init__(
            f"the price is {price} credits, {available} are available", available=available, price=price
        )
        self.available, self.price = available, price


class QueueFull(SubmissionRefused):
    """The cap on queued items, of the account or of the whole queue, would be passed."""

    kind = "queue_full"

    def __init__(self, scope: str, queued: int, cap: int) -> None:
        super().__init__(
            f"{queued} pictures of the {scope} are queued, the cap is {cap}",
            scope=scope,
            queued=queued,
            cap=cap,
        )
        self.scope, self.queued, self.cap = scope, queued, cap


class IdempotencyConflict(SubmissionRefused):
    """The idempotency key was used before with other content."""

    kind = "idempotency_conflict"


class SourceExpired(SubmissionRefused):
    """The source blobs are so old that the sweeper may take them before the task exists."""

    kind = "source_expired"


class Terminated(CutoutError):
    """The caller ended the task."""

    kind = "terminated"


class BlobMissing(CutoutError):
    """The blob store has nothing under the key."""

    kind = "blob_missing"


class ServiceUnavailable(CutoutError):
    """A part that the service needs does not answer; trying again later helps."""

    kind = "service_unavailable"


class LedgerUnavailable(ServiceUnavailable):
    """The ledger's server does not answer."""

    kind = "ledger_unavailable"


class BlobStoreUnavailable(ServiceUnavailable):
    """The blob store cannot be read or written."""

    kind = "blob_store_unavailable"
