"""A picture as callers send it: a data URI or bare Base64, read leniently, turned into bytes.

A text of many megabytes is not copied on the way, except to drop a data URI's head.
"""

import re
from typing import Final

import pybase64

from cutgate.jobs.errors import SourceRejected, SourceTooLarge, SourceUnreadable

_HEAD: Final = re.compile(r"\s*+(?:(https?://)|data:[^,]{0,512};base64,)", re.IGNORECASE)
"""What stands in front of a payload; white space is run over once, as there may be megabytes of it."""
_STANDARD: Final = str.maketrans("-_", "+/", " \t\r\n\f\v")
_NOT_STANDARD: Final = re.compile(r"[-_ \t\r\n\f\v]")


def decode_source(text: str, max_bytes: int) -> bytes:
    """Decode a picture; nothing is ever fetched.

    The media type of a data URI is ignored. The URL-safe alphabet, missing padding and white space are accepted.

    Raises:
        SourceUnreadable: the text is not Base64; an address instead of a picture among others.
        SourceTooLarge: it decodes to more than `max_bytes`.
    """
    payload = _without_head(text)
    try:
        return _decode(payload, max_bytes)
    except SourceRejected:
        # As standard as most are, it would have been accepted. Other than ASCII is no Base64, and slow.
        if not payload.isascii() or not _NOT_STANDARD.search(payload):
            raise
    standard = payload.translate(_STANDARD)
    return _decode(standard, max_bytes)


def _without_head(text: str) -> str:
    """The payload of a data URI, or the text itself."""
    head = _HEAD.match(text)
    if head and head[1]:
        raise SourceUnreadable("an address is not a picture; nothing is fetched")
    return text[head.end() :] if head else text


def _padded(payload: str) -> str:
    """With the padding that was left out. The decoder lets more of it pass than the last group lacks."""
    tail = payload[-3:]
    padding = len(tail) - len(tail.rstrip("="))
    if padding > min(2, -(len(payload) - padding) % 4):
        raise _not_base64()
    missing = -len(payload) % 4
    return payload + "=" * missing if missing else payload


def _decode(payload: str, max_bytes: int) -> bytes:
    """Decode Base64 in the standard alphabet and without white space."""
    size_bytes = len(payload) * 3 // 4
    if size_bytes > max_bytes + 2:
        raise SourceTooLarge("bytes", size_bytes, max_bytes)
    try:
        data = pybase64.b64decode(_padded(payload), validate=True)
    except ValueError:
        raise _not_base64() from None
    if len(data) > max_bytes:
        raise SourceTooLarge("bytes", len(data), max_bytes)
    return data


def _not_base64() -> SourceUnreadable:
    return SourceUnreadable("the picture is not valid Base64")
