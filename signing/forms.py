"""Form-encoded bodies: names and values as text, decoded as they were signed."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from cutgate.signing.errors import DuplicateName, FormRejected, TooManyValues
from cutgate.signing.jsontext import MAX_VALUES

_CHUNK_BYTES: Final = 1 << 16


class FormText(str):
    """A value of a form, in which numbers and booleans are text as well.

    It is a `str`, and stays one wherever it is moved to, so a reader of the parameters can tell that `15` here may
    be a number while the JSON string `"15"` may not.
    """

    __slots__ = ()


def parse_form(body: bytes) -> dict[str, FormText]:
    """Read an `application/x-www-form-urlencoded` body: percent signs decoded, `+` as a space.

    Args:
        body: fields parted by `&`, in UTF-8; a field without `=` has an empty value. A percent sign that two hex
            digits do not follow stands for itself.

    Raises:
        DuplicateName: a name stands twice.
        FormRejected: a name or value is not UTF-8.
        TooManyValues: there are more fields than a JSON body may have values.
    """
    if body.count(b"&") >= MAX_VALUES:
        raise TooManyValues(MAX_VALUES)
    fields: dict[str, FormText] = {}
    for position, field in enumerate(filter(None, body.split(b"&")), start=1):
        raw_name, _, raw_value = field.partition(b"=")
        try:
            name, value = _decoded(raw_name), _decoded(raw_value)
        except UnicodeDecodeError:
            raise FormRejected(position) from None
        if name in fields:
            raise DuplicateName(name)
        fields[name] = FormText(value)
    return fields


def _decoded(raw: bytes) -> str:
    return b"".join(map(unquote_to_bytes, _chunks(raw.replace(b"+", b" ")))).decode()


def _chunks(raw: bytes) -> Iterator[bytes]:
    """Cut without parting a `%XX`.

    `unquote_to_bytes` makes an object for each percent sign: in one go, a hostile body would take thirty times
    its own size.
    """
    start = 0
    while start < len(raw):
        end = start + _CHUNK_BYTES
        escape = raw.find(b"%", end - 2, end)
        end = end if escape < 0 else escape
        yield raw[start:end]
        start = end
