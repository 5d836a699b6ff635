"""The one table from errors to what Runware's clients read: code, message and HTTP status.

Clients repeat a request that was answered with 408, 429 or 5xx, so nothing that stays wrong wears one of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from cutgate.gateway.accounts.authentication import KeyMissing, KeyUnknown
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import row_of, spelt_out
from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject, Outcome
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.tasks.wait import NoPlaceToWait
from cutgate.jobs import errors as jobs
from cutgate.jobs.record import ErrorFacts


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of error is answered."""

    code: str
    """Formatted with the error as `error`, as the message is."""
    message: str
    status: int = HTTPStatus.BAD_REQUEST
    parameter: str | None = None
    """The field to blame; one that the error names itself comes first."""

    @property
    def passing(self) -> bool:
        """Whether trying again later helps, so that the answer says when."""
        return self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


_FAULT: Final = Row("internalServerError", "The server made a mistake", HTTPStatus.INTERNAL_SERVER_ERROR)
_AWAY: Final = Row(
    "serviceUnavailable", "A part of the service does not answer: try again", HTTPStatus.SERVICE_UNAVAILABLE
)
_REFUSED: Final = Row("serviceUnavailable", "{error.message}: try again", HTTPStatus.SERVICE_UNAVAILABLE)
_UNREADABLE: Final = Row("invalidRequest", "The request is not acceptable")
_FIELD: Final = Row("invalid{error.word}", "{error.reason}")
_PICTURE: Final = Row("invalidInputImage", "{error.message}")
_UPLOADS_FULL: Final = Row("uploadQuotaExceeded", "{error.message}", HTTPStatus.FORBIDDEN)
_FAILED: Final = Row("processingFailed", "Processing failed")
_TOO_OFTEN: Final = Row("rateLimitExceeded", "Too many requests: {error}", HTTPStatus.TOO_MANY_REQUESTS)

ROWS: Final[Mapping[type[Exception], Row]] = {
    # The request
    faults.RequestFault: _UNREADABLE,
    KeyMissing: Row(
        "missingApiKey",
        "An API key is needed: in a first element of taskType authentication, or as Authorization: Bearer",
        HTTPStatus.UNAUTHORIZED,
        "apiKey",
    ),
    KeyUnknown: Row("invalidApiKey", "Invalid API key", HTTPStatus.UNAUTHORIZED, "apiKey"),
    faults.RequestUnreadable: Row("invalidRequest", "{error.reason}"),
    faults.RequestTooLarge: Row("maxMessageSizeExceeded", "The request has more than {error.limit_bytes} bytes"),
    faults.RequestTooSlow: Row(
        "requestTimeout", "The request arrives too slowly: send it again", HTTPStatus.REQUEST_TIMEOUT
    ),
    faults.EncodingNotSupported: Row("invalidRequest", "Send the body without Content-Encoding"),
    faults.MethodNotAllowed: Row(
        "invalidRequest", "Send POST, or GET with an upgrade to a WebSocket", HTTPStatus.METHOD_NOT_ALLOWED
    ),
    faults.UpgradeRequired: Row(
        "invalidRequest", "Send POST, or ask for an upgrade to a WebSocket", HTTPStatus.UPGRADE_REQUIRED
    ),
    faults.TaskTypeMissing: Row("missingTaskType", "taskType is required", parameter="taskType"),
    faults.TaskTypeUnknown: Row(
        "unsupportedTaskType", "This server does not do tasks of this type here", parameter="taskType"
    ),
    faults.TaskUuidMissing: Row("missingTaskUUID", "taskUUID is required", parameter="taskUUID"),
    faults.TaskUuidMalformed: Row("invalidTaskUUID", "taskUUID must be a UUID", parameter="taskUUID"),
    faults.TaskUnknown: Row(
        "taskNotFound", "There is no such task, or its results have expired", HTTPStatus.NOT_FOUND, "taskUUID"
    ),
    faults.TookTooLong: Row(
        "timeoutProvider",
        "The result is not there yet: send the task again, or ask for it with getResponse",
        HTTPStatus.GATEWAY_TIMEOUT,
    ),
    NoPlaceToWait: Row(
        "serviceUnavailable",
        "Too many calls wait for results: send the task again, or ask for it with getResponse",
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
    faults.ServerStops: Row(
        "serviceUnavailable", "The server is about to stop: connect again", HTTPStatus.SERVICE_UNAVAILABLE
    ),
    faults.ResultTooLarge: Row(
        "maxMessageSizeExceeded",
        "The result is longer than your side of the connection takes: ask for outputType URL, or use HTTP",
        parameter="outputType",
    ),
    faults.FieldFault: _FIELD,
    faults.FieldUnknown: Row("unsupportedParameter", "{error.reason}"),
    faults.FieldMissing: Row("missing{error.word}", "{error.reason}"),
    faults.PictureNotUsable: Row("invalidInputImage", "{error.reason}"),
    # How often
    TooOften: _TOO_OFTEN,
    # The ledger's refusals
    jobs.SubmissionRefused: _REFUSED,
    jobs.InsufficientCredits: Row("insufficientCredits", "{error.message}", HTTPStatus.PAYMENT_REQUIRED),
    jobs.QueueFull: Row("rateLimitExceeded", "{error.message}: try again", HTTPStatus.TOO_MANY_REQUESTS),
    jobs.TaskTooLarge: _FAULT,  # a task has one picture
    jobs.UploadsFull: _UPLOADS_FULL,
    jobs.IdempotencyConflict: Row(
        "conflictTaskUUID", "taskUUID was used before for another task", parameter="taskUUID"
    ),
    jobs.ModelNotOffered: Row("unsupportedModel", "{error.message}", parameter="model"),
    # Parts that are away
    jobs.ServiceUnavailable: _AWAY,
    jobs.LedgerUnwritable: _REFUSED,
    jobs.BlobStoreFull: _REFUSED,
    # What handlers turn into a fault of a field, which knows the picture's name
    jobs.SourceRejected: _PICTURE,
    jobs.BlobMissing: _PICTURE,
    jobs.CutoutError: _FAULT,
}

_TASK_ROWS: Final[Mapping[type[Exception], Row]] = {
    jobs.CutoutError: _FAILED,
    jobs.SourceRejected: _PICTURE,
    jobs.SourceUndecodable: _PICTURE,
    jobs.DecodingStopped: _PICTURE,
    jobs.TimedOut: Row("timeoutProvider", "Processing took too long: send a smaller image, or a new task"),
    jobs.WorkerLost: Row("processingFailed", "Workers stopped repeatedly on this image"),
    jobs.Terminated: Row("processingFailed", "The task was ended by its account"),
    jobs.UploadsFull: _UPLOADS_FULL,
    jobs.BlobMissing: Row("processingFailed", "The image is no longer stored: send a new task"),
}
TASK_ROWS: Final = {
    kind.kind: row for kind, row in spelt_out(_TASK_ROWS).items() if issubclass(kind, jobs.CutoutError)
}
"""By the `kind` that stands in a record. A repeat shows the same record, so each of them is final: never a 5xx."""


def row_for(error: Exception) -> Row:
    """The row of an error; any that the table does not know is a fault of this server."""
    return row_of(type(error), ROWS, _FAULT)


def refusal(error: Exception, task: Mapping[str, object]) -> Outcome:
    """The answer to a task, or to a whole request, that cannot be served.

    Args:
        error: what is wrong.
        task: as it was sent; what it holds of `taskType` and `taskUUID` is repeated.
    """
    row = row_for(error)
    parameter = error.parameters if isinstance(error, faults.FieldFault) else row.parameter
    # A rate knows when it frees, a full queue its pace.
    known = error.retry_after_seconds if isinstance(error, TooOften | jobs.QueueFull) else None
    return Outcome(
        item={
            "code": row.code.format(error=error),
            "message": row.message.format(error=error),
            **({} if parameter is None else {"parameter": parameter}),
            **{name: task[name] for name in ("taskType", "taskUUID") if _can_be_repeated(task.get(name))},
        },
        failed=True,
        status=row.status,
        passing=row.passing,
        retry_after_seconds=known,
    )


def failure(facts: ErrorFacts, task: Mapping[str, object], parameter: str) -> Outcome:
    """The answer for a task that has failed; the same in every repeat.

    Args:
        facts: as the record has them; a kind that a newer worker wrote reads as a plain failure.
        task: its `taskType` and `taskUUID`.
        parameter: the field that carried the picture.
    """
    row = TASK_ROWS.get(facts.kind, _FAILED)
    item = {
        "code": row.code,
        "message": row.message.format(error=facts),
        **({"parameter": parameter} if row is _PICTURE else {}),
        "status": "error",
    }
    return Outcome(item=item | dict(task), failed=True, status=row.status)


def _can_be_repeated(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= faults.SHOWN_CHARACTERS


def key_refusal(error: Exception) -> tuple[Outcome, JsonObject]:
    """The answer to a request without a key that counts, and its whole body, which has the item twice."""
    outcome = refusal(error, {"taskType": TaskType.AUTHENTICATION})
    return outcome, outcome.message() | {"error": outcome.item}
