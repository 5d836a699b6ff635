"""A picture as callers send it: a data URI or bare Base64, read leniently, turned into bytes; or a URL.

A text of many megabytes is not copied on the way, except to drop a data URI's head; one that is too long to be
held is decoded piece by piece.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from cutgate.jobs.errors import SourceTooLarge, SourceUnreadable
from cutgate.signing import LongText

SourceText: TypeAlias = str | LongText
"""A data URI or bare Base64."""

MAX_URL_CHARACTERS: Final = 2_048
"""The longest URL that is taken from outside."""
WEB_URL_FORM: Final = (
    "a URL is http:// or https:// with a host, without a user's name, "
    f"and has at most {MAX_URL_CHARACTERS} characters"
)
"""What a URL that is not taken should have been, as a sentence."""

_DATA_URI: Final = re.compile(r"\s*data:[^,]{0,512};base64,", re.IGNORECASE)
_LENIENT: Final = " \t\r\n\f\v-_"
_STRICT: Final = str.maketrans("-_", "+/", " \t\r\n\f\v")
_URL_SCHEME: Final = re.compile(r"\s*https?://", re.IGNORECASE)
_NOT_IN_URLS: Final = r"\s\x00-\x1f\x7f\ud800-\udfff"
_WEB_URL: Final = re.compile(rf"https?://[^{_NOT_IN_URLS}/?#@]+([/?#][^{_NOT_IN_URLS}]*)?", re.IGNORECASE)


def decode_source(text: SourceText, max_bytes: int) -> bytes:
    """Decode a picture; nothing is ever fetched.

    The media type of a data URI is ignored. The URL-safe alphabet, missing padding and white space are accepted.

    Args:
        text: the field as the caller sent it.
        max_bytes: the largest picture.

    Raises:
        SourceUnreadable: the text is not Base64; an address instead of a picture among others.
        SourceTooLarge: it decodes to more than `max_bytes`.
    """
    if isinstance(text, str):
        return _decode_whole(text, max_bytes)
    return _decode_pieces(text.chunks(), max_bytes)


def is_web_url(text: str) -> bool:
    """Whether a text has the form of `WEB_URL_FORM`; whether it may be called is decided when it is."""
    return len(text) <= MAX_URL_CHARACTERS and _WEB_URL.fullmatch(text) is not None


def _decode_whole(text: str, max_bytes: int) -> bytes:
    payload = _in_alphabet(_without_head(text))
    size_bytes = len(payload) * 3 // 4
    if size_bytes > max_bytes + 2:
        raise SourceTooLarge("bytes", size_bytes, max_bytes)
    data = _decode(_padded(payload))
    if len(data) > max_bytes:
        raise SourceTooLarge("bytes", len(data), max_bytes)
    return data


def _decode_pieces(chunks: Iterator[str], max_bytes: int) -> bytes:
    data, rest = io.BytesIO(), _in_alphabet(_without_head(next(chunks)))
    for chunk in chunks:
        # At least one character stays back, so that padding is seen at the end only.
        cut = max(len(rest) - 1, 0) // 4 * 4
        if "=" in rest[:cut]:
            raise _not_base64()
        data.write(_decode(rest[:cut]))
        if data.tell() > max_bytes:
            raise SourceTooLarge("bytes", data.tell(), max_bytes)
        rest = rest[cut:] + _in_alphabet(chunk)
    data.write(_decode(_padded(rest)))
    if data.tell() > max_bytes:
        raise SourceTooLarge("bytes", data.tell(), max_bytes)
    return data.getvalue()


def _without_head(text: str) -> str:
    """The payload of a data URI, or the text itself."""
    if _URL_SCHEME.match(text):
        raise SourceUnreadable("an address is not a picture; nothing is fetched")
    head = _DATA_URI.match(text)
    return text[head.end() :] if head else text


def _in_alphabet(payload: str) -> str:
    """Base64 in the standard alphabet and without white space."""
    # Eight searches for a character are far quicker than one for a set.
    return payload.translate(_STRICT) if any(character in payload for character in _LENIENT) else payload


def _padded(payload: str) -> str:
    missing = -len(payload) % 4
    return payload + "=" * missing if missing else payload


def _decode(payload: str) -> bytes:
    try:
        return binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        raise _not_base64() from None


def _not_base64() -> SourceUnreadable:
    return SourceUnreadable("the picture is not valid Base64")
