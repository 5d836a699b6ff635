"""Paths under which pictures can be fetched without a key: signed, with an expiry, the same in every poll."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from jobs.ids import BlobKey
from jobs.record import Result
from jobs.uploads import Upload

_EXTENSIONS: Final = {
    "image/png": "png",
    "image/webp": "webp",
    "image/jpeg": "jpg",
    "application/zip": "zip",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/tiff": "tif",
}
"""Of results, and of the pictures that are kept: nothing that a browser would run."""
_MEDIA_TYPES: Final = {extension: media_type for media_type, extension in _EXTENSIONS.items()}
_SECONDS: Final = re.compile(r"0|[1-9][0-9]{0,14}")


class ResultPaths:
    """Makes and checks paths `/r/<mac>/<expires>/<blob key>.<extension>`.

    The MAC is HMAC-SHA256, cut to 128 bits, over everything behind it. Its key is derived from the master key, so
    that it signs nothing else.
    """

    def __init__(self, master_key: bytes) -> None:
        self._key = hmac.digest(master_key, b"keycut result paths v1", hashlib.sha256)

    def path(self, result: Result | Upload, expires_at_seconds: int) -> str:
        """The path of a picture, valid until the given Unix time."""
        tail = f"{expires_at_seconds}/{result.blob}.{_EXTENSIONS[result.media_type]}"
        return f"/r/{self._mac(tail)}/{tail}"

    def open(self, mac: str, expires: str, name: str, now_seconds: float) -> tuple[BlobKey, str] | None:
        """Check the parts of a path; they may hold anything at all.

        Returns:
            The blob's key and its media type; None when the path was altered or has expired.
        """
        stem, _, extension = name.rpartition(".")
        if not _SECONDS.fullmatch(expires) or extension not in _MEDIA_TYPES:
            return None
        try:
            key = BlobKey.parse(stem)
        except ValueError:
            return None
        # Signed is what was understood, not what was sent: the parts cannot be cut in another place.
        tail = f"{int(expires)}/{key}.{extension}"
        if not mac.isascii() or not hmac.compare_digest(mac, self._mac(tail)):
            return None
        if int(expires) <= now_seconds:
            return None
        return key, _MEDIA_TYPES[extension]

    def _mac(self, tail: str) -> str:
        digest = hmac.digest(self._key, tail.encode(), hashlib.sha256)[:16]
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

    def __repr__(self) -> str:
        return "ResultPaths(<key>)"
