"""HTTP statuses and codes of what every façade refuses, side by side."""

from collections.abc import Mapping
from typing import Final, NamedTuple

Outcome = tuple[int, str]


class Codes(NamedTuple):
    """How each façade says one thing; None where it cannot happen."""

    picpik: Outcome | None
    runware: Outcome | None
    removebg: Outcome | None
    rembg: Outcome | None = None


REFUSALS: Final[Mapping[str, Codes]] = {
    "no key": Codes((200, "220"), (401, "missingApiKey"), (403, "auth_failed"), (401, "401")),
    "wrong key": Codes((200, "172"), (401, "invalidApiKey"), (403, "auth_failed"), (401, "401")),
    "too often": Codes((429, "153"), (429, "rateLimitExceeded"), (429, "rate_limit_exceeded"), (429, "429")),
    "queue full": Codes((429, "153"), (429, "rateLimitExceeded"), (429, "rate_limit_exceeded"), (429, "429")),
    "no place to wait": Codes(None, (503, "serviceUnavailable"), (429, "rate_limit_exceeded"), (503, "503")),
    "no credits": Codes((200, "520"), (402, "insufficientCredits"), (402, "insufficient_credits"), (402, "402")),
    # PICPIK's and Runware's clients would repeat 503 for nothing; remove.bg's has no other code for it.
    "no model": Codes((200, "150"), (400, "unsupportedModel"), (503, "unavailable"), (400, "400")),
    "conflict": Codes(None, (400, "conflictTaskUUID"), (400, "idempotency_conflict"), (409, "409")),
    "unknown job": Codes((200, "230"), (404, "taskNotFound"), None),
    # The picture
    "no address": Codes(
        (200, "230"), (400, "invalidInputImage"), (400, "invalid_image_url"), (422, "value_error")
    ),
    "not base64": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image"), (400, "400")),
    "no picture": Codes((200, "230"), (400, "invalidInputImage"), (400, "invalid_file_type"), (400, "400")),
    "raw picture": Codes((200, "230"), (400, "invalidInputImage"), (400, "invalid_file_type"), (400, "400")),
    "cut off": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image"), (400, "400")),
    "costly": Codes((200, "230"), (400, "invalidInputImage"), (400, "failed_to_read_image"), (400, "400")),
    "empty": Codes((200, "220"), (400, "missingInputImage"), (400, "missing_source"), (422, "missing")),
    "too many pixels": Codes((200, "230"), (400, "invalidInputImage"), (400, "resolution_too_high"), (413, "413")),
    # The request
    "too long": Codes((413, "230"), (400, "maxMessageSizeExceeded"), (400, "file_too_large"), (413, "413")),
    "compressed": Codes((415, "160"), (400, "invalidRequest"), (400, "invalid_request"), (415, "415")),
    "unreadable": Codes((200, "160"), (400, "invalidRequest"), (400, "invalid_request"), (400, "400")),
    "another method": Codes((405, "160"), (405, "invalidRequest"), (405, "method_not_allowed"), (405, "405")),
    # The service
    "ledger away": Codes((503, "130"), (503, "serviceUnavailable"), (503, "unavailable"), (503, "503")),
    "storage away": Codes((503, "130"), (503, "serviceUnavailable"), (503, "unavailable"), (503, "503")),
    "fault": Codes((500, "130"), (500, "internalServerError"), (500, "internal_error"), (500, "500")),
}

FAILURES: Final[Mapping[str, Codes]] = {
    "source_unreadable": Codes(
        (200, "1001"), (400, "invalidInputImage"), (400, "failed_to_read_image"), (400, "400")
    ),
    "source_undecodable": Codes(
        (200, "1001"), (400, "invalidInputImage"), (400, "failed_to_read_image"), (400, "400")
    ),
    "source_too_large": Codes(
        (200, "1001"), (400, "invalidInputImage"), (400, "resolution_too_high"), (413, "413")
    ),
    "subject_not_found": Codes(
        (200, "1001"), (400, "invalidInputImage"), (400, "unknown_foreground"), (400, "400")
    ),
    "processing_failed": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error"), (500, "500")),
    "worker_lost": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error"), (500, "500")),
    "of_a_newer_worker": Codes((200, "1001"), (400, "processingFailed"), (500, "internal_error"), (500, "500")),
    "timed_out": Codes((200, "1003"), (400, "timeoutProvider"), (503, "unavailable"), (504, "504")),
    "terminated": Codes((200, "1002"), (400, "processingFailed"), (503, "unavailable"), (503, "503")),
}
"""Of jobs that failed, by the kind of the recorded error."""
