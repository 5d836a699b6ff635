"""The one table from errors to what remove.bg's clients read: status, code, title and detail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Response
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from cutgate.gateway.accounts.authentication import KeyMissing, KeyRefused
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.error_rows import class_of, row_of
from cutgate.gateway.http_headers import ALL_ORIGINS
from cutgate.gateway.tasks.submit import DraftRejected
from cutgate.gateway.waiting.callers import NoPlaceToWait
from cutgate.jobs import errors as jobs
from cutgate.jobs.record import ErrorFacts


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of error is answered."""

    title: str
    detail: str
    """What a person can act on, where the error itself says nothing closer."""
    status: int = HTTPStatus.BAD_REQUEST


FIELDS: Final = (
    *("format", "roi", "crop", "crop_margin", "scale", "position", "channels", "shadow_type", "shadow_opacity"),
    *("add_shadow", "semitransparency", "bg_color", "size", "type", "type_level", "holes"),
)
"""The fields that say what is made of a picture, in the order in which they are looked at."""

_TOO_OFTEN: Final = HTTPStatus.TOO_MANY_REQUESTS
_SOURCES: Final = "image_file, image_file_b64 or image_url"

ROWS: Final[Mapping[str, Row]] = {
    "auth_failed": Row("API Key invalid", "Send a key of this service as X-Api-Key.", HTTPStatus.FORBIDDEN),
    "missing_source": Row("No image given", f"Send the image in {_SOURCES}."),
    "multiple_sources": Row("Multiple image sources given", f"Send one of {_SOURCES}."),
    "multiple_bg_sources": Row(
        "Multiple background sources given", "Send one of bg_color, bg_image_url and bg_image_file at most."
    ),
    "invalid_file_type": Row("Invalid file type", "Send a JPEG, PNG or WebP image."),
    "invalid_dimensions": Row("Failed to read image dimensions", "Save the image again."),
    "failed_to_read_image": Row("Error reading the image", "Save the image again."),
    "file_too_large": Row("File too large", "Send a smaller file."),
    "resolution_too_high": Row("Image resolution too high", "Send fewer pixels."),
    "invalid_image_url": Row("Invalid image_url parameter given", "Send a public http or https address."),
    "invalid_bg_image_url": Row("Invalid bg_image_url parameter given", "Send a public http or https address."),
    "failed_image_download": Row("Failed to download image", "The server at image_url gave no image."),
    "failed_bg_download": Row("Failed to download image", "The server at bg_image_url gave no image."),
    **{
        f"invalid_{name}": Row(f"Invalid value for parameter {name}", "See the values that it takes.")
        for name in FIELDS
    },
    "roi_exceeds_bounds": Row("ROI exceeds image bounds", "Send a region within the image."),
    "roi_region_empty": Row("ROI region is empty", "Send a region that has an area."),
    "unknown_foreground": Row(
        "Could not identify foreground in image", "Send an image with a person, a product, or another subject."
    ),
    "insufficient_credits": Row(
        "Insufficient credits", "Ask the operator for credits.", HTTPStatus.PAYMENT_REQUIRED
    ),
    "rate_limit_exceeded": Row("Rate limit exceeded", "Send the request again later.", _TOO_OFTEN),
    "not_found": Row(
        "Not found", "There is nothing at this path: see /docs or /openapi.json.", HTTPStatus.NOT_FOUND
    ),
    "method_not_allowed": Row("Method not allowed", "See the Allow header.", HTTPStatus.METHOD_NOT_ALLOWED),
    "internal_error": Row("Internal error", "The server made a mistake.", HTTPStatus.INTERNAL_SERVER_ERROR),
    "unavailable": Row("Service unavailable", "Send the request again.", HTTPStatus.SERVICE_UNAVAILABLE),
    # What the vendor has no code for
    "improvement_disabled": Row(
        "Improvement program disabled", "This server collects no images.", HTTPStatus.FORBIDDEN
    ),
    "result_not_ready": Row(
        "Result not ready yet", "The image is being worked on: send the same request again.", _TOO_OFTEN
    ),
    "idempotency_conflict": Row(
        "Idempotency-Key used before", "The key was used for another request: take a new one."
    ),
    "invalid_request": Row(
        "Request not readable", "Send multipart/form-data, application/x-www-form-urlencoded or application/json."
    ),
    "request_timeout": Row("Request too slow", "Send it over a faster connection.", HTTPStatus.REQUEST_TIMEOUT),
}
"""By code."""

RAISED: Final[Mapping[type[Exception], str]] = {
    KeyRefused: "auth_failed",
    TooOften: "rate_limit_exceeded",
    NoPlaceToWait: "rate_limit_exceeded",
    HTTPException: "invalid_request",
    NotFound: "not_found",
    MethodNotAllowed: "method_not_allowed",
    RequestEntityTooLarge: "file_too_large",
    RequestTimeout: "request_timeout",
    # The core's errors, whether raised or in a task's record
    jobs.SourceRejected: "failed_to_read_image",
    jobs.SourceUndecodable: "failed_to_read_image",
    jobs.DecodingStopped: "failed_to_read_image",
    jobs.BoxOutsidePicture: "roi_exceeds_bounds",
    jobs.RegionOutsidePicture: "roi_exceeds_bounds",
    jobs.RegionEmpty: "roi_region_empty",
    jobs.SubjectNotFound: "unknown_foreground",
    jobs.TimedOut: "unavailable",
    jobs.Terminated: "unavailable",
    jobs.SubmissionRefused: "unavailable",
    jobs.InsufficientCredits: "insufficient_credits",
    jobs.QueueFull: "rate_limit_exceeded",
    jobs.TaskTooLarge: "internal_error",  # a task has one picture
    jobs.IdempotencyConflict: "idempotency_conflict",
    jobs.ServiceUnavailable: "unavailable",
}
"""Codes of what is raised; all else is a fault of this server."""

_NO_ADDRESS: Final = frozenset({"url", "address", "host"})
"""Reasons of a failed fetch that the address itself is at fault for."""
_OF_BACKGROUNDS: Final = {
    "invalid_image_url": "invalid_bg_image_url",
    "failed_image_download": "failed_bg_download",
}
_SAID_BY_ROW: Final = frozenset({"unknown_foreground", "insufficient_credits"})
"""Where the core's own words are not the protocol's."""


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, code: str, detail: str = "", *, title: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        row = ROWS[code]
        self.code, self.status = code, int(row.status)
        self.title, self.detail = title or row.title, detail or row.detail


def refused(error: Exception) -> Refused:
    """What a caller is told of an error; of one that the table does not know, only that it is there."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, DraftRejected):
        error = error.reason
    if isinstance(error, jobs.CutoutError):
        return failure(error.facts())
    code = row_of(type(error), RAISED, "internal_error")
    title = "Missing API Key" if isinstance(error, KeyMissing) else ""
    detail = str(error.description) if isinstance(error, UnsupportedMediaType | BadRequest) else ""
    return Refused(code, detail, title=title)


def failure(facts: ErrorFacts) -> Refused:
    """What a caller is told of an error of the core."""
    code = _code_of(facts)
    if facts.details.get("part") == "background":
        code = _OF_BACKGROUNDS.get(code, code)
    is_said = ROWS[code].status < HTTPStatus.INTERNAL_SERVER_ERROR and code not in _SAID_BY_ROW
    detail = f"{facts.message[:1].upper()}{facts.message[1:]}." if is_said else ""
    return Refused(code, detail)


def _code_of(facts: ErrorFacts) -> str:
    match facts.kind:
        case jobs.SourceUnreadable.kind:
            wrong = {"format": "invalid_file_type", "size": "invalid_dimensions"}
            return wrong.get(str(facts.details.get("wrong")), "failed_to_read_image")
        case jobs.SourceTooLarge.kind:
            return "file_too_large" if facts.details.get("measure") == "bytes" else "resolution_too_high"
        case jobs.SourceUnreachable.kind:
            at_fault = facts.details.get("reason") in _NO_ADDRESS
            return "invalid_image_url" if at_fault else "failed_image_download"
        case kind:
            return row_of(class_of(kind), RAISED, "internal_error")


def in_json(body: object, status: int = HTTPStatus.OK) -> Response:
    """An answer without a picture's bytes."""
    return Response(json.dumps(body), status, ALL_ORIGINS, content_type="application/json; charset=utf-8")
