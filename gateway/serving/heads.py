"""How much of a request is still to come, read from its head before gunicorn parses it.

What is found here decides who receives the rest, and nothing else: what a request means is gunicorn's parser's
to say. Where the two differ, the parser finds too few bytes and the request is over.
"""

import re
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_UNMEASURED: Final = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)
_FORWARDED: Final = re.compile(rb"\r\nx-forwarded-for:([^\r\n]*)", re.IGNORECASE)
_PROBE: Final = b"GET /healthz "


@dataclass(frozen=True, slots=True)
class Head:
    """A head that has come whole."""

    request_bytes: int | None
    """Of head and body together; None where nobody can say, or the caller waits until it is told to send."""
    is_probe: bool
    """Whether it asks no more than whether this process lives."""
    forwarded_for: str | None = None
    """The client that the nearest proxy names, if that is where the request came from."""

    def is_whole_in(self, received_bytes: int) -> bool:
        """Whether the whole request is in so many bytes from its begin on."""
        return self.request_bytes is not None and received_bytes >= self.request_bytes


def find_head(received: bytearray, searched_bytes: int = 0) -> Head | None:
    """The head of a request, or None while its end has not come.

    Args:
        received: all that came.
        searched_bytes: what of it was there at the last search, which found nothing.
    """
    end = received.find(_END, max(0, searched_bytes - len(_END) + 1))
    if end < 0:
        return None
    text = bytes(received[: end + len(_END)])
    is_measured = _UNMEASURED.search(text) is None
    length = _LENGTH.search(text)
    forwarded = _FORWARDED.findall(text)
    body_bytes = 0 if length is None else int(length[1])
    return Head(
        request_bytes=len(text) + body_bytes if is_measured else None,
        is_probe=is_measured and not body_bytes and text.startswith(_PROBE),
        forwarded_for=forwarded[-1].rpartition(b",")[2].strip().decode("latin-1") if forwarded else None,
    )
