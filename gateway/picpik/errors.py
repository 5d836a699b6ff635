"""The one table from errors to what PICPIK's clients read: code, message and HTTP status.

Codes up to 2000 are final for clients of the family, so what may pass answers with HTTP 429 or 503.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cutgate import signing
from cutgate.gateway.accounts.failures import AddressShutOut
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import row_of, spelt_out
from cutgate.gateway.picpik import faults
from cutgate.jobs import errors


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of error is answered."""

    ret_code: int
    message: str
    """Formatted with the error as `error`."""
    status: int = 200
    passing: bool = False
    """Whether trying again later helps, so that the answer says when."""
    detail: str = ""
    """What the answer says beside the protocol's text, formatted as that is; not before the signature counts."""

    def text(self, error: Exception) -> str:
        """The message for one error."""
        return self.message.format(error=error)

    def detail_text(self, error: Exception) -> str:
        """A sentence that a person can act on; empty where the message says it all."""
        return self.detail.format(error=error)


_MISSING_ACTION: Final = Row(160, "Missing Action")
_SEE: Final = "see /docs or /openapi.json"
_NO_SIGNATURE: Final = Row(170, "Missing signature")
_WRONG_SIGNATURE: Final = Row(171, "Signature VerifyAC Error")
_NOT_AVAILABLE: Final = Row(230, "Params [{error.name}] not available", detail="{error.detail}")
_THROTTLED: Final = Row(153, "Request throttled", 429, passing=True, detail="{error}")
_AWAY: Final = Row(130, "Service error and break", 503, passing=True)
_FAULT: Final = Row(130, "Service error and break", 500)
_LATER: Final = Row(150, "Service unavailable", 503, passing=True, detail="{error.message}")

ROWS: Final[Mapping[type[Exception], Row]] = {
    # The request
    faults.RequestFault: _MISSING_ACTION,
    faults.BodyTooLarge: Row(230, "Request body too large", 413),
    faults.BodyTooSlow: Row(160, "Request too slow", 408),
    faults.EncodingNotSupported: Row(160, "Content-Encoding not supported", 415),
    faults.PathUnknown: Row(160, "No such path", 404, detail=f"there is nothing at {{error.path}}; {_SEE}"),
    faults.MethodNotAllowed: Row(
        160, "Method not allowed", 405, detail=f"{{error.path}} takes {{error.allowed}}; {_SEE}"
    ),
    faults.ResultGone: Row(230, "Result not found", 404),
    faults.RangeNotAvailable: Row(230, "Range not available", 416),
    faults.ActionUnknown: Row(161, "Action [{error.name}] not found"),
    faults.SignatureMissing: _NO_SIGNATURE,
    faults.SignatureWrong: _WRONG_SIGNATURE,
    faults.UserUnknown: Row(172, "User Not Exists"),
    faults.ParameterFault: _NOT_AVAILABLE,
    faults.ParameterMissing: Row(220, "Missing params [{error.name}]", detail="{error.detail}"),
    faults.ParameterOfWrongType: Row(310, "Params [{error.name}] type error", detail="{error.detail}"),
    # Its body and signature
    signing.SigningError: _MISSING_ACTION,
    signing.FlattenedNamesRejected: Row(230, "Params [{error.name}] not available", detail="{error.reason}"),
    # How often
    TooOften: _THROTTLED,
    AddressShutOut: _THROTTLED,
    # The ledger's refusals
    errors.SubmissionRefused: _LATER,
    errors.InsufficientCredits: Row(520, "Insufficient balance", detail="{error.message}"),
    errors.QueueFull: _THROTTLED,
    errors.TaskTooLarge: Row(230, "Params [RawImages] not available", detail="{error.message}"),
    errors.UploadsFull: _FAULT,  # no action keeps a picture
    errors.IdempotencyConflict: _WRONG_SIGNATURE,
    # Nothing that passes by itself: callers who repeat what HTTP 503 says would do so for nothing.
    errors.ModelNotOffered: Row(150, "Service unavailable", detail="{error.message}"),
    # Parts that are away
    errors.ServiceUnavailable: _AWAY,
    errors.LedgerUnwritable: replace(_AWAY, detail="{error.message}"),
    errors.BlobStoreFull: replace(_AWAY, detail="{error.message}"),
    # Handlers turn the others into faults of a parameter or leave them to the task's record.
    errors.CutoutError: _FAULT,
}


def row_for(error: Exception) -> Row:
    """The row of an error; any that the table does not know is a fault of this server."""
    return row_of(type(error), ROWS, _FAULT)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """How a failed picture is shown in its task."""

    error_code: int
    message: str


NOT_FOUND_CODE: Final = 230

FAILED_CODE: Final = 1001
TERMINATED: Final = TaskRow(1002, "Task terminated")
TIMED_OUT: Final = TaskRow(1003, "Task timed out: try again later or send a smaller image")

_FAILED: Final = TaskRow(FAILED_CODE, "Processing failed")
_COSTLY: Final = TaskRow(FAILED_CODE, "Image too costly to decode: save it again as a plain PNG or JPEG")

_TASK_ROWS: Final[Mapping[type[Exception], TaskRow]] = {
    errors.CutoutError: _FAILED,
    errors.SourceRejected: TaskRow(FAILED_CODE, "Image not acceptable"),
    errors.SourceUnreadable: TaskRow(
        FAILED_CODE,
        "Image not readable: send JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF",
    ),
    errors.SourceTooLarge: TaskRow(FAILED_CODE, "Image too large: send fewer pixels"),
    errors.SourceTooCostly: _COSTLY,
    errors.BoxOutsidePicture: TaskRow(FAILED_CODE, "Box outside the image"),
    errors.RegionOutsidePicture: TaskRow(FAILED_CODE, "Region of interest outside the image"),
    errors.RegionEmpty: TaskRow(FAILED_CODE, "Region of interest without pixels"),
    errors.SubjectNotFound: TaskRow(FAILED_CODE, "No subject found in the image"),
    errors.SourceUnreachable: TaskRow(FAILED_CODE, "Image not reachable: its address cannot be fetched"),
    errors.SourceUndecodable: TaskRow(FAILED_CODE, "Image truncated or damaged: it cannot be decoded"),
    errors.DecodingStopped: _COSTLY,
    errors.TimedOut: TIMED_OUT,
    errors.WorkerLost: TaskRow(FAILED_CODE, "Processing failed: workers stopped repeatedly on this image"),
    errors.Terminated: TERMINATED,
    errors.BlobMissing: TaskRow(FAILED_CODE, "Image no longer stored: submit it again"),
    errors.ServiceUnavailable: TaskRow(FAILED_CODE, "Processing failed: try again later"),
}
TASK_ROWS: Final = {
    kind.kind: row for kind, row in spelt_out(_TASK_ROWS).items() if issubclass(kind, errors.CutoutError)
}
"""By the `kind` that stands in a record."""


def task_row_for(kind: str) -> TaskRow:
    """The row of a recorded error; a kind that a newer worker wrote reads as a plain failure."""
    return TASK_ROWS.get(kind, _FAILED)
