"""The one table from errors to what callers read: a status and FastAPI's `detail`."""

from collections.abc import Mapping
from http import HTTPStatus as Status
from typing import Final

from werkzeug.exceptions import HTTPException

from cutgate.gateway.accounts.authentication import KeyRefused
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import class_of, row_of
from cutgate.gateway.tasks.submit import DraftRejected
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs import errors as jobs
from cutgate.jobs.record import ErrorFacts

FAULT: Final = (Status.INTERNAL_SERVER_ERROR, "Internal Server Error")
_AGAIN: Final = (Status.SERVICE_UNAVAILABLE, "The service is not available: send the request again.")

RAISED: Final[Mapping[type[Exception], tuple[int, str]]] = {
    KeyRefused: (Status.UNAUTHORIZED, "Send a valid key of this service as Authorization: Bearer KEY."),
    TooOften: (Status.TOO_MANY_REQUESTS, "Too many requests: send it again after Retry-After."),
    NoPlaceToWait: (Status.SERVICE_UNAVAILABLE, "Too many callers wait: send the request again."),
    # The core's errors, whether raised or in a task's record
    jobs.SourceRejected: (Status.BAD_REQUEST, ""),
    jobs.SourceTooLarge: (Status.REQUEST_ENTITY_TOO_LARGE, ""),
    jobs.SourceUndecodable: (Status.BAD_REQUEST, ""),
    jobs.DecodingStopped: (Status.BAD_REQUEST, ""),
    jobs.TimedOut: (Status.GATEWAY_TIMEOUT, "The picture took too long."),
    jobs.Terminated: _AGAIN,
    jobs.SubmissionRefused: _AGAIN,
    jobs.InsufficientCredits: (Status.PAYMENT_REQUIRED, "No credits are left: ask the operator for some."),
    jobs.QueueFull: (Status.TOO_MANY_REQUESTS, "The queue is full: send the request again after Retry-After."),
    jobs.ModelNotOffered: (Status.BAD_REQUEST, ""),
    jobs.TaskTooLarge: FAULT,  # a task has one picture
    jobs.IdempotencyConflict: (Status.CONFLICT, "Idempotency-Key was used for another request: take a new one."),
    jobs.BlobMissing: (Status.SERVICE_UNAVAILABLE, "The result is gone: send the request again."),
    jobs.ServiceUnavailable: _AGAIN,
}
"""Status and text; the error's own words where there is no text. All else is a fault of this server."""


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, detail: object) -> None:
        super().__init__(f"{int(status)}: {detail if isinstance(detail, str) else 'fields'}")
        self.status, self.detail = int(status), detail


def refused(error: Exception) -> Refused:
    """The answer to an error; one that the table does not know is only reported as a fault."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, DraftRejected):
        error = error.reason
    if isinstance(error, jobs.CutoutError):
        return failure(error.facts())
    if isinstance(error, HTTPException):
        return Refused(error.code or FAULT[0], error.description or error.name)
    return Refused(*row_of(type(error), RAISED, FAULT))


def failure(facts: ErrorFacts) -> Refused:
    """The answer to an error of the core."""
    status, text = row_of(class_of(facts.kind), RAISED, FAULT)
    return Refused(status, text or f"{facts.message[:1].upper()}{facts.message[1:]}.")
