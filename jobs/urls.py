"""Paths under which pictures can be fetched without a key: signed, with an expiry, the same in every poll."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cutgate.jobs.ids import BlobKey
from cutgate.jobs.record import Result, Upload

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
_NO_SUBJECT: Final = ".none"
"""Stands before the extension of a result in which no subject was found."""
_SECONDS: Final = re.compile(r"0|[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a result's path says of the result."""

    blob: BlobKey
    media_type: str
    subject_found: bool


class ResultPaths:
    """Makes and checks paths `/r/<mac>/<expires>/<blob key>.<extension>`, or `….none.<extension>`.

    A path says all that is told of a result, so that serving one takes no look into the ledger. The MAC is
    HMAC-SHA256, cut to 128 bits, over everything behind it. Its key is derived from the first master key, so that
    it signs nothing else; paths that others of the master keys have signed count, too.
    """

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(key, b"cutgate result paths v1", hashlib.sha256) for key in master_keys]

    def path(self, picture: Result | Upload, expires_at_seconds: int) -> str:
        """The path of a picture, valid until the given Unix time."""
        subject_found = isinstance(picture, Upload) or picture.subject_found
        extension = _EXTENSIONS[picture.media_type]
        tail = _tail(expires_at_seconds, picture.blob, extension, subject_found=subject_found)
        return f"/r/{_mac(self._keys[0], tail)}/{tail}"

    def open(self, mac: str, expires: str, name: str, now_seconds: float) -> Address | None:
        """Check the parts of a path; they may hold anything at all.

        Returns:
            What is stored there; None when the path was altered or has expired.
        """
        stem, _, extension = name.rpartition(".")
        if not _SECONDS.fullmatch(expires) or extension not in _MEDIA_TYPES:
            return None
        subject_found = not stem.endswith(_NO_SUBJECT)
        try:
            key = BlobKey.parse(stem.removesuffix(_NO_SUBJECT))
        except ValueError:
            return None
        # Signed is what was understood, not what was sent: the parts cannot be cut in another place.
        tail = _tail(int(expires), key, extension, subject_found=subject_found)
        if not mac.isascii() or not any(hmac.compare_digest(mac, _mac(key, tail)) for key in self._keys):
            return None
        if int(expires) <= now_seconds:
            return None
        return Address(blob=key, media_type=_MEDIA_TYPES[extension], subject_found=subject_found)

    def __repr__(self) -> str:
        return "ResultPaths(<key>)"


def _tail(expires_at_seconds: int, blob: BlobKey, extension: str, *, subject_found: bool) -> str:
    """What the MAC is over."""
    return f"{expires_at_seconds}/{blob}{'' if subject_found else _NO_SUBJECT}.{extension}"


def _mac(key: bytes, tail: str) -> str:
    digest = hmac.digest(key, tail.encode(), hashlib.sha256)[:16]
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
