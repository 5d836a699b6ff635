"""Fields that hold pictures, and their content."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.gateway.removebg.errors import Refused, failure
from cutgate.gateway.removebg.forms import SOURCES, Fields
from cutgate.gateway.settings import ENVELOPE_BYTES
from cutgate.gateway.tasks.drafts import InspectedPicture, Source, SourceUrl
from cutgate.gateway.web_url import is_web_url
from cutgate.jobs.errors import SourceRejected
from cutgate.jobs.limits import SourceLimits

MAX_PICTURE_BYTES: Final = 22 * 2**20
"""Largest picture of the protocol: remove.bg's own limit."""
MAX_BODY_BYTES: Final = MAX_PICTURE_BYTES * 5 // 2 + ENVELOPE_BYTES
"""A picture in Base64, its signs escaped, and one behind it."""
_BACKGROUNDS: Final = ("bg_image_file", "bg_image_url")
_COLOUR: Final = "bg_color"


def picture_limits(limits: SourceLimits) -> SourceLimits:
    """What pictures of the protocol may be, where the service takes pictures within `limits`."""
    return replace(limits, max_bytes=min(limits.max_bytes, MAX_PICTURE_BYTES))


@dataclass(frozen=True, slots=True)
class Sources:
    """Finds the pictures of a request."""

    limits: SourceLimits

    @staticmethod
    def check(given: Mapping[str, object]) -> None:
        """Make sure that there is one picture, and no more than one thing behind it."""
        sources = sum(name in given for name in SOURCES)
        if sources != 1:
            raise Refused("multiple_sources" if sources else "missing_source")
        if sum(name in given for name in (*_BACKGROUNDS, _COLOUR)) > 1:
            raise Refused("multiple_bg_sources")

    def picture(self, given: Fields) -> InspectedPicture | SourceUrl:
        """The picture, which is taken away from the fields."""
        return self._taken(given, next(name for name in SOURCES if name in given))

    def background(self, given: Fields) -> Source | None:
        """The picture behind the subject, which is taken away, too; None where there is none."""
        name = next((name for name in _BACKGROUNDS if name in given), None)
        return None if name is None else self._taken(given, name)

    def _taken(self, given: Fields, name: str) -> InspectedPicture | SourceUrl:
        if name.endswith("_url"):
            value = given.pop(name)
            if not isinstance(value, str) or not is_web_url(value.strip()):
                raise Refused(f"invalid_{name}")
            return SourceUrl(value.strip())
        try:
            return InspectedPicture.of(self._bytes_of(given, name), self.limits)
        except SourceRejected as error:
            # Under a second name the error would keep the picture: its frames would refer to it, and it to them.
            raise failure((error.of_background() if name in _BACKGROUNDS else error).facts()) from None

    def _bytes_of(self, given: Fields, name: str) -> bytes:
        value = given.pop(name)
        if name.endswith("_b64"):
            # Each byte is one character, so that the text takes no more than it; no Base64 has others.
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            del value
            # What is not escaped in a form reads as spaces.
            return decode_source(text.strip().replace(" ", "+"), self.limits.max_bytes)
        if not isinstance(value, bytes):
            raise Refused("invalid_file_type", f"{name} is a file: send it as multipart/form-data.")
        return value
