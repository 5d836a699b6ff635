"""Errors of an exchange with a server outside.

What was refused (`ExchangeRefused`) stays so; what a peer failed at (`PeerFailed`) may go better next time. No
text holds an address's path or query: callers put secrets there. Nor does one hold what a name resolved to, which
is nobody's business outside.
"""

from typing import Literal

from typing_extensions import override

from cutgate.jobs.errors import CutoutError, SourceTooLarge, SourceUnreachable

Reason = Literal[
    "address", "busy", "connection", "encoding", "host", "media_type", "redirect", "size", "status", "time", "tls",
    "url",
]  # fmt: skip
"""A word for records and logs."""


class ExchangeFailed(Exception):
    """Something outside could not be reached, or answered what cannot be used."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message

    def as_source_error(self) -> CutoutError:
        """Error with which an item fails if its source could not be fetched."""
        return SourceUnreachable(self.message, reason=self.reason)


class ExchangeRefused(ExchangeFailed):
    """Trying again cannot help."""


class HostRefused(ExchangeRefused):
    """The host has no address, or one that is not public: callers are not to learn which."""

    def __init__(self, host: str, kind: str | None = None) -> None:
        """Name the host, and for the log the kind of its address; None where it has no address."""
        super().__init__("address" if kind else "host", f"the host {host} has no address, or not public ones only")
        self.kind = kind


class BodyTooLarge(ExchangeRefused):
    """The answer is longer than a picture may be."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__("size", f"the answer has {size_bytes} bytes or more, the limit is {limit_bytes}")
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes

    @override
    def as_source_error(self) -> CutoutError:
        """As for a picture of that size that was sent."""
        return SourceTooLarge("bytes", self.size_bytes, self.limit_bytes)


class PeerFailed(ExchangeFailed):
    """The other side did not do its part; next time it may."""
