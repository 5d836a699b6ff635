"""A request's body, received and parsed without holding its pictures.

A small body is held and parsed as it is. A larger one goes to a temporary file as it arrives; in there each long
plain string stays where it is, and a mark of a few characters takes its place in what the parser reads. So a body
costs memory for what it says beside its pictures, and the parser's rules hold for it all the same.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Final

from typing_extensions import override
from werkzeug.exceptions import HTTPException

from cutgate.gateway.picpik import faults
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.signing import JsonValue, LongText, parse_body, parse_form

Params = Mapping[str, JsonValue]

STORED_FROM_BYTES: Final = 2**16
"""Shorter strings are held."""

_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_PROBE_BYTES: Final = 1_024
_CHUNK_BYTES: Final = 2**20
_MAX_LITERALS: Final = 25_000
"""More names and values than the parser takes; behind so many nothing is left in the file."""
_LITERAL: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_PLAIN: Final = re.compile(rb'"[ !#-\[\]-~]*+(?:\\["\\/bfnrt][ !#-\[\]-~]*+)*+"')
"""A literal of printable ASCII, with escapes of one character: it can be decoded in pieces."""
_NAME_ENDS: Final = re.compile(rb"[ \t\r\n]*+:")
_BACKSLASH: Final = ord("\\")


@dataclass(frozen=True, slots=True)
class Body:
    """What a request says."""

    size_bytes: int
    """As it was sent."""
    params: Params


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """What may be held in memory."""

    memory_bytes: int
    """Larger bodies go to a temporary file."""
    held_bytes: int
    """The most that a body in a file may hold beside its long fields."""
    long_fields: frozenset[str]
    """Fields whose strings, or elements, may stay in the file."""


class StoredText(LongText):
    """A JSON string's text in an open file."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        """Point to the bytes between the quotes; `_PLAIN` has matched them."""
        self._descriptor, self._start, self._end = descriptor, start, end

    @property
    def size_bytes(self) -> int:
        """Its length in the file: of the text, or a little more where it has escapes."""
        return self._end - self._start

    @override
    def chunks(self) -> Iterator[str]:
        position = self._start
        while position < self._end:
            raw = self._read(position, min(_CHUNK_BYTES, self._end - position))
            if (len(raw) - len(raw.rstrip(b"\\"))) % 2:  # cut within an escape
                raw += self._read(position + len(raw), 1)
            position += len(raw)
            yield json.loads(b'"%b"' % raw) if _BACKSLASH in raw else raw.decode("ascii")

    def _read(self, position: int, size_bytes: int) -> bytes:
        raw = os.pread(self._descriptor, size_bytes, position)
        if not raw:
            raise ServiceUnavailable("a temporary file is shorter than it was")
        return raw

    def __repr__(self) -> str:
        return f"StoredText({self.size_bytes} bytes)"


@contextmanager
def received(stream: IO[bytes], limits: BodyLimits, *, is_form: bool) -> Iterator[Body]:
    """Receive a body and parse it: JSON if it looks like an object, else a form if it is called one.

    Args:
        stream: ends where the body does.
        limits: what may be held.
        is_form: whether the request says that it is a form.

    Yields:
        The body, whose long texts can be read until the block ends.

    Raises:
        BodyNotReadable: it is neither, or its transfer is broken.
        BodyTooLarge: it holds too much beside its long fields.
        BodyRejected: it is one of them, but broken.
        HTTPException: it is too long, or the caller is gone.
        ServiceUnavailable: the temporary file cannot be written.
    """
    beginning = io.BytesIO()
    _copy(stream, beginning, limits.memory_bytes + 1)
    if beginning.tell() <= limits.memory_bytes:
        size_bytes, params = beginning.tell(), _parse(beginning.getvalue(), is_form=is_form)
        beginning.close()
        yield Body(size_bytes, params)
        return
    with ExitStack() as files:
        with _storage_errors():
            file = files.enter_context(tempfile.TemporaryFile())
            file.write(beginning.getbuffer())
            beginning = io.BytesIO()
            _copy(stream, file)
            file.flush()
        size_bytes = file.tell()
        yield Body(size_bytes, _parse_file(file, limits, is_form=is_form))


def _copy(source: IO[bytes], target: IO[bytes], at_most_bytes: int | None = None) -> None:
    """Copy until the end, or until so many bytes."""
    left_bytes = at_most_bytes
    while left_bytes is None or left_bytes > 0:
        wanted = _CHUNK_BYTES if left_bytes is None else min(_CHUNK_BYTES, left_bytes)
        chunk = _read(source, wanted)
        if not chunk:
            return
        target.write(chunk)
        if left_bytes is not None:
            left_bytes -= len(chunk)


def _read(source: IO[bytes], size_bytes: int) -> bytes:
    try:
        return source.read(size_bytes)
    except HTTPException:
        raise
    except Exception as error:  # each server has its own errors for a body whose chunks are broken
        raise faults.BodyNotReadable from error


def _parse(body: bytes, *, is_form: bool) -> Params:
    if _looks_like_an_object(body[:_PROBE_BYTES]):
        return parse_body(body)
    if is_form:
        return parse_form(body)
    raise faults.BodyNotReadable


def _looks_like_an_object(beginning: bytes) -> bool:
    return beginning.lstrip(_BLANK).startswith(b"{")


def _parse_file(file: IO[bytes], limits: BodyLimits, *, is_form: bool) -> Params:
    texts: dict[str, StoredText] = {}
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        is_json = _looks_like_an_object(content[:_PROBE_BYTES])
        spans = _long_values(content) if is_json else []
        if len(content) - sum(end - start for start, end in spans) > limits.held_bytes:
            raise faults.BodyTooLarge
        body = _marked(content, spans, file.fileno(), texts)
    return _Restoring(texts, limits, len(body)).members(_parse(body, is_form=is_form))


def _long_values(content: mmap.mmap) -> list[tuple[int, int]]:
    """Where the long plain values lie, quotes included; names are not among them."""
    return [
        (start, end)
        for start, end in _literals(content)
        if end - start >= STORED_FROM_BYTES
        and not _NAME_ENDS.match(content, end)
        and _PLAIN.fullmatch(content, start, end)
    ]


def _marked(
    content: mmap.mmap, spans: list[tuple[int, int]], descriptor: int, texts: dict[str, StoredText]
) -> bytes:
    """The body with a mark in the place of each span; `texts` then knows each by its mark."""
    secret, pieces, position = secrets.token_hex(), [], 0
    for start, end in spans:
        mark = f"{secret}{len(texts)}"
        texts[mark] = StoredText(descriptor, start + 1, end - 1)
        pieces += [content[position:start], b'"%b"' % mark.encode("ascii")]
        position = end
    return b"".join([*pieces, content[position:]])


def _literals(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where strings begin and end, quotes included, in their order; up to a bound, or to where it is not JSON."""
    end = 0
    for _ in range(_MAX_LITERALS):
        start = content.find(b'"', end)
        end = content.find(b'"', start + 1) + 1
        if start < 0 or not end:
            return
        if content[end - 2] == _BACKSLASH:
            literal = _LITERAL.match(content, start)
            if literal is None:
                return
            end = literal.end()
        yield start, end


class _Restoring:
    """Puts texts back where their marks stand: long fields as they lie in the file, all others as strings."""

    def __init__(self, texts: Mapping[str, StoredText], limits: BodyLimits, used_bytes: int) -> None:
        self._texts, self._long_fields = texts, limits.long_fields
        self._left_bytes = limits.held_bytes - used_bytes

    def members(self, params: Params) -> Params:
        """Every parameter, restored."""
        return {
            name: self._value(value, stays=name.partition(".")[0] in self._long_fields)
            for name, value in params.items()
        }

    def _value(self, value: JsonValue, *, stays: bool) -> JsonValue:
        if isinstance(value, list):
            return [self._value(element, stays=stays) for element in value]
        if isinstance(value, dict):
            return {name: self._value(member, stays=False) for name, member in value.items()}
        if not isinstance(value, str) or value not in self._texts:
            return value
        text = self._texts[value]
        return text if stays else self._held(text)

    def _held(self, text: StoredText) -> str:
        self._left_bytes -= text.size_bytes
        if self._left_bytes < 0:
            raise faults.BodyTooLarge
        return "".join(text.chunks())


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Turn an error of the file system into `ServiceUnavailable`; the stream that is copied raises none."""
    try:
        yield
    except OSError as error:
        raise ServiceUnavailable(f"a request's body cannot be stored: {error.strerror}") from error
