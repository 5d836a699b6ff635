"""HTTP statuses and codes of what every façade refuses, side by side."""

from collections.abc import Mapping
from typing import Final, NamedTuple

Outcome = tuple[int, str]


class Codes(NamedTuple):
    """How each façade says one thing; None where it cannot happen."""

    picpik: Outcome | None
    runware: Outcome | None
    removebg: Outcome | None


REFUSALS: Final[Mapping[str, Codes]] = {
    "no key": Codes((200, "220"), (401, "missingApiKey"), (403, "auth_failed")),
    "wrong key": Codes((200, "172"), (401, "invalidApiKey"), (403, "auth_failed")),
    "too often": Codes((429, "153"), (429, "rateLimitExceeded"), (429, "rate_limit_exceeded")),
    "queue full": Codes((429, "153"), (429, "rateLimitExceeded"), (429, "rate_limit_exceeded")),
    "no place to wait": Codes(None, (503, "serviceUnavailable"), (429, "rate_limit_exceeded")),
    "no credits": Codes((200, "520"), (402, "insufficientCredits"), (402, "insufficient_credits")),
    # PICPIK's and Runware's clients would repeat 503 for nothing; remove.bg's has no other code for it.
    "no model": Codes((200, "150"), (400, "unsupportedModel"), (503, "unavailable")),
    "conflict": Codes(None, (400, "conflictTaskUUID"), (400, "idempotency_conflict")),
    "unknown job": Codes((200, "230"), (404, "taskNotFound"), None),
    # The picture
    "no address": Codes((200, "230"), (400, "invalidInputImage"), (400, "invalid_image_url")),
    "not base64": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image")),
    "no picture": Codes((200, "230"), (400, "invalidInputImage"), (400, "invalid_file_type")),
    "raw picture": Codes((200, "230"), (400, "invalidInputImage"), (400, "invalid_file_type")),
    "cut off": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image")),
    "costly": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image")),
    "empty": Codes((200, "220"), (400, "missingInputImage"), (400, "missing_source")),
    "too many pixels": Codes((200, "230"), (400, "invalidInputImage"), (400, "resolution_too_high")),
    # The request
    "too long": Codes((413, "230"), (400, "maxMessageSizeExceeded"), (400, "file_too_large")),
    "compressed": Codes((415, "160"), (400, "invalidRequest"), (400, "invalid_request")),
    "unreadable": Codes((200, "160"), (400, "invalidRequest"), (400, "invalid_request")),
    "another method": Codes((405, "160"), (405, "invalidRequest"), (405, "method_not_allowed")),
    # The service
    "ledger away": Codes((503, "130"), (503, "serviceUnavailable"), (503, "unavailable")),
    "storage away": Codes((503, "130"), (503, "serviceUnavailable"), (503, "unavailable")),
    "fault": Codes((500, "130"), (500, "internalServerError"), (500, "internal_error")),
}

FAILURES: Final[Mapping[str, Codes]] = {
    "source_unreadable": Codes((200, "1001"), (400, "invalidInputImage"), (400, "failed_to_read_image")),
    "source_undecodable": Codes((200, "1001"), (400, "invalidInputImage"), (400, "failed_to_read_image")),
    "source_too_large": Codes((200, "1001"), (400, "invalidInputImage"), (400, "resolution_too_high")),
    "subject_not_found": Codes((200, "1001"), (400, "invalidInputImage"), (400, "unknown_foreground")),
    "processing_failed": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error")),
    "worker_lost": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error")),
    "of_a_newer_worker": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error")),
    "timed_out": Codes((200, "1003"), (400, "timeoutProvider"), (503, "unavailable")),
    "terminated": Codes((200, "1002"), (400, "processingFailed"), (503, "unavailable")),
}
"""Of jobs that failed, by the kind of the recorded error."""
