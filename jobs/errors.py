"""Errors of the core. They name no status code and no protocol's numbers.

* CutoutError
  x SourceRejected
    + SourceUnreadable
    + SourceTooLarge
    + SourceTooCostly
    + BoxOutsidePicture
    + RegionOutsidePicture
    + RegionEmpty
    + SubjectNotFound
    + SourceUnreachable
  x ProcessingFailed
    + SourceUndecodable
    + DecodingStopped
    + TimedOut
    + WorkerLost
  x SubmissionRefused
    + InsufficientCredits
    + QueueFull
    + TaskTooLarge
    + UploadsFull
    + IdempotencyConflict
    + SourceExpired
    + ModelNotOffered
  x Terminated
  x BlobMissing
  x ServiceUnavailable
    + LedgerUnavailable
      - LedgerFull
      - LedgerUnwritable
    + BlobStoreUnavailable
      - BlobStoreFull

Beside it stands `LedgerBroken`, a fault of this program.
"""

import math
from typing import ClassVar, Final, Self

from cutgate.jobs.record import ErrorFacts

LONGEST_RETRY_SECONDS: Final = 600
"""What a full queue asks at most: a pace measured now says little about later."""


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

    def of_background(self) -> Self:
        """The same error, said of the picture behind the subject: `details` has it as the `part`."""
        self.message = f"the background: {self.message}"
        self.args = (self.message,)
        self.details["part"] = "background"
        return self


class SourceRejected(CutoutError):
    """The picture cannot be accepted; its first bytes show it."""

    kind = "source_rejected"


class SourceUnreadable(SourceRejected):
    """Not a picture in a known format, or its size cannot be read."""

    kind = "source_unreadable"


class SourceTooLarge(SourceRejected):
    """The picture exceeds a limit on bytes, pixels or side."""

    kind = "source_too_large"

    def __init__(self, measure: str, value: int, limit: int) -> None:
        super().__init__(
            f"the picture has {value} {measure}, the limit is {limit}",
            measure=measure,
            value=value,
            limit=limit,
        )
        self.measure, self.value, self.limit = measure, value, limit


class SourceTooCostly(SourceRejected):
    """Decoding would cost far more than the picture's size is worth."""

    kind = "source_too_costly"

    def __init__(self, measure: str, value: int, limit: int) -> None:
        super().__init__(
            f"decoding the picture would go over {value} {measure}, the limit is {limit}; "
            "save it again as a plain PNG or JPEG",
            measure=measure,
            value=value,
            limit=limit,
        )


class BoxOutsidePicture(SourceRejected):
    """The box has no area inside the upright picture."""

    kind = "box_outside_picture"


class RegionOutsidePicture(SourceRejected):
    """The region of interest goes beyond the upright picture."""

    kind = "region_outside_picture"


class RegionEmpty(SourceRejected):
    """The region of interest holds no pixel of the picture."""

    kind = "region_empty"


class SubjectNotFound(SourceRejected):
    """The picture shows less of a subject than the caller accepts."""

    kind = "subject_not_found"


class SourceUnreachable(SourceRejected):
    """The picture's URL may not be called, or gives no picture."""

    kind = "source_unreachable"


class ProcessingFailed(CutoutError):
    """A worker could not make the result."""

    kind = "processing_failed"


class SourceUndecodable(ProcessingFailed):
    """Decoding found the picture truncated or damaged."""

    kind = "source_undecodable"


class DecodingStopped(ProcessingFailed):
    """Decoding took too much time or memory, or broke the decoder."""

    kind = "decoding_stopped"


class TimedOut(ProcessingFailed):
    """The item passed its deadline or waited too long."""

    kind = "timed_out"


class WorkerLost(ProcessingFailed):
    """Too many workers died on the item."""

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
    """The account's queue, or the whole queue, is full."""

    kind = "queue_full"

    def __init__(self, scope: str, queued: int, cap: int, *, over: int, ends_per_second: float) -> None:
        """Hold the facts.

        Args:
            scope: "account" or "service".
            queued: items that wait or run.
            cap: how many may.
            over: items that must end before these are accepted.
            ends_per_second: how many ended of late in this scope; 0 where it is not known.
        """
        super().__init__(
            f"{queued} pictures of the {scope} are queued, the cap is {cap}",
            scope=scope,
            queued=queued,
            cap=cap,
        )
        self.scope, self.queued, self.cap = scope, queued, cap
        self.over, self.ends_per_second = over, ends_per_second

    @property
    def retry_after_seconds(self) -> int | None:
        """Seconds until there should be room, within `LONGEST_RETRY_SECONDS`; None where nothing ended of late."""
        if self.over >= self.ends_per_second * LONGEST_RETRY_SECONDS:
            return LONGEST_RETRY_SECONDS if self.ends_per_second else None
        return max(1, math.ceil(self.over / self.ends_per_second))


class TaskTooLarge(SubmissionRefused):
    """The task has more pictures than the queue may hold."""

    kind = "task_too_large"

    def __init__(self, scope: str, item_count: int, cap: int) -> None:
        """Hold the facts.

        Args:
            scope: "account" or "service".
            item_count: pictures of the task.
            cap: how many of the scope may wait or run.
        """
        super().__init__(
            f"the task has {item_count} pictures, of the {scope} {cap} may wait or run: send fewer at a time",
            scope=scope,
            item_count=item_count,
            cap=cap,
        )
        self.scope, self.item_count, self.cap = scope, item_count, cap


class UploadsFull(SubmissionRefused):
    """The account's uploads have reached their limit."""

    kind = "uploads_full"

    def __init__(self, measure: str, kept: int, cap: int) -> None:
        """Hold the facts.

        Args:
            measure: "pictures" or "bytes".
            kept: how many of them the account has.
            cap: how many it may.
        """
        super().__init__(
            f"{kept} {measure} of uploads are kept, the account's cap is {cap}: delete some that are not needed",
            measure=measure,
            kept=kept,
            cap=cap,
        )
        self.measure, self.kept, self.cap = measure, kept, cap


class IdempotencyConflict(SubmissionRefused):
    """The idempotency key was used before with other content."""

    kind = "idempotency_conflict"


class SourceExpired(SubmissionRefused):
    """The source blobs may be swept before the task exists."""

    kind = "source_expired"


class ModelNotOffered(SubmissionRefused):
    """No worker has offered the model in this precision of late."""

    kind = "model_not_offered"

    def __init__(self, model: str, precision: str) -> None:
        super().__init__(f"no worker serves the model {model} ({precision})", model=model, precision=precision)


class Terminated(CutoutError):
    """The caller ended the task."""

    kind = "terminated"


class BlobMissing(CutoutError):
    """The blob store no longer has the picture."""

    kind = "blob_missing"


class ServiceUnavailable(CutoutError):
    """A part that the service needs does not answer; trying again later helps."""

    kind = "service_unavailable"


class LedgerUnavailable(ServiceUnavailable):
    """The ledger's server does not answer."""

    kind = "ledger_unavailable"


class LedgerFull(LedgerUnavailable):
    """The ledger's server is out of memory."""

    kind = "ledger_full"


class LedgerUnwritable(LedgerUnavailable):
    """The ledger's server cannot write its file."""

    kind = "ledger_unwritable"


class BlobStoreUnavailable(ServiceUnavailable):
    """The blob store cannot be read or written."""

    kind = "blob_store_unavailable"


class BlobStoreFull(BlobStoreUnavailable):
    """The disk of the pictures is full."""

    kind = "blob_store_full"


class LedgerBroken(Exception):
    """A script of the ledger failed: a fault of this program, which no repeat mends."""
