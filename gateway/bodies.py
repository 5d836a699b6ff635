"""Requests' bodies: the event loop receives them, within a budget of bytes, and a request thread reads them.

A body lies in memory while it is small and memory is left, and in a temporary file otherwise: a slow upload costs
no thread and little memory. It is read into memory when there is room for it among the large ones that are being
worked on, since who sent it is known only after that.
"""

import asyncio
import io
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import IO, Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from cutgate.gateway.settings import per_address
from cutgate.jobs.errors import ServiceUnavailable

MEMORY_BYTES: Final = 2 * 2**20
"""A larger body goes to a temporary file; what may become larger than that takes room."""
ARRIVING_BYTES: Final = 64 * 2**20
"""Memory for all bodies that arrive; what finds none left goes to a file, however small it is."""
ROOM_SECONDS: Final = 30.0
"""How long a body may wait for room; a client that waits longer has often given up."""
BODY: Final = "cutgate.body"
"""Name of the request's `Spool` in its environment; absent where there is no body."""
_WIDEST_CHARACTER_BYTES: Final = 4
"""What every character of a text takes in memory where one of them is beyond the Basic Multilingual Plane."""
_WIDE_ESCAPE: Final = re.compile(rb"%[89A-Fa-f]")
"""Of a form: what is no ASCII. Base64 needs the escapes of ASCII alone."""


def is_small(told_bytes: int | None) -> bool:
    """Whether a body of so many bytes stays in memory; None where the caller does not tell."""
    return told_bytes is not None and told_bytes <= MEMORY_BYTES


class BodyWanted(BaseException):
    """A view asks for a body that has not come: it is called again when it has.

    No façade takes it for an error of the request, as it is no `Exception`.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        super().__init__()
        self.limit_bytes = limit_bytes


class Spool:
    """A body that arrives. Used by the loop's thread until it is whole."""

    def __init__(self, inbox: "Inbox", client: str | None, told_bytes: int, drop: Callable[[], None]) -> None:
        """Begin with nothing.

        Args:
            inbox: what it shares with the others.
            client: who it is counted for.
            told_bytes: its size as the caller tells it; 0 where it does not.
            drop: ends its connection, if the inbox needs its bytes.
        """
        self._inbox, self.client, self.drop = inbox, client, drop
        self._is_told_large = told_bytes > MEMORY_BYTES
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._last = b""
        self.size_bytes = 0
        #: Whether each of its characters takes one byte in memory: it is ASCII, without escapes for more.
        self.is_plain = True
        #: Whether all of it has come.
        self.is_whole = False
        #: What is in the way of that, for the view to raise.
        self.fault: Exception | None = None

    @property
    def is_in_file(self) -> bool:
        """Whether it takes space on disk."""
        return self._file is not None

    def add(self, part: bytes) -> None:
        """Take in what has come.

        Raises:
            ServiceUnavailable: there is no space for it.
        """
        self.is_plain = self.is_plain and _is_plain(self._last + part[:1]) and _is_plain(part)
        self._last = part[-1:]
        if self._file is None and self._stays_in_memory(len(part)):
            self._parts.append(part)
        else:
            self._write(part)
        self.size_bytes += len(part)

    def open(self) -> IO[bytes]:
        """The whole body, from its beginning."""
        if self._file is None:
            if len(self._parts) != 1:
                self._parts = [b"".join(self._parts)]
            return io.BytesIO(self._parts[0])
        with _storage_errors(self._file):
            self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Let go of it."""
        self._parts.clear()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._inbox.leave(self)

    def _stays_in_memory(self, more_bytes: int) -> bool:
        is_large = self._is_told_large or self.size_bytes + more_bytes > MEMORY_BYTES
        return not is_large and self._inbox.take_memory(self, more_bytes)

    def _write(self, part: bytes) -> None:
        if self._file is None:
            self._inbox.take_disk(self, self.size_bytes)
            try:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 — closed with the spool
            except OSError as error:
                raise _not_stored(error) from error
            for earlier in self._parts:
                self._append(self._file, earlier)
            self._parts.clear()
        self._inbox.take_disk(self, len(part))
        self._append(self._file, part)

    @staticmethod
    def _append(file: IO[bytes], part: bytes) -> None:
        view = memoryview(part)
        with _storage_errors(file):
            while view:
                view = view[file.write(view) :]


class Inbox:
    """What arriving bodies may take together, and each client of it. Used by the loop's thread."""

    def __init__(self, disk_bytes: int) -> None:
        self._share_bytes = per_address(disk_bytes)
        self._memory: dict[Spool, int] = {}
        self._disk: dict[str | None, dict[Spool, int]] = {}
        self._memory_left_bytes, self._disk_left_bytes = ARRIVING_BYTES, disk_bytes
        self._left = asyncio.Event()

    def take_memory(self, spool: Spool, size_bytes: int) -> bool:
        """Take memory if there is some."""
        if size_bytes > self._memory_left_bytes:
            return False
        self._memory_left_bytes -= size_bytes
        self._memory[spool] = self._memory.get(spool, 0) + size_bytes
        return True

    def take_disk(self, spool: Spool, size_bytes: int) -> None:
        """Take space on disk, where none is left from the client that has most: not from the spool's own."""
        while size_bytes > self._disk_left_bytes:
            most = max(self._disk.values(), key=lambda spools: sum(spools.values()), default={})
            last = next((one for one in reversed(most) if not one.is_whole), spool)
            if last.client == spool.client:
                raise ServiceUnavailable("too many request bodies arrive at a time")
            last.drop()
            self.leave(last)
        own = self._disk.setdefault(spool.client, {})
        own[spool] = own.get(spool, 0) + size_bytes
        self._disk_left_bytes -= size_bytes
        self._memory_left_bytes += self._memory.pop(spool, 0)

    def leave(self, spool: Spool) -> None:
        """Give back what a spool has."""
        self._memory_left_bytes += self._memory.pop(spool, 0)
        own = self._disk.get(spool.client, {})
        if spool in own:
            self._disk_left_bytes += own.pop(spool)
            if not own:
                del self._disk[spool.client]
            self._left.set()
            self._left = asyncio.Event()

    def may_go_on(self, spool: Spool) -> bool:
        """Whether a spool may take more: of a client that has its share, only the oldest one."""
        own = self._disk.get(spool.client)
        return own is None or spool is next(iter(own)) or sum(own.values()) < self._share_bytes

    async def turn(self, spool: Spool) -> None:
        """Wait until it may."""
        while not self.may_go_on(spool):
            await self._left.wait()


@dataclass(frozen=True, slots=True)
class Body:
    """A body that has arrived."""

    file: IO[bytes]
    """Its bytes, from the first one."""
    size_bytes: int
    is_plain: bool
    """Whether each of its characters takes one byte in memory: it is ASCII, without escapes for more."""


class Bodies:
    """Opens the bodies of requests, the large ones within a budget of memory.

    It is shared out by the byte, to whoever asks first; while a body is parsed it takes twice its size.
    """

    def __init__(self, total_bytes: int) -> None:
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

    @contextmanager
    def received(self, request: Request, *, is_text: bool = True) -> Iterator[Body]:
        """The body of a request, and room for it for as long as the block works on what it says.

        Args:
            request: the present one; its `max_content_length` counts.
            is_text: whether the body is read as one text; else each of its bytes takes one in memory.

        Raises:
            BodyWanted: it has not come.
            HTTPException: it is encoded, too long or too slow.
            ServiceUnavailable: there was no space for it on disk, or no room in memory in time.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("Send the body without Content-Encoding.")
        spool, limit_bytes = request.environ.get(BODY), request.max_content_length
        if spool is None:
            yield Body(io.BytesIO(), 0, True)
            return
        if limit_bytes is not None and max(spool.size_bytes, request.content_length or 0) > limit_bytes:
            raise RequestEntityTooLarge("The body is too large: send a smaller one.")
        if spool.fault is not None:
            raise spool.fault
        if not spool.is_whole:
            raise BodyWanted(limit_bytes)
        is_wide = is_text and not spool.is_plain
        cost_bytes = spool.size_bytes * _WIDEST_CHARACTER_BYTES if is_wide else spool.size_bytes
        with self.taken(cost_bytes) if cost_bytes > MEMORY_BYTES else nullcontext():
            yield Body(spool.open(), spool.size_bytes, spool.is_plain)


class Unread(io.RawIOBase):
    """The stream of a body that has not come, for whoever reads it otherwise than by `Bodies`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, _: object) -> int:
        """Ask for the body."""
        raise self._spool.fault or BodyWanted


def _is_plain(part: bytes) -> bool:
    # One byte is found many times as fast as two, or as a pattern.
    has_wide = (b"\\" in part and b"\\u" in part) or (b"%" in part and _WIDE_ESCAPE.search(part))
    return part.isascii() and not has_wide


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
