"""Form-encoded bodies: names and values as text, decoded as they were signed."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from cutgate.signing.errors import DuplicateName, FormRejected, TooManyValues
from cutgate.signing.jsontext import MAX_VALUES

_FIELD: Final = re.compile(b"[^&]+")
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
    raw = bytearray(body)
    del body  # of a large body there are two copies at a time, not three
    texts = _texts(raw)
    del raw
    return {name: FormText(texts.pop(name)) for name in tuple(texts)}


def _texts(raw: bytearray) -> dict[str, str]:
    texts: dict[str, str] = {}
    for position, field in enumerate(_FIELD.finditer(raw), start=1):
        start, end = field.span()
        equals = raw.find(b"=", start, end)
        name_end = end if equals < 0 else equals
        try:
            name, value = _decoded(raw, start, name_end), _decoded(raw, name_end + 1, end)
        except UnicodeDecodeError:
            raise FormRejected(position) from None
        if name in texts:
            raise DuplicateName(name)
        texts[name] = value
    return texts


def _decoded(raw: bytearray, start: int, end: int) -> str:
    """The text of a part, which is overwritten: it is decoded where it lies."""
    decoded_end = start
    for piece in unquoted(raw, start, end):
        raw[decoded_end : decoded_end + len(piece)] = piece
        decoded_end += len(piece)
    return str(memoryview(raw)[start:decoded_end], "utf-8")


def unquoted(raw: bytes | bytearray, start: int, end: int) -> Iterator[bytes]:
    """A part of a form in pieces: percent signs decoded, `+` as a space.

    `unquote_to_bytes` makes an object for each percent sign: in one go, a hostile body would take thirty times
    its own size. No piece parts a `%XX`.
    """
    while start < end:
        cut = min(start + _CHUNK_BYTES, end)
        escape = raw.find(b"%", cut - 2, cut) if cut < end else -1
        cut = cut if escape < 0 else escape
        yield unquote_to_bytes(bytes(raw[start:cut]).replace(b"+", b" "))
        start = cut
