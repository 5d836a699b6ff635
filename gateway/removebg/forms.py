"""Bodies of requests, in the three forms that the protocol has, as fields by name."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Final

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header

from cutgate.gateway.form_parts import MOST_FIELDS, multipart
from cutgate.gateway.openapi.parts import MULTIPART, URLENCODED
from cutgate.gateway.removebg.errors import ROWS, Refused
from cutgate.signing import BodyRejected, form_fields, parse_value

_JSON: Final = "application/json"

SOURCES: Final = ("image_file", "image_file_b64", "image_url")
"""Fields of which one names the picture."""
_UPLOADS: Final = SOURCES[:2]
PICTURES: Final = ("image_file", "image_file_b64", "bg_image_file")
"""Fields that hold pictures; as they came, since they may be large."""
Fields = dict[str, object]


def read_fields(file: IO[bytes], content_type: str | None) -> Fields:
    """The fields of a body: texts, and what else JSON has; of a form each of `PICTURES` in bytes.

    Those that are absent, empty or null are left out; of two of a name the first counts.
    """
    media_type, parameters = parse_options_header(content_type)
    try:
        if media_type == MULTIPART:
            found: Mapping[str, object] = _by_name(multipart(file, parameters.get("boundary", "")))
        elif media_type == URLENCODED:
            found = _by_name(_urlencoded(file))
        elif media_type == _JSON or media_type.endswith("+json"):
            found = _json(file)
        else:
            found = {}
    except (ValueError, BodyRejected, RequestEntityTooLarge):
        raise Refused("invalid_request", f"The body cannot be read as {media_type}.") from None
    sent = {name: value for name, value in found.items() if value is not None and value not in ("", b"")}
    if not any(name in sent for name in SOURCES):
        for name in _UPLOADS:
            if found.get(name) in ("", b""):
                reason = f"The picture in {name} is empty (0 bytes). {ROWS['missing_source'].detail}"
                raise Refused("missing_source", reason)
    return sent


def _json(file: IO[bytes]) -> Mapping[str, object]:
    # The parser of signed bodies bounds depth and number of values.
    found = parse_value(file.read().decode("utf-8-sig"))
    if not isinstance(found, dict):
        raise Refused("invalid_request", "Send one JSON object.")
    return found


def _urlencoded(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    body = bytearray(file.read())
    if body.count(b"&") >= MOST_FIELDS:
        raise ValueError("too many fields")
    for name, value in form_fields(body):
        yield str(name, "utf-8"), bytes(value)


def _by_name(parts: Iterable[tuple[str, bytes]]) -> Fields:
    found: Fields = {}
    for name, data in parts:
        found.setdefault(name, data if name in PICTURES else data.decode("utf-8", "replace"))
    return found
