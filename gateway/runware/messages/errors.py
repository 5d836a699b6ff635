"""The one table from errors to what Runware's clients read: code, message and HTTP status.

Clients repeat a request that was answered with 408, 429 or 5xx, so nothing that stays wrong wears one of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from werkzeug.exceptions import RequestTimeout

from cutgate.gateway.accounts.authentication import KeyMissing, KeyUnknown
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import class_of, retry_seconds, row_of
from cutgate.gateway.runware.messages.outcomes import SHOWN_CHARACTERS, JsonObject, Outcome
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs import errors as jobs
from cutgate.jobs.record import ErrorFacts


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of error is answered."""

    code: str
    """Formatted with the field's name as the `word`."""
    message: str
    """Formatted with what is wrong as the `reason`."""
    status: int = HTTPStatus.BAD_REQUEST
    parameter: str | None = None
    """The field to blame; one that the error names itself comes first."""


_LATER: Final = HTTPStatus.SERVICE_UNAVAILABLE

ROWS: Final[Mapping[str, Row]] = {
    # The request
    "no_key": Row(
        "missingApiKey",
        "An API key is needed: in a first element of taskType authentication, or as Authorization: Bearer",
        HTTPStatus.UNAUTHORIZED,
        "apiKey",
    ),
    "wrong_key": Row("invalidApiKey", "Invalid API key", HTTPStatus.UNAUTHORIZED, "apiKey"),
    "unreadable": Row("invalidRequest", "{reason}"),
    "too_large": Row("maxMessageSizeExceeded", "The request has more than {reason} bytes"),
    "too_slow": Row("requestTimeout", "The request arrives too slowly: send it again", HTTPStatus.REQUEST_TIMEOUT),
    "encoded": Row("invalidRequest", "Send the body without Content-Encoding"),
    "no_method": Row(
        "invalidRequest", "Send POST, or GET with an upgrade to a WebSocket", HTTPStatus.METHOD_NOT_ALLOWED
    ),
    "no_upgrade": Row(
        "invalidRequest", "Send POST, or ask for an upgrade to a WebSocket", HTTPStatus.UPGRADE_REQUIRED
    ),
    # A task
    "no_task_type": Row("missingTaskType", "taskType is required", parameter="taskType"),
    "unknown_task_type": Row(
        "unsupportedTaskType", "This server does not do tasks of this type here", parameter="taskType"
    ),
    "no_task_uuid": Row("missingTaskUUID", "taskUUID is required", parameter="taskUUID"),
    "wrong_task_uuid": Row("invalidTaskUUID", "taskUUID must be a UUID", parameter="taskUUID"),
    "unknown_task": Row(
        "taskNotFound", "There is no such task, or its results have expired", HTTPStatus.NOT_FOUND, "taskUUID"
    ),
    "conflict": Row("conflictTaskUUID", "taskUUID was used before for another task", parameter="taskUUID"),
    "unknown": Row("unsupportedParameter", "{reason}"),
    "missing": Row("missing{word}", "{reason}"),
    "wrong": Row("invalid{word}", "{reason}"),
    "picture": Row("invalidInputImage", "{reason}"),
    # Its result
    "took_too_long": Row(
        "timeoutProvider",
        "The result is not there yet: send the task again, or ask for it with getResponse",
        HTTPStatus.GATEWAY_TIMEOUT,
    ),
    "no_place": Row(
        "serviceUnavailable",
        "Too many calls wait for results: send the task again, or ask for it with getResponse",
        _LATER,
    ),
    "stopping": Row("serviceUnavailable", "The server is about to stop: connect again", _LATER),
    "result_too_large": Row(
        "maxMessageSizeExceeded",
        "The result is longer than your side of the connection takes: ask for outputType URL, or use HTTP",
        parameter="outputType",
    ),
    # What it asks for
    "too_often": Row("rateLimitExceeded", "Too many requests: {reason}", HTTPStatus.TOO_MANY_REQUESTS),
    "queue_full": Row("rateLimitExceeded", "{reason}: try again", HTTPStatus.TOO_MANY_REQUESTS),
    "no_credits": Row("insufficientCredits", "{reason}", HTTPStatus.PAYMENT_REQUIRED),
    "uploads_full": Row("uploadQuotaExceeded", "{reason}", HTTPStatus.FORBIDDEN),
    "no_model": Row("unsupportedModel", "{reason}", parameter="model"),
    # This service
    "away": Row("serviceUnavailable", "A part of the service does not answer: try again", _LATER),
    "not_now": Row("serviceUnavailable", "{reason}: try again", _LATER),
    "fault": Row("internalServerError", "The server made a mistake", HTTPStatus.INTERNAL_SERVER_ERROR),
}

RAISED: Final[Mapping[type[Exception], str]] = {
    KeyMissing: "no_key",
    KeyUnknown: "wrong_key",
    NoPlaceToWait: "no_place",
    RequestTimeout: "too_slow",
    TooOften: "too_often",
    jobs.SubmissionRefused: "not_now",
    jobs.InsufficientCredits: "no_credits",
    jobs.QueueFull: "queue_full",
    jobs.TaskTooLarge: "fault",  # a task has one picture
    jobs.UploadsFull: "uploads_full",
    jobs.IdempotencyConflict: "conflict",
    jobs.ModelNotOffered: "no_model",
    jobs.ServiceUnavailable: "away",
    jobs.LedgerUnwritable: "not_now",
    jobs.BlobStoreFull: "not_now",
    # What handlers turn into a fault of a field, which knows the picture's name
    jobs.SourceRejected: "picture",
    jobs.BlobMissing: "picture",
}
"""Keys in `ROWS` by exception; any other exception is a server fault."""

FAILED: Final = Row("processingFailed", "Processing failed")
TASK_ROWS: Final[Mapping[type[Exception], Row]] = {
    jobs.SourceRejected: ROWS["picture"],
    jobs.SourceUndecodable: ROWS["picture"],
    jobs.DecodingStopped: ROWS["picture"],
    jobs.TimedOut: Row("timeoutProvider", "Processing took too long: send a smaller image, or a new task"),
    jobs.WorkerLost: Row("processingFailed", "Workers stopped repeatedly on this image"),
    jobs.Terminated: Row("processingFailed", "The task was ended by its account"),
    jobs.UploadsFull: ROWS["uploads_full"],
    jobs.BlobMissing: Row("processingFailed", "The image is no longer stored: send a new task"),
}
"""Of recorded errors. A repeat shows the same record, so each of them is final: never a 5xx."""

_WORDS: Final = dict.fromkeys(("image", "inputImage"), "InputImage")
"""Names that codes do not have as they are."""


class Refused(Exception):
    """A task, or a whole request, is answered with an error."""

    def __init__(self, key: str, reason: str = "", parameter: str | list[str] | None = None) -> None:
        """Choose the answer.

        Args:
            key: of `ROWS`.
            reason: what is wrong, for a person.
            parameter: the dotted path of the field at fault as the caller sent it, or of several that clash, of
                which the last one names the code.
        """
        self.row, self.reason = ROWS[key], reason
        self.parameter = self.row.parameter if parameter is None else parameter
        super().__init__(f"{key} {self.parameter or reason}".rstrip()[:SHOWN_CHARACTERS])

    @property
    def code(self) -> str:
        """The row's code, with the field's name: `outputFormat` in `invalidOutputFormat`."""
        path = self.parameter if isinstance(self.parameter, str) else (self.parameter or [""])[-1]
        name = path.rpartition(".")[2]
        return self.row.code.format(word=_WORDS.get(name, name[:1].upper() + name[1:]))


def refusal(error: Exception, task: Mapping[str, object]) -> Outcome:
    """The answer to a task, or to a whole request, that cannot be served."""
    known = error if isinstance(error, Refused) else Refused(row_of(type(error), RAISED, "fault"), str(error))
    return Outcome(
        item={
            "code": known.code,
            "message": known.row.message.format(reason=known.reason),
            **({} if known.parameter is None else {"parameter": known.parameter}),
            **{name: task[name] for name in ("taskType", "taskUUID") if _can_be_repeated(task.get(name))},
        },
        failed=True,
        status=known.row.status,
        retry_after_seconds=retry_seconds(error),
    )


def failure(facts: ErrorFacts, task: Mapping[str, object], parameter: str) -> Outcome:
    """The answer for a task that has failed, equal in every repeat."""
    row = row_of(class_of(facts.kind), TASK_ROWS, FAILED)
    item = {
        "code": row.code,
        "message": row.message.format(reason=facts.message),
        **({"parameter": parameter} if row is ROWS["picture"] else {}),
        "status": "error",
    }
    return Outcome(item=item | dict(task), failed=True, status=row.status)


def _can_be_repeated(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= SHOWN_CHARACTERS


def key_refusal(error: Exception) -> tuple[Outcome, JsonObject]:
    """The answer to a request without a key that counts, and its whole body, which has the item twice."""
    outcome = refusal(error, {"taskType": TaskType.AUTHENTICATION})
    return outcome, outcome.message() | {"error": outcome.item}
