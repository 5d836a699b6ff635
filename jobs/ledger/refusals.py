"""Errors for what the scripts refuse."""

from collections.abc import Sequence
from typing import Any, Final

from cutgate.jobs.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
    TaskTooLarge,
    UploadsFull,
)

_TOO_OLD: Final = "the pictures were uploaded too long ago; send them again"


def refusal_of(verdict: str, facts: Sequence[Any]) -> SubmissionRefused:
    """The error for a refusal of CREATE, KEEP_UPLOAD, KEPT or LOOK."""
    match (verdict, *facts):
        case ("credits", available, price):
            return InsufficientCredits(available, price)
        case ("full", scope, open_count, cap, over, ends_per_second):
            return QueueFull(scope, open_count, cap, over=over, ends_per_second=float(ends_per_second))
        case ("too_many", scope, item_count, cap):
            return TaskTooLarge(scope, item_count, cap)
        case ("uploads", measure, kept, cap):
            return UploadsFull(measure, kept, cap)
        case ("expired",):
            return SourceExpired(_TOO_OLD)
        case ("conflict",):
            return IdempotencyConflict("the idempotency key was used before with other content")
        case _:
            raise ValueError(f"a script answered {verdict!r}")
