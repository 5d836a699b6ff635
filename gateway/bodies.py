"""Requests' bodies, received without a bound on how many arrive and with one on what they take of the memory.

A body goes to a temporary file once it is large, so that a slow upload costs no memory. It is read into memory
when there is room for it among the large ones that are being worked on: who sent it is known only after that.
A small one is received into the memory that it is parsed from.
"""

import io
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import IO, Final, Protocol, cast

from werkzeug.exceptions import HTTPException, RequestTimeout

from cutgate.jobs.errors import ServiceUnavailable

MEMORY_BYTES: Final = 2 * 2**20
"""A larger body goes to a temporary file; what may become larger than that takes room."""
ROOM_SECONDS: Final = 30.0
"""How long a body may wait for room; a client that waits longer has often given up."""
_CHUNK_BYTES: Final = 2**18
_WIDEST_CHARACTER_BYTES: Final = 4
"""What every character of a text takes in memory where one of them is beyond the Basic Multilingual Plane."""
_WIDE_ESCAPE: Final = re.compile(rb"%[89A-Fa-f]")
"""Of a form: what is no ASCII. Base64 needs the escapes of ASCII alone."""


def is_small(told_bytes: int | None) -> bool:
    """Whether a body of so many bytes stays in memory; None where the caller does not tell."""
    return told_bytes is not None and told_bytes <= MEMORY_BYTES


class TransferBroken(Exception):
    """The caller did not send the body that it began."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body that has arrived."""

    file: IO[bytes]
    """Its bytes, from the first one."""
    size_bytes: int
    is_plain: bool
    """Whether each of its characters takes one byte in memory: it is ASCII, without escapes for more."""


class Room:
    """Memory that is shared out by the byte, to whoever asks first."""

    def __init__(self, total_bytes: int) -> None:
        """Begin with all of it free."""
        self._total_bytes = self._left_bytes = total_bytes
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Take a part for a block, or all of it where that is not enough.

        Raises:
            ServiceUnavailable: it did not become free in time.
        """
        part_bytes = min(size_bytes, self._total_bytes)
        until_seconds = time.monotonic() + ROOM_SECONDS
        # One waits at a time: many small bodies do not keep a large one waiting for ever.
        if not self._turn.acquire(timeout=ROOM_SECONDS):
            raise _no_room()
        try:
            with self._freed:
                left_seconds = max(0.0, until_seconds - time.monotonic())
                if not self._freed.wait_for(lambda: self._left_bytes >= part_bytes, left_seconds):
                    raise _no_room()
                self._left_bytes -= part_bytes
        finally:
            self._turn.release()
        try:
            yield
        finally:
            with self._freed:
                self._left_bytes += part_bytes
                self._freed.notify_all()


@dataclass(frozen=True, slots=True)
class Bodies:
    """Receives the bodies of requests."""

    room: Room
    """For the large ones: while one is parsed it takes twice its size."""

    @contextmanager
    def received(self, stream: IO[bytes], told_bytes: int | None, *, is_text: bool = True) -> Iterator[Body]:
        """Receive a body, and keep its room for as long as the block works on what it says.

        Args:
            stream: ends where the body does.
            told_bytes: its size as the caller tells it; None or 0 where it does not.
            is_text: whether it is read as one text; else each of its bytes takes one in memory.

        Raises:
            TransferBroken: the stream ends before the body does, or is no HTTP.
            HTTPException: the body is too long or too slow, or the caller is gone.
            ServiceUnavailable: there was no space for it on disk, or no room in memory in time.
        """
        source = cast("_Source", stream)
        if told_bytes and is_small(told_bytes):
            received = _in_memory(source, told_bytes)
        else:
            received = self._in_file(source, told_bytes)
        with received as body:
            is_wide = is_text and not body.is_plain
            cost_bytes = body.size_bytes * _WIDEST_CHARACTER_BYTES if is_wide else body.size_bytes
            with self.room.taken(cost_bytes) if cost_bytes > MEMORY_BYTES else nullcontext():
                yield body

    @contextmanager
    def _in_file(self, source: "_Source", told_bytes: int | None) -> Iterator[Body]:
        is_plain, last = True, b""
        buffer = bytearray(_CHUNK_BYTES)
        with self._new_file(told_bytes) as file, memoryview(buffer) as place:
            while size_bytes := _read_into(source, place):
                part = bytes(place[:size_bytes])
                is_plain = is_plain and _is_plain(last + part[:1]) and _is_plain(part)
                last = part[-1:]
                with _storage_errors(file):
                    file.write(part)
            size_bytes = file.tell()
            with _storage_errors(file):
                file.seek(0)
            yield Body(file, size_bytes, is_plain)

    def _new_file(self, told_bytes: int | None) -> IO[bytes]:
        """Where a body arrives; a large one at once on disk, without having been in memory."""
        if not told_bytes:
            return tempfile.SpooledTemporaryFile(MEMORY_BYTES)
        try:
            return tempfile.TemporaryFile()
        except OSError as error:
            raise _not_stored(error) from error


class _Source(Protocol):
    def readinto(self, place: memoryview, /) -> int | None:
        """Fill a place from its beginning; 0 at the end."""


@contextmanager
def _in_memory(source: _Source, told_bytes: int) -> Iterator[Body]:
    """A body that is received where it stays: the system hands out the pages as bytes come."""
    file = io.BytesIO(bytes(told_bytes))
    size_bytes = 0
    with file.getbuffer() as place:
        while size_bytes < told_bytes and (came_bytes := _read_into(source, place[size_bytes:])):
            size_bytes += came_bytes
    file.truncate(size_bytes)
    yield Body(file, size_bytes, _is_plain(file.getvalue()))


def _is_plain(part: bytes) -> bool:
    # One byte is found many times as fast as two, or as a pattern.
    has_wide = (b"\\" in part and b"\\u" in part) or (b"%" in part and _WIDE_ESCAPE.search(part))
    return part.isascii() and not has_wide


def _read_into(source: _Source, place: memoryview) -> int:
    try:
        return source.readinto(place) or 0
    except HTTPException as error:
        if isinstance(error.__context__, TimeoutError):  # for werkzeug the caller is gone
            raise RequestTimeout from None
        raise
    except Exception as error:  # each server has its own errors for a body whose chunks are broken
        raise TransferBroken("the transfer of the body is broken") from error


@contextmanager
def _storage_errors(file: IO[bytes]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            file.close()  # which tries once more to write
        raise _not_stored(error) from error


def _not_stored(error: OSError) -> ServiceUnavailable:
    return ServiceUnavailable(f"a request's body cannot be stored: {error.strerror}")


def _no_room() -> ServiceUnavailable:
    return ServiceUnavailable("too many large requests at a time")
