"""Errors of an exchange with a server outside.

What was refused (`ExchangeRefused`) stays so; what a peer failed at (`PeerFailed`) may go better next time. No
text holds an address's path or query: callers put secrets there. Nor does one hold what a name resolved to, which
is nobody's business outside.
"""

from typing import ClassVar

from typing_extensions import override

from cutgate.jobs.errors import CutoutError, SourceTooLarge, SourceUnreachable


class ExchangeFailed(Exception):
    """Something outside could not be reached, or answered what cannot be used."""

    reason: ClassVar[str]
    """A word for records and logs."""

    def __init_subclass__(cls, *, reason: str = "") -> None:
        cls.reason = reason

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def as_source_error(self) -> CutoutError:
        """Error with which an item fails if its source could not be fetched."""
        return SourceUnreachable(self.message, reason=self.reason)


def _not_public(host: str) -> str:
    """One text for names inside and names that there are none of: callers are not to learn which is which."""
    return f"the host {host} has no address, or not public ones only"


class ExchangeRefused(ExchangeFailed):
    """Trying again cannot help."""


class UrlRefused(ExchangeRefused, reason="url"):
    """The URL is none that may be called: its form, scheme, host, port, or a user's name in it."""


class AddressRefused(ExchangeRefused, reason="address"):
    """The host has an address that is not public."""

    def __init__(self, host: str, kind: str) -> None:
        super().__init__(_not_public(host))
        #: What `kind` of address was found: for the log, not for callers.
        self.host, self.kind = host, kind


class HostUnknown(ExchangeRefused, reason="host"):
    """The host's name has no address."""

    def __init__(self, host: str) -> None:
        super().__init__(_not_public(host))


class RedirectRefused(ExchangeRefused, reason="redirect"):
    """There are too many redirects, or one that leads in a circle, nowhere, or from https to http."""


class StatusRefused(ExchangeRefused, reason="status"):
    """The server answers that it will not."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers HTTP {status}")
        self.status = status


class MediaTypeRefused(ExchangeRefused, reason="media_type"):
    """The answer says of itself that it is no picture."""


class EncodingRefused(ExchangeRefused, reason="encoding"):
    """The answer is compressed although that was not asked for."""


class BodyTooLarge(ExchangeRefused, reason="size"):
    """The answer is longer than a picture may be."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the answer has {size_bytes} bytes or more, the limit is {limit_bytes}")
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes

    @override
    def as_source_error(self) -> CutoutError:
        """As for a picture of that size that was sent."""
        return SourceTooLarge("bytes", self.size_bytes, self.limit_bytes)


class PeerFailed(ExchangeFailed):
    """The other side did not do its part; next time it may."""


class Unreachable(PeerFailed, reason="connection"):
    """No connection, one that broke, or an answer that is not HTTP."""


class TlsFailed(PeerFailed, reason="tls"):
    """The server cannot prove its name, or does not speak TLS."""


class TooSlow(PeerFailed, reason="time"):
    """A time limit passed, of one step or of the whole exchange."""


class Busy(PeerFailed, reason="busy"):
    """This side has no memory left for what the other one sends."""


class StatusPassing(PeerFailed, reason="status"):
    """The server answers that it cannot now."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers HTTP {status}")
        self.status = status
