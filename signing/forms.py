"""Form-encoded bodies: names and values as text, decoded as they were signed."""

import re
from binascii import a2b_qp
from collections.abc import Iterator
from itertools import islice
from typing import Final

from cutgate.signing.errors import DuplicateName, FormRejected, TooManyValues
from cutgate.signing.jsontext import MAX_VALUES

_FIELD: Final = re.compile(b"[^&]+")
_STRAY: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_QUOTED_PRINTABLE: Final = bytes.maketrans(b"%+", b"= ")
_CHUNK_BYTES: Final = 1 << 12
MAX_NAME_BYTES: Final = 1024
MAX_STRAY_PERCENTS: Final = 1000
"""Percent signs of a form that stand for themselves. No client sends any, and each costs a search."""


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
        FormRejected: a name or value is not UTF-8, a name is too long, or there are too many stray percent signs.
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
    for position, field in enumerate(form_fields(raw), start=1):
        try:
            name, value = (str(part, "utf-8") for part in field)
        except UnicodeDecodeError:
            raise FormRejected(position, "is not UTF-8") from None
        if name in texts:
            raise DuplicateName(name)
        texts[name] = value
    return texts


def form_fields(raw: bytearray) -> Iterator[tuple[memoryview, memoryview]]:
    """The names and values of a form, percent signs decoded and `+` as a space.

    Args:
        raw: the body, which is overwritten: each part is decoded where it lies, and shown there.

    Raises:
        FormRejected: a name is too long, or there are too many stray percent signs.
    """
    decoder = _Decoder(raw)
    for position, field in enumerate(_FIELD.finditer(raw), start=1):
        start, end = field.span()
        equals = raw.find(b"=", start, end)
        name_end = end if equals < 0 else equals
        if name_end - start > MAX_NAME_BYTES:
            raise FormRejected(position, f"has a name of more than {MAX_NAME_BYTES} bytes")
        parts = decoder.decode(start, name_end), decoder.decode(name_end + 1, end)
        if decoder.stray_count > MAX_STRAY_PERCENTS:
            raise FormRejected(position, "has too many percent signs that are no escapes")
        yield parts


class _Decoder:
    """Decodes parts of a form where they lie.

    `urllib.parse` makes an object for each percent sign: thirty times the size of a hostile body, and fifty
    milliseconds of a processor for a MiB. What quoted-printable has for them is compiled.
    """

    def __init__(self, raw: bytearray) -> None:
        self._raw, self._view = raw, memoryview(raw)
        self.stray_count = 0

    def decode(self, start: int, end: int) -> memoryview:
        """A part; what is left of it once there are too many stray percent signs is not looked at."""
        decoded_start = decoded_end = start
        while start < end and self.stray_count <= MAX_STRAY_PERCENTS:
            cut = min(start + _CHUNK_BYTES, end)
            escape = self._raw.find(b"%", cut - 2, cut) if cut < end else -1
            cut = cut if escape < 0 else escape  # no chunk parts a `%XX`
            piece = self._unquoted(bytes(self._view[start:cut]))
            self._raw[decoded_end : decoded_end + len(piece)] = piece
            decoded_end += len(piece)
            start = cut
        return self._view[decoded_start:decoded_end]

    def _unquoted(self, piece: bytes) -> bytes:
        if b"%" not in piece:
            return piece.replace(b"+", b" ")
        decoded = _as_quoted_printable(piece)
        is_whole = len(decoded) == len(piece) - 2 * piece.count(b"%")
        if is_whole and b"%\n" not in piece and b"%\r" not in piece:
            return decoded
        # A stray percent sign would swallow a line's end, or another one.
        strays = islice(_STRAY.finditer(piece), MAX_STRAY_PERCENTS + 1)
        self.stray_count += sum(1 for _ in strays)
        return _as_quoted_printable(_STRAY.sub(b"%25", piece, count=MAX_STRAY_PERCENTS))


def _as_quoted_printable(piece: bytes) -> bytes:
    return a2b_qp(piece.replace(b"=", b"%3D").translate(_QUOTED_PRINTABLE))
