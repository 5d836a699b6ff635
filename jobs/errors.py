"""Errors of the core. They name no status code and no protocol's numbers."""

import math
import re
from typing import ClassVar, Final, Self

from cutgate.jobs.record import ErrorFacts

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
LONGEST_RETRY_SECONDS: Final = 600
"""What a full queue asks at most: a pace measured now says little about later."""


class CutoutError(Exception):
    """What can go wrong between a caller's request and the result."""

    kind: ClassVar[str] = "error"
    """The name under which the error stands in a record: its class's, `source_too_large` of `SourceTooLarge`."""

    def __init_subclass__(cls) -> None:
        cls.kind = _CAPITAL.sub("_", cls.__name__).lower()

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


class SourceUnreadable(SourceRejected):
    """Not a picture in a known format, or its size cannot be read."""


class SourceTooLarge(SourceRejected):
    """The picture exceeds a limit on bytes, pixels or side."""

    def __init__(self, measure: str, value: int, limit: int) -> None:
        super().__init__(
            f"the picture has {value} {measure}, the limit is {limit}", measure=measure, value=value, limit=limit
        )


class SourceTooCostly(SourceRejected):
    """Decoding costs far more than the picture's size justifies."""

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


class RegionOutsidePicture(SourceRejected):
    """The region of interest extends beyond the upright picture."""


class RegionEmpty(SourceRejected):
    """The region of interest contains no pixel of the picture."""


class SubjectNotFound(SourceRejected):
    """The picture shows less of a subject than the caller accepts."""


class SourceUnreachable(SourceRejected):
    """The picture's URL may not be called, or returns no picture."""


class ProcessingFailed(CutoutError):
    """A worker could not make the result."""


class SourceUndecodable(ProcessingFailed):
    """The picture is truncated or damaged."""


class DecodingStopped(ProcessingFailed):
    """Decoding took too much time or memory, or crashed the decoder."""


class TimedOut(ProcessingFailed):
    """The item passed its deadline."""


class WaitedTooLong(TimedOut):
    """No worker took the item in time."""


class PipelineFailed(ProcessingFailed):
    """Two workers that do other pictures well failed on it: the picture or this program is at fault."""


class WorkerLost(ProcessingFailed):
    """Too many workers died on the item."""


class SubmissionRefused(CutoutError):
    """The ledger did not accept a task; nothing was stored."""


class InsufficientCredits(SubmissionRefused):
    """The account's available credits are less than the price."""

    def __init__(self, available: int, price: int) -> None:
        super().__init__(
            f"the price is {price} credits, {available} are available", available=available, price=price
        )
        self.available, self.price = available, price


class QueueFull(SubmissionRefused):
    """The queue of the scope, "account" or "service", is full: `over` items must end before these are accepted.

    `ends_per_second` of them ended of late; 0 where that is not known.
    """

    def __init__(self, scope: str, queued: int, cap: int, *, over: int, ends_per_second: float) -> None:
        super().__init__(
            f"{queued} pictures of the {scope} are queued, the cap is {cap}", scope=scope, queued=queued, cap=cap
        )
        self.over, self.ends_per_second = over, ends_per_second

    @property
    def retry_after_seconds(self) -> int | None:
        """Seconds until there should be room, within `LONGEST_RETRY_SECONDS`; None where nothing ended of late."""
        if self.over >= self.ends_per_second * LONGEST_RETRY_SECONDS:
            return LONGEST_RETRY_SECONDS if self.ends_per_second else None
        return max(1, math.ceil(self.over / self.ends_per_second))


class TaskTooLarge(SubmissionRefused):
    """The task has more pictures than may ever wait or run in the scope, "account" or "service"."""

    def __init__(self, scope: str, item_count: int, cap: int) -> None:
        super().__init__(
            f"the task has {item_count} pictures, of the {scope} {cap} may wait or run: send fewer at a time",
            scope=scope,
            item_count=item_count,
            cap=cap,
        )


class UploadsFull(SubmissionRefused):
    """The account's uploads have reached their limit; the measure is "pictures" or "bytes"."""

    def __init__(self, measure: str, kept: int, cap: int) -> None:
        super().__init__(
            f"{kept} {measure} of uploads are kept, the account's cap is {cap}: delete some that are not needed",
            measure=measure,
            kept=kept,
            cap=cap,
        )


class IdempotencyConflict(SubmissionRefused):
    """The idempotency key was used before with other content."""


class SourceExpired(SubmissionRefused):
    """The stored picture may be swept before its task exists."""


class ModelNotOffered(SubmissionRefused):
    """No worker has offered the model in this precision recently."""

    def __init__(self, model: str, precision: str) -> None:
        super().__init__(f"no worker serves the model {model} ({precision})", model=model, precision=precision)


class Terminated(CutoutError):
    """The caller ended the task."""


class BlobMissing(CutoutError):
    """The blob store no longer has the picture."""


class ServiceUnavailable(CutoutError):
    """A part that the service needs does not answer; trying again later helps."""


class LedgerUnavailable(ServiceUnavailable):
    """Redis does not answer."""


class LedgerFull(LedgerUnavailable):
    """Redis is out of memory."""


class LedgerUnwritable(LedgerUnavailable):
    """Redis cannot write its file."""


class WrongInstallation(ServiceUnavailable):
    """Ledger and storage do not belong together."""


class BlobStoreUnavailable(ServiceUnavailable):
    """The blob store cannot be read or written."""


class InferenceUnavailable(ServiceUnavailable):
    """The inference server is away or busy."""


class BlobStoreFull(BlobStoreUnavailable):
    """The storage of pictures is full."""


class LedgerBroken(Exception):
    """A script of the ledger failed: a fault of this program, which no repeat mends."""


NOT_THE_PICTURES: Final = frozenset(
    error.kind
    for error in (
        *(WaitedTooLong, PipelineFailed, WorkerLost, BlobMissing, ServiceUnavailable),
        *(LedgerUnavailable, LedgerFull, LedgerUnwritable, BlobStoreUnavailable, BlobStoreFull),
    )
)
"""Kinds that need not be the picture's fault: an operator may retry an item that fails so, and its source stays as
long as its task."""
