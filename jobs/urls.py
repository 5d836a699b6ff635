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
_NAME: Final = re.compile(
    r"(?P<key>[^.]*)(\.(?P<percent>0|[1-9][0-9]?|100))?(?P<none>\.none)?\.(?P<extension>[a-z]+)"
)
"""The blob's key, the confidence, and a mark of a result in which no subject was found."""
_SECONDS: Final = re.compile(r"0|[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a result's path says of the result."""

    blob: BlobKey
    media_type: str
    subject_found: bool
    confidence: float | None = None


class ResultPaths:
    """Makes and checks paths `/r/<mac>/<expires>/<blob key>.<confidence in percent>[.none].<extension>`.

    A path says all that is told of a result, so that serving one takes no look into the ledger. The MAC is
    HMAC-SHA256, cut to 128 bits, over everything behind it. Its key is derived from the first master key, so that
    it signs nothing else; paths that others of the master keys have signed count, too.
    """

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(key, b"cutgate result paths v1", hashlib.sha256) for key in master_keys]

    def path(self, picture: Result | Upload, expires_at_seconds: int) -> str:
        """The path of a picture, valid until the given Unix time."""
        result = picture.as_result() if isinstance(picture, Upload) else picture
        tail = _tail(expires_at_seconds, result)
        return f"/r/{_mac(self._keys[0], tail)}/{tail}"

    def open(self, mac: str, expires: str, name: str, now_seconds: float) -> Address | None:
        """Check the parts of a path; they may hold anything at all.

        Returns:
            What is stored there; None when the path was altered or has expired.
        """
        said = _NAME.fullmatch(name)
        if said is None or not _SECONDS.fullmatch(expires) or said["extension"] not in _MEDIA_TYPES:
            return None
        try:
            key = BlobKey.parse(said["key"])
        except ValueError:
            return None
        address = Address(
            blob=key,
            media_type=_MEDIA_TYPES[said["extension"]],
            subject_found=said["none"] is None,
            confidence=None if said["percent"] is None else int(said["percent"]) / 100,
        )
        # Signed is what was understood, not what was sent: the parts cannot be cut in another place.
        tail = _tail(int(expires), address)
        if not mac.isascii() or not any(hmac.compare_digest(mac, _mac(key, tail)) for key in self._keys):
            return None
        if int(expires) <= now_seconds:
            return None
        return address

    def __repr__(self) -> str:
        return "ResultPaths(<key>)"


def _tail(expires_at_seconds: int, address: Address | Result) -> str:
    """What the MAC is over."""
    confidence = "" if address.confidence is None else f".{round(100 * address.confidence)}"
    found = "" if address.subject_found else ".none"
    return f"{expires_at_seconds}/{address.blob}{confidence}{found}.{_EXTENSIONS[address.media_type]}"


def _mac(key: bytes, tail: str) -> str:
    digest = hmac.digest(key, tail.encode(), hashlib.sha256)[:16]
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
