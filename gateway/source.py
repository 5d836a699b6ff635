"""A picture as callers send it: a data URI or bare Base64, read leniently, turned into bytes."""

from __future__ import annotations

import binascii
import re
from typing import Final

from jobs.errors import SourceTooLarge, SourceUnreadable

_DATA_URI: Final = re.compile(r"\s*data:[^,]{0,512};base64,", re.IGNORECASE)
_WHITE: Final = re.compile(r"[ \t\r\n\f\v]+")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_URL_SCHEME: Final = re.compile(r"\s*https?://", re.IGNORECASE)


def decode_source(text: str, max_bytes: int) -> bytes:
    """Decode a picture; nothing is ever fetched.

    The media type of a data URI is ignored. The URL-safe alphabet, missing padding and white space are accepted.
    A regular text of 40 MB is not copied on the way except to drop a data URI's head.

    Args:
        text: the field as the caller sent it.
        max_bytes: the largest picture.

    Raises:
        SourceUnreadable: the text is not Base64; an address instead of a picture among others.
        SourceTooLarge: it decodes to more than `max_bytes`.
    """
    if _URL_SCHEME.match(text):
        raise SourceUnreadable("an address is not a picture; nothing is fetched")
    payload = _alphabet_only(text)
    size = len(payload) * 3 // 4
    if size > max_bytes + 2:
        raise SourceTooLarge("bytes", size, max_bytes)
    try:
        data = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        raise SourceUnreadable("the picture is not valid Base64") from None
    if len(data) > max_bytes:
        raise SourceTooLarge("bytes", len(data), max_bytes)
    return data


def _alphabet_only(text: str) -> str:
    """The Base64 text in the standard alphabet, padded, without white space; a data URI's head is cut off."""
    head = _DATA_URI.match(text)
    payload = text[head.end() :] if head else text
    if _WHITE.search(payload):
        payload = _WHITE.sub("", payload)
    if "-" in payload or "_" in payload:
        payload = payload.translate(_URL_SAFE)
    missing = -len(payload) % 4
    return payload + "=" * missing if missing else payload
