"""The one table from errors to what PICPIK's clients read: code, message and HTTP status.

Every path that is no other protocol's is answered in these words. Codes up to 2000 are final for clients of the
family, so what may pass answers with HTTP 429 or 503.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from werkzeug.exceptions import (
    BadHost,
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    RequestedRangeNotSatisfiable,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from cutgate import signing
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import class_of, row_of
from cutgate.jobs import errors as jobs

SHOWN_CHARACTERS: Final = 128
"""How much of a name that the caller chose is repeated to it."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of error is answered."""

    ret_code: int
    message: str
    """Formatted with the `name` of the parameter, or of what else the caller named."""
    status: int = HTTPStatus.OK
    is_told: bool = False
    """Whether the answer repeats what an error of the core says."""


_BROKEN: Final = "Service error and break"
_LATER: Final = HTTPStatus.SERVICE_UNAVAILABLE

ROWS: Final[Mapping[str, Row]] = {
    # The request
    "no_action": Row(160, "Missing Action"),
    "too_large": Row(230, "Request body too large", 413),
    "too_slow": Row(160, "Request too slow", 408),
    "encoded": Row(160, "Content-Encoding not supported", 415),
    "unknown_path": Row(160, "No such path", 404),
    "no_method": Row(160, "Method not allowed", 405),
    "no_result": Row(230, "Result not found", 404),
    "no_range": Row(230, "Range not available", 416),
    "unknown_action": Row(161, "Action [{name}] not found"),
    "no_signature": Row(170, "Missing signature"),
    "wrong_signature": Row(171, "Signature VerifyAC Error"),
    "unknown_user": Row(172, "User Not Exists"),
    "missing": Row(220, "Missing params [{name}]"),
    "not_available": Row(230, "Params [{name}] not available"),
    "wrong_type": Row(310, "Params [{name}] type error"),
    # What it asks for
    "throttled": Row(153, "Request throttled", 429, is_told=True),
    "task_too_large": Row(230, "Params [RawImages] not available", is_told=True),
    "no_credits": Row(520, "Insufficient balance", is_told=True),
    "not_now": Row(150, "Service unavailable", _LATER, is_told=True),
    # Nothing that passes by itself: callers who repeat what HTTP 503 says would do so for nothing.
    "no_model": Row(150, "Service unavailable", is_told=True),
    # This service
    "away": Row(130, _BROKEN, _LATER),
    "full": Row(130, _BROKEN, _LATER, is_told=True),
    "fault": Row(130, _BROKEN, 500),
}

RAISED: Final[Mapping[type[Exception], str]] = {
    signing.SigningError: "no_action",
    HTTPException: "unknown_path",
    BadRequest: "no_action",
    BadHost: "unknown_path",
    RequestEntityTooLarge: "too_large",
    RequestTimeout: "too_slow",
    UnsupportedMediaType: "encoded",
    RequestedRangeNotSatisfiable: "no_range",
    TooOften: "throttled",
    jobs.SubmissionRefused: "not_now",
    jobs.InsufficientCredits: "no_credits",
    jobs.QueueFull: "throttled",
    jobs.TaskTooLarge: "task_too_large",
    jobs.UploadsFull: "fault",  # no action keeps a picture
    jobs.IdempotencyConflict: "wrong_signature",
    jobs.ModelNotOffered: "no_model",
    jobs.ServiceUnavailable: "away",
    jobs.LedgerUnwritable: "full",
    jobs.BlobStoreFull: "full",
}
"""Keys in `ROWS` by exception; any other exception is a server fault."""


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, key: str, detail: str = "", *, name: str = "") -> None:
        """Choose the answer.

        Args:
            key: of `ROWS`.
            detail: a sentence that a person can act on; not before the signature was found right.
            name: of the parameter at fault, of an element with its index, such as `Box.2`.
        """
        name = name[:SHOWN_CHARACTERS]
        super().__init__(f"{key} {name}".rstrip())
        self.key, self.row, self.detail = key, ROWS[key], detail
        self.message = self.row.message.format(name=name)


def refused(error: Exception, path: str) -> Refused:
    """What a caller is told of an error at a path."""
    see, path = "see /docs or /openapi.json", path[:SHOWN_CHARACTERS]
    match error:
        case Refused():
            return error
        case MethodNotAllowed():
            return Refused("no_method", f"{path} takes {', '.join(sorted(error.valid_methods or ()))}; {see}")
        case signing.FlattenedNamesRejected():
            return Refused("not_available", error.reason, name=error.name)
    key = row_of(type(error), RAISED, "fault")
    detail = str(error) if ROWS[key].is_told else ""
    if key == "unknown_path":
        detail = f"there is nothing at {path}; {see}"
    return Refused(key, detail)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """How a failed picture is shown in its task."""

    message: str
    error_code: int = 1001


NOT_FOUND_CODE: Final = 230

TERMINATED: Final = TaskRow("Task terminated", 1002)
TIMED_OUT: Final = TaskRow("Task timed out: try again later or send a smaller image", 1003)

_FAILED: Final = TaskRow("Processing failed")
_COSTLY: Final = TaskRow("Image too costly to decode: save it again as a plain PNG or JPEG")

TASK_ROWS: Final[Mapping[type[Exception], TaskRow]] = {
    jobs.SourceRejected: TaskRow("Image not acceptable"),
    jobs.SourceUnreadable: TaskRow("Image not readable: send JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF"),
    jobs.SourceTooLarge: TaskRow("Image too large: send fewer pixels"),
    jobs.SourceTooCostly: _COSTLY,
    jobs.BoxOutsidePicture: TaskRow("Box outside the image"),
    jobs.RegionOutsidePicture: TaskRow("Region of interest outside the image"),
    jobs.RegionEmpty: TaskRow("Region of interest without pixels"),
    jobs.SubjectNotFound: TaskRow("No subject found in the image"),
    jobs.SourceUnreachable: TaskRow("Image not reachable: its address cannot be fetched"),
    jobs.SourceUndecodable: TaskRow("Image truncated or damaged: it cannot be decoded"),
    jobs.DecodingStopped: _COSTLY,
    jobs.TimedOut: TIMED_OUT,
    jobs.WorkerLost: TaskRow("Processing failed: workers stopped repeatedly on this image"),
    jobs.Terminated: TERMINATED,
    jobs.BlobMissing: TaskRow("Image no longer stored: submit it again"),
    jobs.ServiceUnavailable: TaskRow("Processing failed: try again later"),
}


def task_row_for(kind: str) -> TaskRow:
    """The row of a recorded error; any that the table does not know reads as a plain failure."""
    return row_of(class_of(kind), TASK_ROWS, _FAILED)
